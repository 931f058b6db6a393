/** How runs of opencode 2 end, as it was seen to tell them; the real program does the same in test/e2e/opencode-2.test.ts. */
import { describe, expect, it } from 'vitest'
import { outcomeOf } from '../../../src/core/run-outcome.ts'
import { retryIn, seenIn } from '../../../src/opencode2/api/observe.ts'
import type { InboxItem, Message } from '../../../src/opencode2/api/schemas.ts'

const user = (id: string, text = 'do it'): Message => ({ id, type: 'user', time: { created: 1 }, text })
const said = (more: Partial<Message> = {}): Message => ({
  id: 'answer',
  type: 'assistant',
  time: { created: 2, completed: 3 },
  content: [{ type: 'text', text: 'done' }],
  finish: 'stop',
  ...more,
})
const cut = said({ content: [], finish: 'error', error: { type: 'aborted', message: 'Step interrupted' } })
const idle = (outcome: string, created = 9): Message => ({
  id: `idle-${created}`,
  type: 'idle',
  time: { created },
  outcome,
})
const waiting = (id: string, created = 4): InboxItem => ({
  id,
  type: 'user',
  time: { created },
  payload: { text: 'do it' },
})

const outcome = (messages: Message[], inbox: InboxItem[] = [], prompts = ['a'], reason?: string) =>
  outcomeOf(prompts, {
    busy: false,
    messages: seenIn(messages, inbox, reason === undefined ? undefined : { text: reason, trouble: undefined }),
  })

describe('a run of opencode 2', () => {
  const done = { kind: 'done', error: undefined, aborted: false }
  const stopped = { kind: 'done', error: 'interrupted', aborted: true }

  it('is over with an answer, whatever the mark after it says', () => {
    expect(outcome([user('a'), said(), idle('succeeded')])).toEqual(done)
    expect(outcome([user('a'), said()])).toEqual(done)
  })

  it('is not over with a mark alone: a prompt that was sent again leaves one', () => {
    expect(outcome([user('a'), idle('succeeded')])).toEqual({ kind: 'unanswered' })
    const called = said({ finish: 'tool-calls', content: [{ type: 'tool' }] })
    expect(outcome([user('a'), called, idle('succeeded')])).toEqual({ kind: 'unanswered' })
    expect(outcome([user('a'), said({ finish: 'tool-calls' }), idle('succeeded')])).toEqual({
      kind: 'lacking',
      how: 'ended by its provider for an unknown reason (tool-calls without a call)',
    })
    expect(outcome([user('a'), said({ finish: 'tool-calls', time: { created: 2 } })])).toEqual({ kind: 'unanswered' })
  })

  it('failed with the reason of the model, else with the one that was heard', () => {
    const refused = said({ finish: 'error', error: { type: 'provider.auth', message: 'no\nkey' } })
    expect(outcome([user('a'), refused, idle('failed')], [], ['a'], 'heard')).toMatchObject({ error: 'no key' })
    expect(outcome([user('a'), idle('failed')], [], ['a'], 'heard')).toMatchObject({ kind: 'done', error: 'heard' })
    expect(outcome([user('a'), idle('failed')])).toMatchObject({ error: 'opencode gave no reason: see its log' })
    const compaction: Message = { id: 'c', type: 'compaction', status: 'failed', error: { message: 'no summary' } }
    expect(outcome([user('a'), said({ finish: 'tool-calls' }), compaction, idle('failed')])).toMatchObject({
      error: 'no summary',
    })
  })

  it('failed before its prompt was taken from the inbox', () => {
    expect(outcome([idle('failed')], [waiting('a')], ['a'], 'no such agent')).toMatchObject({ error: 'no such agent' })
    expect(outcome([idle('failed', 2)], [waiting('a')])).toEqual({ kind: 'unanswered' })
    expect(outcome([user('b'), said(), idle('succeeded')], [waiting('a')])).toEqual({ kind: 'unanswered' })
    expect(outcome([user('b'), said(), idle('succeeded')])).toEqual({ kind: 'undelivered' })
  })

  it('was stopped by a person when its end says so, and cut off when nothing does', () => {
    expect(outcome([user('a'), cut, idle('interrupted')])).toEqual(stopped)
    expect(outcome([user('a'), idle('interrupted')])).toEqual(stopped)
    expect(outcome([user('a'), cut, idle('interrupted')], [waiting('b')], ['a', 'b'])).toEqual(stopped)
    expect(outcome([user('a'), cut])).toEqual({ kind: 'unanswered' })
  })

  it('is troubled when the database of opencode was', () => {
    const locked = said({ finish: 'error', error: { type: 'unknown', message: 'database is locked' } })
    expect(outcome([user('a'), locked, idle('failed')])).toMatchObject({ kind: 'troubled', hasWorked: false })
    const provider = said({ finish: 'error', error: { type: 'provider.internal', message: 'database is locked' } })
    expect(outcome([user('a'), provider, idle('failed')])).toMatchObject({ kind: 'done' })
  })

  it('goes on after what opencode itself says to its model, and after a summary', () => {
    const broken = said({ finish: 'error', error: { type: 'provider.invalid-output', message: 'no end' } })
    const note: Message = { id: 'n', type: 'synthetic', text: 'Continue.' }
    const summary: Message = { id: 's', type: 'compaction', status: 'completed' }
    expect(outcome([user('a'), broken, note, said(), idle('succeeded')])).toEqual(done)
    expect(outcome([user('a'), said({ finish: 'tool-calls' }), summary, said(), idle('succeeded')])).toEqual(done)
    expect(outcome([user('a'), said(), summary, idle('succeeded')])).toEqual(done)
  })

  it('waits after a failure of the model, and counts the attempts that failed', () => {
    const retry = { attempt: 3, error: { type: 'provider.internal', message: 'busy' } }
    expect(retryIn([user('a'), said({ time: { created: 1 }, retry })])).toEqual({ attempt: 2, text: 'busy' })
    expect(retryIn([user('a'), said({ retry })])).toBeUndefined()
    expect(retryIn([user('a'), said()])).toBeUndefined()
  })
})
