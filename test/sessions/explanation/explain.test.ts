import { describe, expect, it } from 'vitest'
import { newItem, type Item } from '../../../src/queue/item.ts'
import { begun, failed, finished, notified } from '../../../src/queue/transitions.ts'
import { explain } from '../../../src/sessions/explanation/explain.ts'
import type { Facts } from '../../../src/sessions/explanation/facts.ts'
import type { Entry } from '../../../src/activity/journal.ts'
import type { Holder } from '../../../src/sessions/slots/slots.ts'
import { statusOf } from '../../../src/sessions/status/status.ts'
import type { SessionView } from '../../../src/sessions/status/session-view.ts'

const ref = 'forge.test/me/app#14'
const now = new Date('2026-05-01T12:00:00Z')
const minutesAgo = (minutes: number) => new Date(now.getTime() - minutes * 60_000)

const session = (state: string, more: Partial<SessionView> = {}): SessionView => ({
  issue_ref: ref,
  type: 'forked',
  state,
  opencode_session_id: 'ses_1',
  worktree_path: '/w',
  branch: 'fix/issue-14',
  base_branch: 'main',
  pr_url: null,
  created_at: minutesAgo(60).toISOString(),
  updated_at: minutesAgo(5).toISOString(),
  model: null,
  cost: 0.25,
  tokens: null,
  last_error: null,
  status: statusOf({ state, ended: more.ended ?? undefined }),
  ended: null,
  task: null,
  last_event_at: null,
  ...more,
})
const run = {
  slot: 's',
  message_ids: ['m'],
  started_at: minutesAgo(10).toISOString(),
  deadline_at: minutesAgo(-50).toISOString(),
  interruptions: 0,
  server: 'x',
}
const holder = (issueRef: string): Holder => ({
  id: 's',
  issueRef,
  session: 'n',
  owner: undefined,
  takenAt: minutesAgo(1).toISOString(),
  phase: 'run',
})
const noted = (minutes: number, decision: string, reason = ''): Entry => ({
  at: minutesAgo(minutes).toISOString(),
  decision,
  issue_ref: ref,
  reason,
})
const task = (id: string, issue = ref): Item => newItem(id, { issue_ref: issue, message: 'x' }, minutesAgo(20))

const facts = (more: Partial<Facts> = {}): Facts => ({
  ref,
  session: undefined,
  run: undefined,
  whatDied: undefined,
  item: undefined,
  queue: [],
  holders: [],
  atRemote: undefined,
  outputHeldBy: [],
  trouble: [],
  shortage: undefined,
  limit: 3,
  dispatching: true,
  decisions: [],
  now,
  ...more,
})
const told = (more: Partial<Facts>) => {
  const explanation = explain(facts(more))
  return { ...explanation, text: explanation?.sentences.join(' ') ?? '' }
}
/** The item after a change that is possible. */
const sure = (item: Item | undefined): Item => {
  if (item === undefined) throw new Error('not possible')
  return item
}

describe('an issue with an agent', () => {
  it('is at work, with what it was refused and what waits behind it', () => {
    const decisions = [
      noted(70, 'permission', 'of the run before'),
      noted(10, 'started'),
      noted(3, 'permission', 'rejected bash rm'),
    ]
    const { state, text, next } = told({ session: session('running'), run, decisions, queue: [task('q_1')] })
    expect(state).toBe('working')
    expect(text).toMatch(
      /^An agent has been at work on it for 10 min\. It is stopped at 2026-\S+ \S+ \(TASK_TIMEOUT_HOURS\)\./,
    )
    expect(text).toContain('It asked for a permission (PERMISSION_POLICY): rejected bash rm.')
    expect(text).toContain('1 task of the issue waits in the queue')
    expect(next?.[0]).toBe(`kugetsu logs -f ${ref}`)
  })

  it('tells what the daemon noted of it since it began', () => {
    const decisions = [
      noted(70, 'repeats', 'of the run before'),
      noted(8, 'repeats', '10 times in a row the same call of bash, which succeeds: {"command":"gh pr checks"}'),
      noted(3, 'prompted_again', 'cut off at its output limit'),
    ]
    const { state, text } = told({ session: session('running'), run, decisions })
    expect(state).toBe('working')
    expect(text).toMatch(/kugetsu sent it a message again at [^.]+: cut off at its output limit\./)
    expect(text).toMatch(
      /it had made 10 times in a row the same call of bash, which succeeds: \{"command":"gh pr checks"\}\./,
    )
    expect(text).not.toContain('of the run before')
  })

  it('names what keeps its command waiting, and what was ended for that', () => {
    const held = told({ session: session('running'), run, outputHeldBy: ['sleep 900 (pid 7)'] })
    expect(held.text).toContain('sleep 900 (pid 7) holds the output of a command, which waits for that; it is ended')
    const reason = 'sleep 900 (pid 7) held the output of a command that had timed out: ended'
    const { text } = told({ session: session('running'), run, decisions: [noted(3, 'unblocked', reason)] })
    expect(text).toMatch(/At [^.]+ sleep 900 \(pid 7\) held the output of a command that had timed out: ended\./)
  })

  it('was interrupted and resumed, or is about to be', () => {
    expect(told({ session: session('running'), run: { ...run, interruptions: 2 } }).text).toContain(
      'has died under it twice',
    )
    const interrupted = told({ session: session('interrupted'), run })
    expect(interrupted.state).toBe('interrupted')
    expect(interrupted.text).toContain('begun 10 min ago, was at work when the opencode server died')
    expect(interrupted.next).toEqual([`kugetsu wait ${ref}`])
    expect(told({ session: session('interrupted') }).next).toEqual([`kugetsu continue ${ref} "…"`])
  })

  it('is starting, and says which remote does not answer', () => {
    const owner = { pid: 1, start_time: '', boot_id: '', pid_namespace: '' }
    const atRemote = {
      session: 'x',
      issue_ref: ref,
      owner,
      remote: 'git://slow.test/me/app',
      since: minutesAgo(2).toISOString(),
    }
    const { state, text, next } = told({ session: session('starting'), atRemote })
    expect(state).toBe('starting')
    expect(text).toContain('waits for git://slow.test/me/app, which was asked 2 min ago')
    expect(next?.[0]).toBe(`kugetsu stop ${ref}`)
  })

  it('is starting, or waits for a permission', () => {
    expect(told({ session: session('starting'), holders: [holder(ref)] })).toMatchObject({
      state: 'starting',
      text: 'Its agent is being set up for 60 s: worktree, session, first message.',
    })
    expect(told({ session: session('waiting'), run }).state).toBe('waiting')
  })
})

describe('a task in the queue', () => {
  const item = task('q_3')

  it('waits behind others, for a slot, or for somebody to take it', () => {
    const queue = [task('q_1', 'a/b/c#1'), task('q_2', 'a/b/c#2'), item]
    const { state, text, next } = told({ queue, holders: [holder('a/b/c#7')], limit: 1, dispatching: false })
    expect(state).toBe('queued')
    expect(text).toBe(
      'Its task q_3 has been in the queue for 20 min. 2 tasks are ahead of it. The one slot is in use: a/b/c#7.' +
        ' No daemon takes tasks from the queue, so it stays there.',
    )
    expect(next).toEqual(['kugetsu queue-daemon start', 'kugetsu queue show q_3'])
  })

  it('waits for its next attempt, with the reason of the last', () => {
    const tried = sure(failed(sure(begun(item, minutesAgo(1))), { reason: 'host unreachable', hopeless: false }, now))
    const { text } = told({ queue: [tried] })
    expect(text).toContain('It could not be started once: host unreachable. The next attempt is in 5 s.')
  })

  it('waits while its issue is busy, also when that is asked by its id', () => {
    const busy = sure(
      notified(task('q_1'), { at: minutesAgo(9).toISOString(), opencode_session_id: null, pid: null, run: 's' }),
    )
    const around = { session: session('running'), run: { ...run, queue_item: 'q_1' }, queue: [busy, item] }
    expect(told({ ...around, item }).text).toContain('The issue is busy: q_1 is at work on it.')
    expect(told({ ...around, item: busy }).state).toBe('working')
    expect(told({ ...around, item, queue: [item], holders: [holder(ref)] }).text).toContain(
      'not started from the queue',
    )
  })

  it('is being started, and has ended', () => {
    expect(told({ queue: [sure(begun(item, now))] }).state).toBe('starting')
    const end = { error: null, stopped: false, never_began: false, ended_at: minutesAgo(2).toISOString() }
    const result = { branch: 'fix/issue-14', commits: 2, cost: 0.1, pr_url: null, answer: null }
    const done = sure(finished(item, { ...end, state: 'idle' }, result))
    expect(told({ item: done, queue: [done] })).toMatchObject({
      state: 'done',
      text: 'Its task q_3 was done 2 min ago: 2 commits, branch fix/issue-14, $0.10.',
    })
    const bad = sure(finished(sure(begun(item, now)), { ...end, state: 'error', error: 'no key' }, null))
    expect(told({ item: bad, queue: [bad] })).toMatchObject({
      state: 'failed',
      next: ['kugetsu queue retry q_3', 'kugetsu queue show q_3'],
    })
    const stopped = sure(finished(item, { ...end, state: 'idle', stopped: true }, null))
    expect(told({ item: stopped, queue: [stopped] }).text).toContain('was stopped by a person')
  })

  it('was given up after all its attempts, each with its reason', () => {
    let tried = item
    for (const reason of ['one', 'two', 'three']) {
      tried = sure(failed(sure(begun(tried, now)), { reason, hopeless: false }, now))
    }
    const { state, text } = told({ queue: [tried] })
    expect(state).toBe('failed')
    expect(text).toContain('It was tried 3 times: 1. failed (one), 2. failed (two), 3. failed (three).')
  })
})

describe('an issue on which nobody is at work', () => {
  it('is done, stopped, failed or timed out', () => {
    expect(told({ session: session('idle'), decisions: [noted(5, 'finished')] })).toMatchObject({
      state: 'done',
      text: 'Its agent finished its task 5 min ago: branch fix/issue-14, no pull request known, $0.25 so far. No agent is running on it.',
    })
    expect(told({ session: session('idle') })).toMatchObject({
      state: 'idle', // recovered, or of a journal that is gone: nothing says that anything was done
      text: expect.not.stringContaining('done'),
    })
    expect(told({ session: session('idle'), decisions: [noted(5, 'stopped')] }).state).toBe('stopped')
    expect(
      told({ session: session('error', { last_error: 'no key' }), decisions: [noted(5, 'failed')] }),
    ).toMatchObject({
      state: 'failed',
      text: 'Its agent failed 5 min ago: no key.',
    })
    const over = session('timeout', { last_error: 'stopped after 1 h (TASK_TIMEOUT_HOURS)' })
    expect(told({ session: over, decisions: [noted(5, 'timed_out')] })).toMatchObject({
      state: 'timed_out',
      text: 'Its agent was stopped after 1 h (TASK_TIMEOUT_HOURS), 5 min ago. Its work is still in the worktree.',
    })
  })

  it('was refused or failed to start since, and was not destroyed', () => {
    const decisions = [noted(30, 'finished'), noted(4, 'refused', 'no free slot: 3 of 3 agents are at work')]
    const refused = told({ session: session('idle'), decisions })
    expect(refused.state).toBe('refused')
    expect(refused.text).toMatch(
      /refused 4 min ago, .*3 of 3 agents are at work\. Now 3 of 3 slots are free\. Its agent finished its task/,
    )
    expect(refused.next).toEqual([`kugetsu continue ${ref} "…"`])
    const kept = [noted(30, 'finished'), noted(4, 'not_destroyed', '2 commits are not pushed')]
    const { state, text, next } = told({ session: session('idle'), decisions: kept })
    expect(state).toBe('done')
    expect(text).toContain('It was not destroyed 4 min ago, because 2 commits are not pushed.')
    expect(next).toContain(`kugetsu destroy ${ref} --force`)
    const recovered = [...kept, noted(3, 'destroyed', 'saved as refs/x'), noted(2, 'recovered')]
    expect(told({ session: session('idle'), decisions: recovered }).text).not.toContain('not destroyed')
  })

  it('has no session: it was refused, undone, removed or destroyed, or nothing is known of it', () => {
    const full = { holders: [holder('a/b/c#1')], limit: 1 }
    expect(told({ ...full, decisions: [noted(4, 'refused', 'no free slot')] }).next).toEqual([
      `kugetsu start ${ref} "…" --queue`,
      'kugetsu wait a/b/c#1',
    ])
    expect(told({ decisions: [noted(4, 'undone', 'repository not found')] }).text).toContain(
      'removed what it had made: repository not found.',
    )
    expect(told({ decisions: [noted(9, 'queued'), noted(4, 'removed', 'queue item q_1')] }).state).toBe('removed')
    expect(told({ decisions: [noted(9, 'finished'), noted(4, 'destroyed', 'nothing was lost')] }).state).toBe(
      'destroyed',
    )
    expect(told({ decisions: [noted(4, 'destroyed', 'saved as refs/x')] }).next?.[0]).toBe(`kugetsu recover ${ref}`)
    expect(explain(facts())).toBeUndefined()
  })
})
