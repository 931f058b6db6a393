import { describe, expect, it } from 'vitest'
import type { RunOutcome } from '../../../src/core/run-outcome.ts'
import type { Run } from '../../../src/sessions/file/session-file.ts'
import { endingOf } from '../../../src/sessions/runs/settle.ts'

const run: Run = {
  slot: 's',
  message_ids: ['msg_1'],
  started_at: '2026-05-01T00:00:00Z',
  deadline_at: '2026-05-01T01:00:00Z',
  interruptions: 0,
  server: 'm',
}
const look = (outcome: RunOutcome) => ({
  outcome,
  observed: { busy: false, retry: undefined, messages: [], answer: 'Done.', cost: 0.5, tokens: { input: 1 } },
})
const spent = { answer: 'Done.', cost: 0.5, tokens: { input: 1 } }
const long = 3_600_000

describe('how a run ends', () => {
  it('is decided by its last answer', () => {
    const done = (error: string | undefined, aborted = false) => look({ kind: 'done', error, aborted })
    expect(endingOf(done(undefined), run, 0)).toEqual({ state: 'idle', ...spent })
    expect(endingOf(done('no credit'), run, 0)).toEqual({ state: 'error', error: 'no credit', ...spent })
    expect(endingOf(done('aborted', true), run, 0)).toEqual({ state: 'idle', stopped: true, ...spent })
  })

  it('is not decided while it works, though it is to be stopped', () => {
    expect(endingOf(look({ kind: 'working' }), { ...run, stop_requested: true }, long)).toBeUndefined()
  })

  it('is an end and no failure when a person stopped it', () => {
    for (const kind of ['unanswered', 'undelivered'] as const) {
      expect(endingOf(look({ kind }), { ...run, stop_requested: true }, 0)).toMatchObject({
        state: 'idle',
        stopped: true,
      })
    }
  })

  it('is an error when opencode lost the session', () => {
    expect(endingOf(look({ kind: 'lost' }), run, 0)).toMatchObject({ state: 'error' })
  })

  it('does not depend on how long ago the run began, only on how long the prompt has lain there', () => {
    const unanswered = look({ kind: 'unanswered' })
    expect(endingOf(unanswered, { ...run, started_at: '2020-01-01T00:00:00Z' }, 0)).toBeUndefined()
    expect(endingOf(unanswered, run, long)).toMatchObject({ state: 'error' })
  })

  it('is not decided by an end without an answer before the agent was told to go on, and then is an error', () => {
    const lacking = look({ kind: 'lacking', how: 'cut off at its output limit' })
    expect(endingOf(lacking, run, long)).toBeUndefined()
    const told = { ...run, message_ids: ['msg_1', 'msg_2'], told_to_go_on_with: 'msg_2' }
    expect(endingOf(lacking, told, 0)).toMatchObject({
      state: 'error',
      error: 'no answer: cut off at its output limit, even after it was told to go on',
    })
    expect(endingOf(lacking, { ...told, stop_requested: true }, 0)).toMatchObject({ state: 'idle', stopped: true })
    expect(endingOf(lacking, { ...told, message_ids: ['msg_1', 'msg_2', 'msg_3'] }, 0)).toBeUndefined()
    expect(endingOf(look({ kind: 'unread', promptId: 'msg_1', text: 'x' }), told, long)).toBeUndefined()
  })

  it('is not decided by failures of opencode itself before three tries in a row were of no use', () => {
    const how = 'its database was locked (database is locked)'
    const troubled = (hasWorked: boolean) => look({ kind: 'troubled', how, hasWorked })
    for (const troubles of [undefined, 1, 2]) {
      expect(endingOf(troubled(false), { ...run, ...(troubles && { troubles }) }, long)).toBeUndefined()
    }
    expect(endingOf(troubled(true), { ...run, troubles: 3 }, long)).toBeUndefined()
    expect(endingOf(troubled(false), { ...run, troubles: 3 }, 0)).toEqual({
      state: 'error',
      error: `opencode failed 4 times in a row: ${how}`,
      ...spent,
    })
    expect(endingOf(troubled(true), { ...run, stop_requested: true }, 0)).toMatchObject({ stopped: true })
  })

  it('is never decided by a look at a prompt that may still be on its way', () => {
    expect(endingOf(look({ kind: 'undelivered' }), run, long)).toBeUndefined()
  })
})
