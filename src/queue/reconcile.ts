/**
 * What is to be noted on the items, given what the sessions say. Pure.
 *
 * The daemon can die at any moment, so what counts is not what it remembers but what is on file: the attempt is on the
 * item before anything is done; the run names its item in the very write that makes it a run, before the agent is
 * told; and how the run ended is on file before the run is gone from its session. So an item with a begun attempt,
 * no run and no end of one was never started, and one that is named by a run was, whatever its own file says.
 */
import type { Item } from './item.ts'
import { isFinished, openAttempt, type RunEnd } from './transitions.ts'

export interface Facts<Run, End extends RunEnd> {
  /** The run that names the item. */
  run: (id: string) => Run | undefined
  /** How a run that named it ended, when that was not noted on it yet. */
  end: (id: string) => End | undefined
  /** The daemon that asks is at starting it right now, so nothing is to be concluded. */
  isStarting: (id: string) => boolean
  /** The session that may have its run could not be read, so a missing run does not mean that there is none. */
  isUnclear: (item: Item) => boolean
}

export type Action<Run, End extends RunEnd> =
  | { do: 'note the agent'; item: Item; run: Run }
  | { do: 'note the end'; item: Item; end: End }
  /** It was begun and never started. */
  | { do: 'give back'; item: Item; reason: string }
  /** An agent had it, and nothing is known of that any more. */
  | { do: 'give up'; item: Item; reason: string }

/** At most one action for each item. */
export function reconcile<Run, End extends RunEnd>(items: readonly Item[], facts: Facts<Run, End>): Action<Run, End>[] {
  return items.flatMap((item) => actionFor(item, facts) ?? [])
}

function actionFor<Run, End extends RunEnd>(item: Item, facts: Facts<Run, End>): Action<Run, End> | undefined {
  if (isFinished(item) || facts.isStarting(item.id)) return undefined
  const run = facts.run(item.id)
  if (run !== undefined) return item.state === 'pending' ? { do: 'note the agent', item, run } : undefined
  const isBegun = item.state === 'notified' || openAttempt(item) !== undefined
  if (!isBegun || facts.isUnclear(item)) return undefined
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
