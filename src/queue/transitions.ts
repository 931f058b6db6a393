/**
 * What may become of an item. Pure.
 *
 *   pending ──▶ notified ──▶ completed            An attempt begins on a pending item, before any work is done for it,
 *      ▲ │          │                             and ends with the agent's run. While the last attempt of a pending
 *      │ └──────────┴──────▶ error                item goes on, the item is being started.
 *      └──────── retry ────────┘
 */
import type { Attempt, Item, Result } from './item.ts'

const mostFailures = 3
/** How long to wait after the first and the second failed start. */
const failurePausesMs = [5_000, 30_000]
/** An interruption is not the task's fault; but if each attempt is cut short, the task itself may be the cause. */
const mostInterruptions = 3
const interruptionPausesMs = [0, 5_000]
export const longestPauseMs = 5 * 60_000

/** How the run of an item's agent ended. */
export interface RunEnd {
  state: string
  error: string | null
  stopped: boolean
  /** The agent was never told: the process that was to tell it died before. */
  never_began: boolean
  ended_at: string
}

/** The attempt that still goes on, if any. */
export function openAttempt(item: Pick<Item, 'attempts'>): Attempt | undefined {
  const last = item.attempts.at(-1)
  return last?.outcome === null ? last : undefined
}

export function isFinished({ state }: Pick<Item, 'state'>): boolean {
  return state === 'completed' || state === 'error'
}

/** Whether an agent, or a process that starts one, has it. */
export function isBegun(item: Pick<Item, 'state' | 'attempts'>): boolean {
  return item.state === 'notified' || (item.state === 'pending' && openAttempt(item) !== undefined)
}

/** Proof that a process has the item as it is now: each new attempt has another one. */
export function fenceOf(item: Pick<Item, 'attempts'>): number {
  return item.attempts.length
}

/** Begins an attempt; undefined when the item is not pending or is being started already. */
export function begun(item: Item, now: Date): Item | undefined {
  if (item.state !== 'pending' || openAttempt(item)) return undefined
  const attempt = { started_at: now.toISOString(), ended_at: null, outcome: null, reason: null }
  return { ...item, attempts: [...item.attempts, attempt], not_before: null }
}

/** An agent has it. */
export function notified(
  item: Item,
  agent: { at: string; opencode_session_id: string | null; pid: number | null; run: string | null },
): Item | undefined {
  if (item.state !== 'pending') return undefined
  const { at, ...about } = agent
  const attempts = openAttempt(item)
    ? item.attempts
    : [...item.attempts, { started_at: at, ended_at: null, outcome: null, reason: null }]
  return { ...item, ...about, attempts, state: 'notified', notified_at: at, not_before: null }
}

/** Its agent's run is over. */
export function finished(item: Item, end: RunEnd, result: Result | null): Item | undefined {
  if (isFinished(item)) return undefined
  const outcome = end.stopped ? 'stopped' : end.state === 'idle' ? 'completed' : end.state
  const error = outcome === 'completed' ? null : end.stopped ? 'stopped' : (end.error ?? 'it ended without a reason')
  return {
    ...closed(item, { ended_at: end.ended_at, outcome, reason: error }),
    state: outcome === 'completed' ? 'completed' : 'error',
    completed_at: end.ended_at,
    error,
    result,
    pr_url: result?.pr_url ?? item.pr_url,
  }
}

/** The pull request of the task was found after its end. */
export function withPullRequest(item: Item, url: string): Item | undefined {
  if (item.result === null || item.result.pr_url !== null) return undefined
  return { ...item, result: { ...item.result, pr_url: url }, pr_url: url }
}

/** It could not be started, but not by its own fault: the attempt does not count. */
export function released(item: Item, notBefore: Date | null): Item | undefined {
  if (item.state !== 'pending' || !openAttempt(item)) return undefined
  return { ...item, attempts: item.attempts.slice(0, -1), not_before: notBefore?.toISOString() ?? null }
}

/** Its start failed: it is tried again after a pause, unless a new attempt is hopeless or it has failed often enough. */
export function failed(item: Item, failure: { reason: string; hopeless: boolean }, now: Date): Item | undefined {
  if (item.state !== 'pending') return undefined
  const { reason } = failure
  const after = closed(item, { ended_at: now.toISOString(), outcome: 'failed', reason })
  const failures = after.attempts.slice(after.attempts_before).filter(({ outcome }) => outcome === 'failed').length
  if (failure.hopeless || failures >= mostFailures) {
    return { ...after, state: 'error', completed_at: now.toISOString(), error: reason }
  }
  const pauseMs = failurePausesMs[failures - 1] ?? longestPauseMs
  return { ...after, not_before: new Date(now.getTime() + pauseMs).toISOString() }
}

/**
 * The process that was to start it was killed before the agent had it. The task itself has not failed, so it is tried
 * again, unless this has happened three times in a row.
 */
export function interrupted(item: Item, reason: string, now: Date): Item | undefined {
  if (isFinished(item)) return undefined
  const after = closed(item, { ended_at: now.toISOString(), outcome: 'interrupted', reason })
  const sinceRetry = after.attempts.slice(after.attempts_before)
  const times = sinceRetry.length - 1 - sinceRetry.findLastIndex(({ outcome }) => outcome !== 'interrupted')
  if (times >= mostInterruptions) {
    const error = `${reason}; each of the last ${times} tries to start it was cut short`
    return { ...after, state: 'error', completed_at: now.toISOString(), error }
  }
  const pauseMs = interruptionPausesMs[times - 1] ?? 0
  return {
    ...after,
    state: 'pending',
    notified_at: null,
    opencode_session_id: null,
    pid: null,
    run: null,
    not_before: pauseMs === 0 ? null : new Date(now.getTime() + pauseMs).toISOString(),
  }
}

/** A person gives it back to the queue after it ended in an error; its earlier attempts are kept. */
export function retried(item: Item, now: Date): Item | undefined {
  if (item.state !== 'error') return undefined
  return {
    ...item,
    state: 'pending',
    pending_since: now.toISOString(),
    notified_at: null,
    completed_at: null,
    error: null,
    attempts_before: item.attempts.length,
    not_before: null,
    opencode_session_id: null,
    pid: null,
    run: null,
    result: null,
  }
}

/**
 * When it may be tried again, in milliseconds from now; 0 is at once. If the clock was set back, nothing waits too long:
 * a pause counts as over when more is left of it than its full length.
 */
export function waitsMs(item: Pick<Item, 'not_before' | 'attempts'>, now: Date): number {
  if (item.not_before === null) return 0
  const until = Date.parse(item.not_before)
  const pauseMs = until - Date.parse(item.attempts.at(-1)?.ended_at ?? '')
  const rest = until - now.getTime()
  return rest > 0 && rest <= (pauseMs > 0 ? Math.min(pauseMs, longestPauseMs) : longestPauseMs) ? rest : 0
}

/** The item with its open attempt ended, or with a new ended attempt if none is open. */
function closed(item: Item, end: { ended_at: string; outcome: string; reason: string | null }): Item {
  const open = openAttempt(item)
  const attempts = open
    ? [...item.attempts.slice(0, -1), { ...open, ...end }]
    : [...item.attempts, { started_at: item.notified_at, ...end }]
  return { ...item, attempts, not_before: null }
}
