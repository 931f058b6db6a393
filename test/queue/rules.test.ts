import { describe, expect, it } from 'vitest'
import { countItems, findId } from '../../src/queue/find.ts'
import { newItem, parseItem, type Item } from '../../src/queue/item.ts'
import { pick } from '../../src/queue/pick.ts'
import { reconcile } from '../../src/queue/reconcile.ts'
import {
  begun,
  failed,
  finished,
  interrupted,
  notified,
  released,
  retried,
  waitsMs,
  withPullRequest,
  type RunEnd,
} from '../../src/queue/transitions.ts'

const now = new Date('2026-05-01T12:00:00Z')
const later = (seconds: number) => new Date(now.getTime() + seconds * 1000)
const item = (number: number, more: Partial<Item> = {}): Item => ({
  ...newItem(`q_${1000 + number}`, { issue_ref: `forge.test/me/app#${number}`, message: `do ${number}` }, now),
  ...more,
})
/** A transition that must be possible. */
function sure(next: Item | undefined): Item {
  if (next === undefined) throw new Error('not possible')
  return next
}
const agent = { at: now.toISOString(), opencode_session_id: 'ses_1', pid: 7, run: 'slot-1' }
const end = (more: Partial<RunEnd> = {}): RunEnd => ({
  state: 'idle',
  error: null,
  stopped: false,
  never_began: false,
  ended_at: later(9).toISOString(),
  ...more,
})
const result = { branch: 'fix/issue-1', commits: 2, cost: 0.5, pr_url: null, answer: null }

describe('an item', () => {
  it('of the bash tool is understood, and keeps what is not known', () => {
    const old = {
      id: 'q_1234567890',
      issue_ref: 'github.com/me/app#1',
      message: 'task',
      state: 'notified',
      pending_since: '2026-04-05T04:28:41Z',
      notified_at: null,
      attempts: 2,
      fork_pid: 99,
      pid: '4711',
    }
    const read = parseItem('q_1234567890', JSON.stringify(old))
    expect(read).toMatchObject({ kind: 'dev', state: 'notified', priority: 0, fork_pid: 99, pid: '4711', fresh: false })
    expect(read?.attempts.map(({ outcome }) => outcome)).toEqual(['failed', 'failed'])
    expect(parseItem('q_1', JSON.stringify({ state: 'pending', message: 'for the PM' }))?.kind).toBe('pm')
  })

  it('gets the pull request that is found after its end, once', () => {
    const url = 'https://forge.test/me/app/pulls/3'
    expect(withPullRequest(item(1), url)).toBeUndefined()
    const done = sure(finished(sure(notified(item(1), agent)), end(), result))
    const after = sure(withPullRequest(done, url))
    expect(after).toEqual({ ...done, pr_url: url, result: { ...result, pr_url: url } })
    expect(withPullRequest(after, 'https://forge.test/me/app/pulls/4')).toBeUndefined()
  })

  it('that has all of its fields is read as it is; a field that is missing is filled in, a wrong one makes it none', () => {
    const begin = sure(begun(item(1), now))
    const whole = sure(finished(sure(notified(begin, agent)), end(), result))
    const read = (value: object) => parseItem(whole.id, JSON.stringify(value))
    const fresh = newItem(whole.id, { issue_ref: whole.issue_ref, message: '' }, now)
    expect(read(whole)).toEqual(whole)
    expect(read({ ...whole, colour: 'blue' })).toEqual({ ...whole, colour: 'blue' })
    for (const field of Object.keys(whole).filter((name) => name !== 'state' && name !== 'issue_ref')) {
      const { [field]: _, ...rest } = whole
      expect(read(rest), field).toEqual({
        ...rest,
        [field]: field === 'pending_since' ? null : fresh[field],
        id: whole.id,
      })
      expect(read({ ...whole, [field]: [7] }), field).toBe(undefined)
    }
    expect(read({ ...whole, issue_ref: '' })).toEqual({ ...whole, issue_ref: null })
    expect(read({ ...whole, attempts: [{ outcome: 7 }] })).toBe(undefined)
    expect(read({ ...whole, result: { branch: 'a' } })?.result).toEqual({
      ...result,
      branch: 'a',
      commits: null,
      cost: null,
    })
  })

  it.each([
    ['nothing', ''],
    ['half of it', '{"id":"q_1","state":"pen'],
    ['an array', '[]'],
    ['another program’s file', '{"name":"x","version":"1.0.0"}'],
    ['a state that is none', '{"id":"q_1","state":"paused"}'],
    ['another id', '{"id":"q_2","state":"pending"}'],
  ])('is not made of %s', (_, content) => {
    expect(parseItem('q_1', content)).toBeUndefined()
  })

  it('has an id that can be a file name', () => {
    expect(parseItem('../q_1', '{"state":"pending"}')).toBeUndefined()
    expect(parseItem('q_../1', '{"state":"pending"}')).toBeUndefined()
  })

  it('is found by what no other begins or ends with', () => {
    const ids = ['q_1795180055769', 'q_1795180055856', 'q_1234567890']
    expect(findId(ids, 'q_12')).toBe('q_1234567890')
    expect(findId(ids, '12')).toBe('q_1234567890')
    expect(findId(ids, '5856')).toBe('q_1795180055856')
    expect(findId([...ids, 'q_17951800557690'], 'q_1795180055769')).toBe('q_1795180055769')
    expect(() => findId(ids, 'q_1795')).toThrow('fits 2 items')
    expect(() => findId(ids, '')).toThrow('no item')
  })

  it('is counted by its state', () => {
    expect(countItems([item(1), item(2, { state: 'error' }), item(3)])).toEqual({
      total: 3,
      pending: 2,
      notified: 0,
      completed: 0,
      error: 1,
    })
  })
})

describe('what is started next', () => {
  const picked = (items: Item[], around: { free?: number; busy?: string[] } = {}) =>
    pick(items, { free: around.free ?? 9, now, busyIssues: new Set(around.busy) })
  const numbers = (items: Item[], around: { free?: number; busy?: string[] } = {}) =>
    picked(items, around).items.map(({ id }) => Number(id.slice(2)) - 1000)

  it('is what came first, as many as there is room for', () => {
    expect(numbers([item(3), item(1), item(2)], { free: 2 })).toEqual([1, 2])
    expect(numbers([item(1)], { free: 0 })).toEqual([])
    expect(numbers([item(1)], { free: -1 })).toEqual([])
  })

  it('is a continuation before that', () => {
    expect(numbers([item(1), item(2, { priority: 1 }), item(3, { priority: 1 })])).toEqual([2, 3, 1])
  })

  it('is the older task of its issue, when that was given back after the continuation was put in', () => {
    const issue_ref = 'forge.test/me/app#2'
    expect(numbers([item(1), item(2), item(3, { issue_ref, priority: 1 }), item(4)], { free: 2 })).toEqual([2, 1])
  })

  it('is one task of an issue at a time, and a busy issue holds up nobody else', () => {
    const issue_ref = 'forge.test/me/app#1'
    expect(numbers([item(1), item(2, { issue_ref }), item(3)])).toEqual([1, 3])
    expect(numbers([item(1), item(2, { issue_ref }), item(3)], { busy: [issue_ref] })).toEqual([3])
    expect(numbers([item(1), item(2, { issue_ref: 'Forge.test/Me/App#1' })])).toEqual([1])
  })

  it('is nothing that is begun, over, waiting for its next try, or the PM agent’s', () => {
    const waiting = item(4, { not_before: later(7).toISOString() })
    const items = [
      sure(begun(item(1), now)),
      item(2, { state: 'completed' }),
      item(3, { kind: 'pm', issue_ref: null }),
      waiting,
      item(5, { issue_ref: waiting.issue_ref }),
    ]
    expect(picked(items)).toEqual({ items: [], dueInMs: 7000 })
  })

  it('does not wait for a time that only a clock gone wrong could have set', () => {
    expect(numbers([item(1, { not_before: later(86_400).toISOString() })])).toEqual([1])
  })
})

describe('a task', () => {
  it('goes from pending over notified to completed, with its result', () => {
    const started = sure(begun(item(1), now))
    expect(begun(started, now)).toBeUndefined()
    const working = sure(notified(started, agent))
    expect(working).toMatchObject({ state: 'notified', opencode_session_id: 'ses_1', run: 'slot-1', pid: 7 })
    expect(working.attempts).toHaveLength(1)
    const done = sure(finished(working, end(), result))
    expect(done).toMatchObject({ state: 'completed', error: null, result, completed_at: later(9).toISOString() })
    expect(done.attempts).toEqual([
      { started_at: now.toISOString(), ended_at: later(9).toISOString(), outcome: 'completed', reason: null },
    ])
    expect(finished(done, end({ state: 'error' }), null)).toBeUndefined()
  })

  it.each([
    [{ state: 'error', error: 'no credit' }, 'error', 'no credit'],
    [{ state: 'timeout', error: 'stopped after 1 h' }, 'timeout', 'stopped after 1 h'],
    [{ stopped: true }, 'stopped', 'stopped'],
  ])('whose agent ends with %j ends as an error with the reason', (how, outcome, reason) => {
    const done = sure(finished(sure(notified(sure(begun(item(1), now)), agent)), end(how), result))
    expect(done).toMatchObject({ state: 'error', error: reason })
    expect(done.attempts.at(-1)).toMatchObject({ outcome, reason })
  })

  it('is tried three times with growing pauses', () => {
    const failure = { reason: 'no network', hopeless: false }
    const once = sure(failed(sure(begun(item(1), now)), failure, now))
    const twice = sure(failed(sure(begun(once, now)), failure, now))
    expect(once.state).toBe('pending')
    expect(waitsMs(once, now)).toBeGreaterThan(0)
    expect(waitsMs(twice, now)).toBeGreaterThan(waitsMs(once, now))
    const thrice = sure(failed(sure(begun(twice, now)), failure, now))
    expect(thrice).toMatchObject({ state: 'error', error: 'no network', not_before: null })
    expect(thrice.attempts.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'failed'])
    const again = sure(retried(thrice, now))
    expect(again).toMatchObject({ state: 'pending', error: null, completed_at: null })
    expect(sure(failed(sure(begun(again, now)), failure, now)).state).toBe('pending')
  })

  it('waits no longer than its pause was to be when the clock is put back', () => {
    const waiting = sure(failed(sure(begun(item(1), now)), { reason: 'no network', hopeless: false }, now))
    const pauseMs = waitsMs(waiting, now)
    expect(waitsMs(waiting, new Date(now.getTime() + 1000))).toBe(pauseMs - 1000)
    for (const seconds of [-1, -200, -86_400]) expect(waitsMs(waiting, later(seconds)), `${seconds}`).toBe(0)
    // Given back by another try than the last, it has a pause of its own.
    const busy = sure(released(sure(begun(waiting, later(600))), later(602)))
    expect(waitsMs(busy, later(600))).toBe(2000)
  })

  it('is not tried again when that is of no use', () => {
    const ended = sure(failed(sure(begun(item(1), now)), { reason: 'no such repository', hopeless: true }, now))
    expect(ended).toMatchObject({ state: 'error', error: 'no such repository' })
  })

  it('has not been tried when there was no slot for it', () => {
    expect(released(sure(begun(item(1), now)), null)).toEqual(item(1))
  })

  it('that was interrupted is tried again, at once at first, and given up the third time', () => {
    const cutShort = (of: Item) => sure(interrupted(sure(begun(of, now)), 'the server died', now))
    const [once, twice] = [cutShort(item(1)), cutShort(cutShort(item(1)))]
    expect([once, twice].map((each) => [each.state, waitsMs(each, now)])).toEqual([
      ['pending', 0],
      ['pending', 5_000],
    ])
    const given = cutShort(twice)
    expect(given).toMatchObject({ state: 'error', error: expect.stringMatching(/^the server died; .*last 3 tries/) })
    // What a person puts back has all its tries again, and only what comes one after the other counts.
    expect(cutShort(sure(retried(given, now))).state).toBe('pending')
    const other = sure(failed(sure(begun(twice, now)), { reason: 'x', hopeless: false }, now))
    expect(cutShort(other).state).toBe('pending')
  })

  it('can be put back only after an error', () => {
    for (const state of ['pending', 'notified', 'completed'] as const) {
      expect(retried(item(1, { state }), now)).toBeUndefined()
    }
  })
})

describe('what follows from what is on file', () => {
  const facts = { run: () => undefined, end: () => undefined, isStarting: () => false, isUnclear: () => false }
  const started = sure(begun(item(1), now))
  const working = sure(notified(started, agent))
  const done = (of: Item, more: object = {}) =>
    reconcile<string, RunEnd>([of], { ...facts, ...more }).map((action) => action.do)

  it('is nothing for what waits, is over, or is being started', () => {
    expect(done(item(1))).toEqual([])
    expect(done(item(1, { state: 'completed' }), { end: () => end() })).toEqual([])
    expect(done(started, { isStarting: () => true })).toEqual([])
  })

  it('is that an item named by a run has an agent, whatever it says itself', () => {
    expect(done(started, { run: () => 'run' })).toEqual(['note the agent'])
    expect(done(working, { run: () => 'run' })).toEqual([])
    expect(done(started, { run: () => 'run', end: () => end() })).toEqual(['note the agent'])
  })

  it('is that one whose run has ended is over, noted as started or not', () => {
    expect(done(working, { end: () => end() })).toEqual(['note the end'])
    expect(done(started, { end: () => end() })).toEqual(['note the end'])
  })

  it('is that one which was begun and is in no run was never started', () => {
    expect(done(started)).toEqual(['give back'])
    expect(done(working, { end: () => end({ never_began: true }) })).toEqual(['give back'])
  })

  it('is that an agent whose session is gone will not be heard of', () => {
    expect(done(working)).toEqual(['give up'])
  })

  it('is nothing while the session cannot be read', () => {
    for (const each of [started, working]) {
      expect(done(each, { isUnclear: () => true })).toEqual([])
      expect(done(each, { isUnclear: () => true, end: () => end() })).toEqual([])
    }
  })
})
