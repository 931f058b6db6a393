import { sentAt } from '../opencode/message-id.ts'
import type { Run } from '../sessions/record.ts'

/** More than TASK_TIMEOUT_HOURS can be: an id that is not ours tells no time. */
const longestMs = 501 * 3_600_000

/**
 * How long runs may still take. A run's deadline is a time of the wall clock, because whoever looks after it later has
 * no other; but a clock that jumps must not end agents, nor let them go on for ever. So the daemon reads that clock
 * once for each deadline, believes it as far as what was allotted from the last prompt on, and from then on counts by
 * a clock that only goes forth, and stands still while the machine sleeps.
 */
export function createDeadlines(now: () => Date, elapsedMs: () => number = () => performance.now()) {
  const until = new Map<string, { deadline: string; at: number }>()
  return {
    /** In milliseconds; 0 when its time is over. */
    restMs(run: Run): number {
      let known = until.get(run.slot)
      if (known?.deadline !== run.deadline_at) {
        const rest = Math.min(Date.parse(run.deadline_at) - now().getTime(), allottedMs(run))
        known = { deadline: run.deadline_at, at: elapsedMs() + rest }
        until.set(run.slot, known)
      }
      return Math.max(0, known.at - elapsedMs())
    },
    forget: (slot: string): void => void until.delete(slot),
  }
}

/** How long the run was to take at most, in milliseconds: each prompt sets the deadline anew. */
export function allottedMs(run: Run): number {
  const deadline = new Date(run.deadline_at)
  const allotted = deadline.getTime() - sentAt(run.message_ids.at(-1) ?? '', deadline).getTime()
  return allotted > 0 && allotted <= longestMs ? allotted : deadline.getTime() - Date.parse(run.started_at)
}
