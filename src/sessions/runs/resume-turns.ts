/** Which runs are resumed alone, so that an agent that takes the server with it ends by itself and nobody else. Pure. */
import type { Run } from '../file/session-file.ts'

/** A run under which the server has died this often is at work only while no other such run is. */
const deathsToBeAlone = 2

/** What is read of a run. */
type Counted = Pick<Run, 'slot' | 'server' | 'interruptions' | 'excused' | 'started_at'>

/** How often the server has died under a run that `isLost`, or is in the living one, but for deaths that others caused. */
export function deathsOf(run: Pick<Counted, 'server' | 'interruptions' | 'excused'>, isLost: boolean): number {
  const isExcused = run.excused !== undefined && run.excused === run.server
  return run.interruptions + (isLost && !isExcused ? 1 : 0)
}

/**
 * The slots of those of all `runs` that wait: the server has died twice under them, and another such run is at work in the
 * living server, whose marker is `server`, or goes first. First goes the one under which it has died most often: only
 * that one was alone with it.
 */
export function waitingForTheirTurn(runs: readonly Counted[], server: string | undefined): Set<string> {
  const counted = runs.map((run) => ({
    run,
    isLost: run.server !== server,
    deaths: deathsOf(run, run.server !== server),
  }))
  const suspects = counted
    .filter(({ deaths }) => deaths >= deathsToBeAlone)
    .sort(
      (a, b) => b.deaths - a.deaths || compare(a.run.started_at, b.run.started_at) || compare(a.run.slot, b.run.slot),
    )
  const first = suspects.find(({ isLost }) => !isLost) ?? suspects[0]
  return new Set(suspects.flatMap((each) => (each.isLost && each !== first ? [each.run.slot] : [])))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
