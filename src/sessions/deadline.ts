import type { Home } from '../config/home.ts'

/** When a run that begins or is added to now will be stopped, by TASK_TIMEOUT_HOURS. */
export function deadline(home: Home): string {
  return new Date(home.now().getTime() + home.settings().taskTimeoutHours * 3_600_000).toISOString()
}
