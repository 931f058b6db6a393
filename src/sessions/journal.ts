import type { Home } from '../config/home.ts'
import { appendText, rotate } from '../platform/files.ts'

export type Decision =
  | 'started'
  | 'continued'
  | 'steered'
  | 'refused'
  | 'queued'
  | 'retried'
  | 'gave_up'
  | 'undone'
  | 'finished'
  | 'failed'
  | 'timed_out'
  | 'stopped'
  | 'resumed'
  | 'permission'
  | 'destroyed'
  | 'not_destroyed'

/** Notes a decision and its reason in journal.jsonl, one line each. Never in the way: a full disk loses the line, not the work. */
export function note(
  home: Home,
  decision: Decision,
  about: { issue_ref?: string | null | undefined; reason: string },
): void {
  const line = JSON.stringify({ at: home.now().toISOString(), decision, ...about }) + '\n'
  try {
    rotate(home.paths.journal)
    appendText(home.paths.journal, line)
  } catch {
    // see above
  }
}
