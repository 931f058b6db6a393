import { describe, expect, it } from 'vitest'
import { lackOf, outcomeOf, type SeenMessage } from '../../src/core/run-outcome.ts'

const prompt = (id: string): SeenMessage => ({ ...blank, id, role: 'user' })
const answer = (parentId: string, fields: Partial<SeenMessage> = {}): SeenMessage => ({
  ...blank,
  id: `${parentId}-answer`,
  role: 'assistant',
  parentId,
  completed: true,
  finish: 'stop',
  text: 'Done.',
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
  compaction: undefined,
  text: '',
  thought: false,
  calls: [],
}
const silent = { text: '' } as const
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

  it('is troubled when the last error is of opencode itself, and tells whether the model had ended a step before', () => {
    const failed = answer('p1', { error: 'SqlError', trouble: 'its database was locked' })
    const troubled = { kind: 'troubled', how: 'its database was locked' }
    expect(outcomeOf(['p1'], idle(prompt('p1'), failed))).toEqual({ ...troubled, hasWorked: false })
    const step = answer('p1', { finish: 'tool-calls' })
    expect(outcomeOf(['p1'], idle(prompt('p1'), step, failed))).toEqual({ ...troubled, hasWorked: true })
    expect(outcomeOf(['p1', 'p2'], idle(prompt('p1'), step, failed, prompt('p2'), { ...failed }))).toEqual({
      ...troubled,
      hasWorked: false,
    })
    expect(outcomeOf(['p1'], idle(prompt('p1'), failed, answer('p1')))).toMatchObject({ kind: 'done' })
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

describe('an answer', () => {
  const parts: Record<string, Partial<SeenMessage>> = {
    text: { text: 'Done.' },
    'text and thoughts': { text: 'Done.', thought: true },
    'text and a failed call': { text: 'Done.', calls: ['failed'] },
    'a finished call': { ...silent, calls: ['finished'] },
    'a finished call and a failed one': { ...silent, calls: ['finished', 'failed'] },
    'a failed call': { ...silent, calls: ['failed'] },
    'a call cut off': { ...silent, calls: ['cut off'] },
    thoughts: { ...silent, thought: true },
    'thoughts and a call cut off': { ...silent, thought: true, calls: ['cut off'] },
    nothing: silent,
  }
  const words = {
    stop: undefined,
    length: 'cut off at its output limit',
    'content-filter': "cut off by its provider's content filter",
    other: 'ended by its provider for an unknown reason (other)',
    error: 'ended by its provider for an unknown reason (error)',
    eos: 'ended by its provider for an unknown reason (eos)',
  }
  const withStop: Record<string, string> = {
    'a failed call': 'its last call failed or was cut off, and it said nothing',
    'a call cut off': 'its last call failed or was cut off, and it said nothing',
    thoughts: 'it thought, and neither said nor did anything',
    'thoughts and a call cut off': 'its last call failed or was cut off, and it said nothing',
    nothing: 'it neither said nor did anything',
  }
  const cases = Object.entries(words).flatMap(([finish, word]) =>
    Object.entries(parts).map(([name, fields]) => ({ finish, name, fields, how: word ?? withStop[name] })),
  )
  it.each(cases)('of $name with the finish word $finish: $how', ({ finish, fields, how }) => {
    const outcome = outcomeOf(['p1'], idle(prompt('p1'), answer('p1', { finish, ...fields })))
    expect(outcome).toEqual(
      how === undefined ? { kind: 'done', error: undefined, aborted: false } : { kind: 'lacking', how },
    )
  })

  it.each([undefined, '', 'tool-calls', 'unknown'])(
    'is none while another step follows (%s), whatever it says',
    (finish) => {
      for (const fields of Object.values(parts)) {
        expect(outcomeOf(['p1'], idle(prompt('p1'), answer('p1', { finish, ...fields })))).toEqual({
          kind: 'unanswered',
        })
      }
    },
  )

  it('may be nothing at all right after a finished call, and not after one that failed or was cut off', () => {
    const last = answer('p1', silent)
    const step = (...calls: SeenMessage['calls']) => answer('p1', { finish: 'tool-calls', ...silent, calls })
    expect(lackOf(last, step('finished'))).toBeUndefined()
    expect(lackOf(last, step('finished', 'failed'))).toBeDefined()
    expect(lackOf(last, step('cut off'))).toBeDefined()
    expect(lackOf(last, answer('p1'))).toBeDefined()
    expect(lackOf(answer('p1', { ...silent, thought: true }), step('finished'))).toBeDefined()
  })

  it('that opencode or a person ended is as it was: a failure, an abort', () => {
    const failed = answer('p1', { ...silent, finish: 'length', error: 'no credit' })
    expect(outcomeOf(['p1'], idle(prompt('p1'), failed))).toMatchObject({ kind: 'done', error: 'no credit' })
  })
})

describe('a prompt before a summary', () => {
  const said = (id: string, text = `do ${id}`) => ({ ...prompt(id), text })
  const request: SeenMessage = { ...blank, id: 'c', role: 'user', compaction: 'request' }
  const summary = answer('c', { id: 's', compaction: 'summary' })
  const goesOn = [request, summary, said('opencode', 'Continue'), answer('opencode')]
  const step = answer('p1', { finish: 'tool-calls', calls: ['finished'] })

  it('is unread when nothing of the model is between the two', () => {
    expect(outcomeOf(['p1', 'p2'], idle(said('p1'), step, said('p2'), ...goesOn))).toEqual({
      kind: 'unread',
      promptId: 'p2',
      text: 'do p2',
    })
    expect(outcomeOf(['p1'], idle(answer('earlier'), said('p1'), ...goesOn))).toMatchObject({ promptId: 'p1' })
  })

  it('is unread as well when a later one was answered, and when the model went on without an answer', () => {
    const later = idle(said('p1'), step, said('p2'), ...goesOn, said('p3'), answer('p3'))
    expect(outcomeOf(['p1', 'p2', 'p3'], later)).toMatchObject({ kind: 'unread', promptId: 'p2' })
    const cut = idle(
      said('p1'),
      step,
      said('p2'),
      request,
      summary,
      said('o', 'Continue'),
      answer('o', { finish: 'length' }),
    )
    expect(outcomeOf(['p1', 'p2'], cut)).toMatchObject({ kind: 'unread', promptId: 'p2' })
  })

  it('was read when the model worked on it, or when it was said again since, by opencode or by us', () => {
    expect(outcomeOf(['p1'], idle(said('p1'), step, ...goesOn))).toMatchObject({ kind: 'done' })
    const again = idle(said('p1'), step, said('p2'), request, summary, said('opencode', 'do p2'), answer('opencode'))
    expect(outcomeOf(['p1', 'p2'], again)).toMatchObject({ kind: 'done' })
  })

  it('is said again once: what was sent for that is not, though another summary took it', () => {
    const again = idle(said('p1'), ...goesOn, said('p2', 'do p1'), ...goesOn)
    expect(outcomeOf(['p1', 'p2'], again, ['p2'])).toMatchObject({ kind: 'done' })
  })

  it('ends no run by the summary alone', () => {
    expect(outcomeOf(['p1'], idle(said('p1'), step, request, summary))).toEqual({ kind: 'unanswered' })
  })
})
