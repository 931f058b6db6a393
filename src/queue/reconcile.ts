/**
 * What is to be noted on the items, given the state of the sessions. Pure.
 *
 * The daemon can die at any moment, so only the files count, not its memory. The attempt is on the item before anything
 * is done. The run names its item in the write that creates the run, before the agent is told. The end of the run is on
 * file before the run is gone from its session. So an item with a begun attempt, but without a run or the end of one,
 * was never started. An item that a run names was started, whatever its own file says.
 */
import type { Item } from './item.ts'
import { isBegun, isFinished, type RunEnd } from './transitions.ts'

export interface Facts<Run, End extends RunEnd> {
  /** The run that names the item. */
  run: (id: string) => Run | undefined
  /** How a run that named the item ended, if the item does not say so yet. */
  end: (id: string) => End | undefined
  /** The asking daemon is starting the item right now, so nothing is to be concluded. */
  isStarting: (id: string) => boolean
  /** The session that may have its run could not be read, so there may be a run although none was found. */
  isUnclear: (item: Item) => boolean
}

export type Action<Run, End extends RunEnd> =
  | { do: 'note the agent'; item: Item; run: Run }
  | { do: 'note the end'; item: Item; end: End }
  /** An attempt was begun, but no agent was started. */
  | { do: 'give back'; item: Item; reason: string }
  /** An agent had it, but nothing is known of its run any more. */
  | { do: 'give up'; item: Item; reason: string }

/** At most one action for each item. */
export function reconcile<Run, End extends RunEnd>(items: readonly Item[], facts: Facts<Run, End>): Action<Run, End>[] {
  return items.flatMap((item) => actionFor(item, facts) ?? [])
}

function actionFor<Run, End extends RunEnd>(item: Item, facts: Facts<Run, End>): Action<Run, End> | undefined {
  if (isFinished(item) || facts.isStarting(item.id)) return undefined
  const run = facts.run(item.id)
  if (run !== undefined) return item.state === 'pending' ? { do: 'note the agent', item, run } : undefined
  if (!isBegun(item) || facts.isUnclear(item)) return undefined
  const end = facts.end(item.id)
  if (end !== undefined) {
    return end.never_began
      ? { do: 'give back', item, reason: end.error ?? 'its agent was never told' }
      : { do: 'note the end', item, end }
  }
  return item.state === 'pending'
    ? { do: 'give back', item, reason: 'the daemon was killed while it started the agent' }
    : { do: 'give up', item, reason: 'the session of its agent is gone, so what became of it is not known' }
}
