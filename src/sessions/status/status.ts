/** One word for what an issue is doing. Each command that shows it has it from here. Pure. */

/** In the order in which a person wants to see them: what needs a person, what goes on, what waits, what has ended. */
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
 * What an issue is doing. A task that waits counts for an issue whose agent is at rest. An agent whose end is not known has
 * only stopped: unknown is not done. `incomplete` is not given yet: nothing looks for what is missing.
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

/** The place of a status in the order of `statuses`, by groups: 0 needs a person, 1 goes on, 2 waits, 3 has ended. */
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
