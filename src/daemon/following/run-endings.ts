/** Why a run ends that has no end of its own: what the daemon sees of it besides its messages. Pure but for a look at its worktree. */
import * as fs from 'node:fs'
import type { Run, SessionRecord } from '../../sessions/file/session-file.ts'
import type { Ending } from '../../sessions/runs/ending.ts'
import type { Look } from '../../sessions/runs/settle.ts'
import { allottedMs } from './deadlines.ts'

/**
 * opencode tries again by itself, with growing pauses: 1.18 gives up after six requests in about 70 s, which comes as
 * an error like any other; older versions go on for ever, so there the same number is the end.
 */
const mostRetries = 6
/** An error without an answer is the end of a run only when it stays so: the next prompt may be about to begin. */
const errorSettlesMs = 500

export function timedOut(run: Run): Ending {
  const hours = Math.round(allottedMs(run) / 3_600) / 1000
  return { state: 'timeout', error: `stopped after ${hours} h (TASK_TIMEOUT_HOURS)` }
}

/** A run that opencode gave up with an event only: an error, and nothing works on the prompt. */
export function failedStart(kind: string, error: string | undefined, unansweredFor: number): Ending | undefined {
  if (kind !== 'unanswered' || error === undefined || unansweredFor < errorSettlesMs) return undefined
  return { state: 'error', error }
}

/** No word can make it go on. */
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
