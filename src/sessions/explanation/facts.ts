/** The facts for an explanation, and its form. */
import type { Item } from '../../queue/item.ts'
import type { Entry } from '../../activity/journal.ts'
import type { Run } from '../file/session-file.ts'
import type { WaitingStart } from '../file/waiting-starts.ts'
import type { Holder } from '../slots/slots.ts'
import type { SessionView } from '../status/session-view.ts'

export interface Facts {
  /** The canonical ref; null for a task of the PM agent. */
  ref: string | null
  session: SessionView | undefined
  run: Run | undefined
  /** What cut that run off, in words. */
  whatDied: string | undefined
  /** The task that was asked about; undefined when the question is about the issue. */
  item: Item | undefined
  /** The whole queue. */
  queue: readonly Item[]
  holders: readonly Holder[]
  /** The start of the issue that waits for a remote. */
  atRemote: WaitingStart | undefined
  /** The processes, in words, that are the only reason why a command of its agent still waits; see held-output.ts. */
  outputHeldBy: readonly string[]
  /** What holds up its agent in opencode, as clauses: a model that fails, MCP servers that are not connected. */
  trouble: readonly string[]
  /**
   * The contents of its worktree, in words, and whether there are none; undefined while an agent works, or without a
   * worktree.
   */
  made?: { words: string; isNothing: boolean } | undefined
  limit: number
  /** The lack of memory for one more agent, as a sentence without its full stop; undefined when there is enough. */
  shortage: string | undefined
  /** Whether a daemon takes tasks from the queue. */
  dispatching: boolean
  /** The journal entries about it, oldest first. */
  decisions: readonly Entry[]
  now: Date
}

export interface Explanation {
  /** One word for scripts. */
  state:
    | 'working'
    | 'waiting'
    | 'starting'
    | 'interrupted'
    | 'queued'
    | 'refused'
    | 'failed'
    | 'timed_out'
    | 'stopped'
    | 'done'
    | 'idle'
    | 'destroyed'
    | 'removed'
  sentences: string[]
  /** Commands to go on with, the most likely first. */
  next: string[]
}

/** The permissions that were asked for since `from`, and whether the last one was granted. */
export function permissions({ decisions }: Facts, from: string | undefined): string[] {
  const asked = decisions.filter(({ decision, at }) => decision === 'permission' && at >= (from ?? ''))
  const last = asked.at(-1)
  return last === undefined
    ? []
    : [
        `It asked for ${asked.length === 1 ? 'a permission' : `${asked.length} permissions`} (PERMISSION_POLICY): ${last.reason.trim()}${asked.length > 1 ? ' was the last' : ''}.`,
      ]
}

/** Sentences that say that no agent can be started for lack of memory. */
export function memory({ shortage }: Facts): string[] {
  return shortage === undefined ? [] : [`${shortage[0]?.toUpperCase()}${shortage.slice(1)} (MIN_FREE_MEMORY_MB).`]
}

/** The beginning of a sentence about all slots. */
export function allSlots(limit: number): string {
  return limit === 1 ? 'The one slot is' : `All ${limit} slots are`
}
