/** Reports interrupted agents, for commands that only look and start no daemon. */
import { tellInterrupted } from '../sessions/runs/announce.ts'
import type { AtWork } from '../sessions/runs/at-work.ts'
import { interruptedSessions } from '../sessions/runs/interrupted.ts'
import type { Context } from './terminal/context.ts'

/** Reports and returns the interrupted ones among these. Returns none when a daemon runs, which resumes them. */
export async function tellOfInterrupted(context: Context, sessions?: readonly AtWork[]): Promise<AtWork[]> {
  const interrupted = interruptedSessions(context, sessions)
  if (interrupted.length === 0 || (await context.daemon.isRunning())) return []
  tellInterrupted(context, interrupted)
  return interrupted
}
