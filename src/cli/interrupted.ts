/** Telling of agents that were interrupted: for commands that only look, and start no daemon to do it. */
import { daemonRuns } from '../daemon/control.ts'
import { tellInterrupted } from '../sessions/runs/announce.ts'
import type { AtWork } from '../sessions/runs/at-work.ts'
import { interruptedSessions } from '../sessions/runs/interrupted.ts'
import type { Context } from './terminal/context.ts'

/** Tells of those of these that were interrupted, unless a daemon is at it. Returns them. */
export async function tellOfInterrupted(context: Context, sessions?: readonly AtWork[]): Promise<AtWork[]> {
  const interrupted = interruptedSessions(context, sessions)
  if (interrupted.length === 0 || (await daemonRuns(context))) return []
  await tellInterrupted(context, interrupted)
  return interrupted
}
