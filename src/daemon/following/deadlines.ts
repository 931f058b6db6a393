import { sentAt } from '../../driver/message-id.ts'
import { uptime } from '../../platform/processes.ts'
import type { Run } from '../../sessions/file/session-file.ts'

/** More than TASK_TIMEOUT_HOURS can be. A longer time comes from a foreign message id, which contains no time. */
const longestMs = 501 * 3_600_000

/**
 * How long runs may still take. A clock that jumps must not end agents, nor let them go on for ever. So a run's deadline is
 * also on file in terms of the machine's uptime. After a boot the uptime is no help, and only the wall clock is left. The
 * daemon reads the clock once for each deadline, and allows at most what was allotted from the last prompt on. From then on
 * it counts by a clock that never goes back, and that stands still while the machine sleeps.
 */
export function createDeadlines(
  now: () => Date,
  elapsedMs: () => number = () => performance.now(),
  up: () => ReturnType<typeof uptime> = uptime,
) {
  const until = new Map<string, { deadline: string; at: number }>()
  return {
    /** In milliseconds; 0 when the run's time is over. */
    restMs(run: Run): number {
      let known = until.get(run.slot)
      if (known?.deadline !== run.deadline_at) {
        const left = leftOf(run, up()) ?? Date.parse(run.deadline_at) - now().getTime()
        const rest = Math.min(left, allottedMs(run))
        known = { deadline: run.deadline_at, at: elapsedMs() + rest }
        until.set(run.slot, known)
      }
      return Math.max(0, known.at - elapsedMs())
    },
    forget: (slot: string): void => void until.delete(slot),
  }
}

function leftOf({ deadline_uptime: deadline }: Run, up: ReturnType<typeof uptime>): number | undefined {
  return deadline !== undefined && deadline.boot_id === up?.boot_id ? deadline.ms - up.ms : undefined
}

/** How long the run was to take at most, in milliseconds: each prompt sets the deadline anew. */
export function allottedMs(run: Run): number {
  if (run.allotted_ms !== undefined) return run.allotted_ms
  const deadline = new Date(run.deadline_at)
  const allotted = deadline.getTime() - sentAt(run.message_ids.at(-1) ?? '', deadline).getTime()
  return allotted > 0 && allotted <= longestMs ? allotted : deadline.getTime() - Date.parse(run.started_at)
}
