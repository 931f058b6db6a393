import type { Home } from '../../config/home.ts'
import { uptime } from '../../platform/processes.ts'
import type { Run } from '../file/session-file.ts'

/** When a run of the issue that begins or is added to now will be stopped, by TASK_TIMEOUT_HOURS. */
export function deadline(
  home: Home,
  issueRef: string | null | undefined,
): Pick<Run, 'deadline_at' | 'allotted_ms' | 'deadline_uptime'> {
  const allotted = home.settings(issueRef).taskTimeoutHours * 3_600_000
  const up = uptime()
  return {
    deadline_at: new Date(home.now().getTime() + allotted).toISOString(),
    allotted_ms: allotted,
    ...(up === undefined ? {} : { deadline_uptime: { ...up, ms: up.ms + allotted } }),
  }
}
