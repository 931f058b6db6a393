import { describe, expect, it } from 'vitest'
import { outcomeOf, type SeenMessage } from '../../src/core/run-outcome.ts'

const prompt = (id: string): SeenMessage => ({ ...blank, id, role: 'user' })
const answer = (parentId: string, fields: Partial<SeenMessage> = {}): SeenMessage => ({
  ...blank,
  id: `${parentId}-answer`,
  role: 'assistant',
  parentId,
  completed: true,
  finish: 'stop',
  ...fields,
})
const blank: SeenMessage = {
  id: '',
  role: '',
  parentId: undefined,
  completed: false,
  finish: undefined,
  error: undefined,
  aborted: false,
}
const idle = (...messages: SeenMessage[]) => ({ busy: false, messages })

describe('a run', () => {
  it('is lost when opencode has no such session', () => {
    expect(outcomeOf(['p1'], undefined)).toEqual({ kind: 'lost' })
  })

  it('goes on while the session is busy, whatever its messages say', () => {
    expect(outcomeOf(['p1'], { busy: true, messages: [] })).toEqual({ kind: 'working' })
    expect(outcomeOf(['p1'], { busy: true, messages: [prompt('p1'), answer('p1')] })).toEqual({ kind: 'working' })
  })

  it('was not delivered when the session has neither the prompt nor an answer to it', () => {
    expect(outcomeOf(['p1'], idle())).toEqual({ kind: 'undelivered' })
    expect(outcomeOf(['p1'], idle(prompt('earlier'), answer('earlier')))).toEqual({ kind: 'undelivered' })
  })

  it('is unanswered when nothing follows the prompt, or only half an answer, or one that another step must follow', () => {
    const unanswered = { kind: 'unanswered' }
    expect(outcomeOf(['p1'], idle(prompt('p1')))).toEqual(unanswered)
    expect(outcomeOf(['p1'], idle(prompt('p1'), answer('p1', { completed: false, finish: undefined })))).toEqual(
      unanswered,
    )
    expect(outcomeOf(['p1'], idle(prompt('p1'), answer('p1', { finish: 'tool-calls' })))).toEqual(unanswered)
  })

  it('is done once the answer is complete', () => {
    const done = { kind: 'done', error: undefined, aborted: false }
    expect(outcomeOf(['p1'], idle(prompt('p1'), answer('p1')))).toEqual(done)
    expect(outcomeOf(['p1'], idle(prompt('p1'), answer('p1', { finish: 'tool-calls' }), answer('p1')))).toEqual(done)
  })

  it('is done with the error of the last answer, though it is not complete', () => {
    const failed = answer('p1', { completed: false, error: 'no credit' })
    expect(outcomeOf(['p1'], idle(prompt('p1'), failed))).toEqual({ kind: 'done', error: 'no credit', aborted: false })
    expect(outcomeOf(['p1'], idle(prompt('p1'), failed, answer('p1')))).toMatchObject({ error: undefined })
  })

  it('tells an abort from a failure', () => {
    const aborted = answer('p1', { error: 'aborted', aborted: true })
    expect(outcomeOf(['p1'], idle(prompt('p1'), aborted))).toEqual({ kind: 'done', error: 'aborted', aborted: true })
  })

  it('is over only when the last of its prompts is answered', () => {
    const both = ['p1', 'p2']
    expect(outcomeOf(both, idle(prompt('p1'), answer('p1')))).toEqual({ kind: 'undelivered' })
    expect(outcomeOf(both, idle(prompt('p1'), answer('p1'), prompt('p2')))).toEqual({ kind: 'unanswered' })
    expect(outcomeOf(both, idle(prompt('p1'), prompt('p2'), answer('p2')))).toMatchObject({ kind: 'done' })
  })

  it('counts an answer to the first prompt that came after the second: the loop took both up', () => {
    const steered = idle(prompt('p1'), prompt('p2'), answer('p1'))
    expect(outcomeOf(['p1', 'p2'], steered)).toMatchObject({ kind: 'done', error: undefined })
  })

  it('is judged by the answers alone when the prompt itself is out of sight', () => {
    expect(outcomeOf(['p1'], idle(answer('p1')))).toMatchObject({ kind: 'done' })
    expect(outcomeOf(['p1'], idle(answer('other')))).toEqual({ kind: 'undelivered' })
  })
})
