import type { Item } from './item.ts'
import { inOrder, issueKey } from './pick.ts'
import { openAttempt, waitsMs } from './transitions.ts'

/** What keeps a pending item from having an agent, as far as the queue itself can tell. */
export interface Waiting {
  /** It has been taken and its agent is being set up. */
  starting: boolean
  /** How many items of its kind would be started before it. */
  ahead: number
  /** How long until it may be tried again, in milliseconds; 0 is now. */
  pauseMs: number
  /** The running item of the same issue. */
  busy: Item | undefined
}

/** Pure; `items` is the whole queue. */
export function waitingOf(item: Item, items: readonly Item[], now: Date): Waiting {
  const pending = inOrder(items.filter(({ state, kind }) => state === 'pending' && kind === item.kind))
  const key = issueKey(item.issue_ref)
  return {
    starting: openAttempt(item) !== undefined,
    ahead: Math.max(
      0,
      pending.findIndex(({ id }) => id === item.id),
    ),
    pauseMs: waitsMs(item, now),
    busy: key === '' ? undefined : items.find((each) => each.state === 'notified' && issueKey(each.issue_ref) === key),
  }
}
