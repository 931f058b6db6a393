/** Which runs are resumed alone, so that an agent that kills the server ends no other agent with it. Pure. */
import type { Run } from '../file/session-file.ts'

/** A run during which the server has died this often works only while no other such run does. */
const deathsToBeAlone = 2

/** The fields of a run that are read here. */
type Counted = Pick<Run, 'slot' | 'server' | 'interruptions' | 'excused' | 'started_at'>

/** How often the server has died during a run, without deaths that others caused. `isLost`: its last server is dead. */
export function deathsOf(run: Pick<Counted, 'server' | 'interruptions' | 'excused'>, isLost: boolean): number {
  const isExcused = run.excused !== undefined && run.excused === run.server
  return run.interruptions + (isLost && !isExcused ? 1 : 0)
}

/**
 * The slots of the `runs` that have to wait: the server has died twice during them, and another such run is at work in
 * the living server (its marker is `server`) or goes first. The run with the most deaths goes first: only that run was
 * alone with the server.
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
