/**
 * Reasons to end a run that does not end by itself: what the daemon sees besides the run's messages. Pure, except for a look
 * at the run's worktree.
 */
import * as fs from 'node:fs'
import type { Run, SessionRecord, Ending } from '../../sessions/file/session-file.ts'
import type { Look } from '../../sessions/runs/settle.ts'
import { allottedMs } from './deadlines.ts'

/**
 * opencode tries again by itself, with growing pauses. 1.18 gives up after six requests in about 70 s, and reports an error
 * like any other. Older versions go on for ever, so the daemon ends their runs after the same number.
 */
const mostRetries = 6
/** An error without an answer ends a run only when it lasts this long: work on the next prompt may be about to begin. */
const errorSettlesMs = 500
/** So long nothing works on a prompt, without an error: opencode could not even store how the run ended. */
const silentMs = 15_000

export function timedOut(run: Run): Ending {
  const hours = Math.round(allottedMs(run) / 3_600) / 1000
  return { state: 'timeout', error: `stopped after ${hours} h (TASK_TIMEOUT_HOURS)` }
}

/** opencode gave up the run with an error event only, and nothing works on the prompt. */
export function failedStart(kind: string, error: string | undefined, unansweredFor: number): Ending | undefined {
  if (kind !== 'unanswered' || error === undefined || unansweredFor < errorSettlesMs) return undefined
  return { state: 'error', error }
}

/** The failure of opencode itself that an unanswered prompt shows: the one that an event told, or that none told any. */
export function troubleOf(error: { trouble?: string | undefined } | undefined, idleForMs: number): string | undefined {
  if (error !== undefined || idleForMs < silentMs) return error?.trouble
  return 'it ended the run and stored no reason'
}

/** The worktree is gone, so no prompt can make the run go on. */
export function withoutDirectory({ outcome }: Look, { worktree_path: directory }: SessionRecord): Ending | undefined {
  if (outcome.kind !== 'troubled' || !directory || fs.existsSync(directory)) return undefined
  return { state: 'error', error: `opencode failed: ${outcome.how}; ${directory} is gone` }
}

export function inCircles(kind: string, stuck: string | undefined): Ending | undefined {
  return kind === 'working' && stuck !== undefined ? { state: 'error', error: stuck } : undefined
}

export function hopeless(retry: { attempt: number; text: string } | undefined): Ending | undefined {
  if (retry === undefined || retry.attempt < mostRetries) return undefined
  return { state: 'error', error: `gave up after ${retry.attempt} attempts: ${retry.text}` }
}
