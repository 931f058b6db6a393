import { describe, expect, it } from 'vitest'
import { entryOf, factsOf } from '../../../src/opencode/entries.ts'
import { createStepReader, type Counted } from '../../../src/daemon/following/steps.ts'

const sessionID = 'ses_1'

/** A session's events, told as the messages and calls that they are of; what is returned is what they counted. */
function session() {
  const reader = createStepReader()
  let made = 0
  const call = (messageID: string, id: string, [tool, state]: [string, object]) =>
    reader.entry(entryOf({ id, messageID, sessionID, type: 'tool', tool, state })!)
  return {
    user: (isPrompt = true) => reader.message(factsOf({ id: `msg_${++made}`, sessionID, role: 'user' }), isPrompt),
    /** One step, in the order of opencode's events: `late` calls are told to have ended after their step, as without snapshots. */
    step: (finish: string | undefined, calls: [tool: string, state: object][] = [], { late = false } = {}): Counted => {
      const id = `msg_${++made}`
      const parts = calls.map((of, at) => [`prt_${id}_${at}`, of] as const)
      const end = () => parts.map(([part, of]) => call(id, part, of))
      const info = { id, sessionID, role: 'assistant', time: { completed: 1 }, finish }
      reader.message(factsOf({ ...info, time: {} }), false)
      for (const [part, [tool, state]] of parts) call(id, part, [tool, { ...state, status: 'running' }])
      const counted = [...(late ? [] : end()), reader.message(factsOf(info), false), ...(late ? end() : [])]
      // Told of once more, as when opencode has pruned an output.
      expect([...end(), reader.message(factsOf(info), false)]).toEqual([...calls.map(() => ({})), {}])
      return Object.assign({}, ...counted) as Counted
    },
  }
}
const ran = (command: string) => ['bash', { status: 'completed', input: { command }, output: '' }] as [string, object]
const failed = (command: string) =>
  ['bash', { status: 'error', input: { command }, error: 'no such\nfile' }] as [string, object]
const invalid = (tool: string, error: string) =>
  ['invalid', { status: 'completed', input: { tool, error }, output: error }] as [string, object]
const times = (count: number, step: (at: number) => Counted) => Array.from({ length: count }, (_, at) => step(at))
const nothing = (count: number) => Array.from({ length: count }, () => ({}))

describe('steps without a call and without an end', () => {
  it.each(['tool-calls', 'unknown', '', undefined])('are aborted at the fifth in a row (%s)', (finish) => {
    const { step } = session()
    expect(times(4, () => step(finish))).toEqual(nothing(4))
    expect(step(finish).stuck).toBe(
      `aborted: 5 steps in a row had no call of a tool and no end (finish reason ${finish || 'none'})`,
    )
  })

  it('are counted on through the messages that opencode sends itself', () => {
    const { step, user } = session()
    expect(times(4, () => step('unknown'))).toEqual(nothing(4))
    expect(user(false)).toEqual({})
    expect(step('unknown').stuck).toBeDefined()
  })

  it('are counted anew after a call, an end, and whatever the agent is told', () => {
    const { step, user } = session()
    for (const other of [() => step('tool-calls', [ran('ls')]), () => step('stop'), () => user()]) {
      expect(times(4, () => step('unknown'))).toEqual(nothing(4))
      expect(other()).toEqual({})
    }
  })
})

describe('the same call', () => {
  it.each([false, true])('that fails is aborted at the tenth in a row, with what it says (late: %s)', (late) => {
    const { step } = session()
    expect(times(9, () => step('tool-calls', [failed('x')], { late }))).toEqual(nothing(9))
    expect(step('tool-calls', [failed('x')], { late }).stuck).toBe(
      'aborted: the same call of bash failed 10 times in a row: no such file',
    )
  })

  it('of an unknown tool, or with arguments that are none, is the same whatever was wrong with them', () => {
    const { step } = session()
    expect(times(9, (at) => step('tool-calls', [invalid('nope', `no JSON: ${at}`)]))).toEqual(nothing(9))
    expect(step('tool-calls', [invalid('nope', 'no JSON')]).stuck).toMatch(/the same call of nope failed 10 times/)
  })

  it('that fails, and then another, is no circle; nor is one after the agent was told something', () => {
    const { step, user } = session()
    expect(times(30, (at) => step('tool-calls', [failed(String(at % 2))]))).toEqual(nothing(30))
    expect(times(9, () => step('tool-calls', [failed('x')]))).toEqual(nothing(9))
    expect(user()).toEqual({})
    expect(step('tool-calls', [failed('x')])).toEqual({})
    expect(step('tool-calls', [failed('x'), ran('x')])).toEqual({})
  })

  it('that ends after its step, as without snapshots, makes it no step without a call', () => {
    const { step } = session()
    expect(times(9, (at) => step('tool-calls', [ran(String(at))], { late: true }))).toEqual(nothing(9))
  })

  it('that has not ended makes its step none without a call', () => {
    const { step } = session()
    const running: [string, object] = ['bash', { status: 'running', input: { command: 'npm test' } }]
    expect(times(9, () => step('tool-calls', [running]))).toEqual(nothing(9))
  })

  it('that succeeds is left alone, and told of at 10, 20, 40', () => {
    const { step } = session()
    const told = times(45, () => step('tool-calls', [ran('gh pr checks')])).map(({ repeated, stuck }) => {
      expect(stuck).toBeUndefined()
      return repeated
    })
    expect(told.flatMap((each, at) => (each === undefined ? [] : [at + 1]))).toEqual([10, 20, 40])
    expect(told[9]).toBe('10 times in a row the same call of bash, which succeeds: {"command":"gh pr checks"}')
  })
})
