import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KugetsuError } from '../../../src/core/errors.ts'
import { RequestFailure } from '../../../src/driver/request-failure.ts'
import { currentProcess } from '../../../src/platform/processes.ts'
import { excuseRuns } from '../../../src/sessions/runs/agent-server.ts'
import { deathsOf, waitingForTheirTurn } from '../../../src/sessions/runs/resume-turns.ts'
import { changeSession, readSession } from '../../../src/sessions/file/store.ts'
import { createServiceHome, type ServiceHome } from '../../helpers/service-home.ts'

/** A run that was in `server`; its slot is its name. */
const run = (slot: string, interruptions: number, server = 'dead', excused?: string) => ({
  slot,
  interruptions,
  server,
  started_at: `2026-05-01T00:00:00Z`,
  ...(excused === undefined ? {} : { excused }),
})
const waiting = (runs: ReturnType<typeof run>[], server: string | undefined = 'living') => [
  ...waitingForTheirTurn(runs, server),
]

describe('the deaths of a run', () => {
  it('are those it was resumed after and that of its server, unless a start was the end of that one', () => {
    expect(deathsOf(run('a', 1), false)).toBe(1)
    expect(deathsOf(run('a', 1), true)).toBe(2)
    expect(deathsOf(run('a', 1, 'dead', 'dead'), true)).toBe(1)
    expect(deathsOf(run('a', 1, 'dead', 'one before'), true)).toBe(2)
    expect(deathsOf(run('a', 0, ''), true)).toBe(1)
  })
})

describe('after the death of the server', () => {
  it('all are resumed at once when it is their first', () => {
    expect(waiting([run('a', 0), run('b', 0), run('c', 0)])).toEqual([])
  })

  it('one is resumed when it is their second, the oldest first, and those with fewer beside it', () => {
    const runs = [{ ...run('a', 1), started_at: '2026-05-01T00:00:09Z' }, run('b', 1), run('c', 0)]
    expect(waiting(runs)).toEqual(['a'])
    expect(waiting(runs, undefined)).toEqual(['a'])
  })

  it('the others wait while that one is at work, and also when the server has died under it once more', () => {
    expect(waiting([run('a', 2, 'living'), run('b', 1), run('c', 1, 'older')])).toEqual(['b', 'c'])
    expect(waiting([run('b', 1, 'older'), run('c', 1, 'older'), run('a', 2)])).toEqual(['b', 'c'])
  })

  it('the next one goes when it has ended', () => {
    expect(waiting([run('b', 1, 'older'), run('c', 1, 'older')])).toEqual(['c'])
    expect(waiting([run('c', 1, 'older')])).toEqual([])
  })

  it('those whose server a start has ended do not wait', () => {
    expect(waiting([run('a', 1, 'dead', 'dead'), run('b', 1, 'dead', 'dead')])).toEqual([])
  })

  it('no run that is at work waits', () => {
    expect(waiting([run('a', 2, 'living'), run('b', 2, 'living'), run('c', 0, 'living')])).toEqual([])
  })
})

describe('a start that fails', () => {
  let home: ServiceHome
  beforeEach(async () => {
    home = createServiceHome()
    for (const [name, server] of [
      ['a', 'its server'],
      ['b', 'another'],
    ] as const) {
      const at = { deadline_at: '', message_ids: ['msg_1'] as [string] }
      await changeSession(home, name, () => ({
        type: 'forked',
        state: 'running',
        run: { ...run(name, 1, server), ...at },
      }))
    }
  })
  afterEach(() => home.cleanup())
  const server = (startTime: string) => ({
    record: {
      ...currentProcess(),
      start_time: startTime,
      password: 'p',
      version: '1',
      program: 'p',
      marker: 'its server',
      started_at: '',
    },
  })
  const failure = (cause: Error) => new KugetsuError('no', { code: 'opencode_request', cause })
  const excused = () => ['a', 'b'].map((name) => readSession(home, name)?.run?.excused)

  it('because its server has died excuses the runs that were in that one', async () => {
    await excuseRuns(home, failure(new Error('socket hang up')), server('of a process before'))
    expect(excused()).toEqual(['its server', undefined])
  })

  it('for another reason excuses nobody', async () => {
    await excuseRuns(home, failure(new RequestFailure(500, 'no')), server('of a process before'))
    await excuseRuns(home, new KugetsuError('no', { code: 'busy' }), server('of a process before'))
    await excuseRuns(home, failure(new Error('socket hang up')), undefined)
    expect(excused()).toEqual([undefined, undefined])
  })
})
