/** The status of an issue in one word. Every command that shows it takes it from here. Pure. */

/** In the order in which a person wants to see them: in need of a person, running, waiting, ended. */
export const statuses = [
  'failed',
  'incomplete',
  'waiting',
  'interrupted',
  'running',
  'starting',
  'queued',
  'done',
  'stopped',
] as const
export type Status = (typeof statuses)[number]

export interface StatusFacts {
  /** The state of its session as `list --json` shows it; undefined without a session. */
  state: string | undefined
  /** How its last run ended, in the journal's words: finished, failed, timed_out, stopped; undefined when not known. */
  ended?: string | undefined
  /** Its next task: in the queue, or being started by the daemon. */
  task?: 'queued' | 'starting' | undefined
}

/**
 * The status of an issue. A waiting task counts for an issue with an agent at rest. An agent without a known end has
 * only stopped: unknown is not done. `incomplete` is not given yet: nothing looks for missing work.
 */
export function statusOf({ state, ended, task }: StatusFacts): Status {
  switch (state) {
    case 'running':
    case 'waiting':
    case 'starting':
    case 'interrupted':
      return task === 'starting' && state === 'interrupted' ? 'starting' : state
  }
  if (task !== undefined) return task
  if (state === 'error' || state === 'timeout') return 'failed'
  return ended === 'finished' ? 'done' : 'stopped'
}

/** The group of a status in the order of `statuses`: 0 needs a person, 1 runs, 2 waits, 3 has ended. */
export function groupOf(status: Status): 0 | 1 | 2 | 3 {
  switch (status) {
    case 'failed':
    case 'incomplete':
    case 'waiting':
    case 'interrupted':
      return 0
    case 'running':
    case 'starting':
      return 1
    case 'queued':
      return 2
    default:
      return 3
  }
}
