import type { Item, ItemState, Task } from './item.ts'
import type { Counts } from './find.ts'

/** Selects the items that fit everything given. */
export interface Filter {
  states?: readonly ItemState[] | undefined
  /** By ownerKey(). */
  owners?: ReadonlySet<string> | undefined
  /** Only taken ones: an attempt to start an agent with them was begun and has not ended. */
  begun?: true | undefined
}

/** The limits on taking from the queue. */
export interface Limits {
  /** How many tasks of issues. */
  free: number
  /** How many more of the next ones to name. */
  ahead?: number | undefined
  /** The issues, by issueKey(), that can have no agent now, besides those with a begun task. */
  busyIssues: ReadonlySet<string>
  /** The providers of models that take no work now; '' are the tasks that name no model. */
  heldProviders?: ReadonlySet<string> | undefined
  /** The repositories that have all the agents they may have, as `host/owner/repo` in lower case. */
  fullRepositories?: ReadonlySet<string> | undefined
  /** Whether the PM agent is free: it takes one task at a time. */
  pm: boolean
}

/** A task that the caller has from now on. */
export interface Grant {
  item: Item
  /** Shows that the caller still has it: the number of the attempt that was begun. */
  fence: number
}

export interface Taken {
  /** In the order in which to start them; a task of the PM agent comes last. */
  taken: Grant[]
  /** The tasks of issues that would be taken next, in order. */
  next: Item[]
  /** How soon a task that waits for its next try may be taken, in milliseconds; undefined when none does. */
  dueInMs: number | undefined
}

/** A task that cannot be understood or read. */
export interface Damaged {
  id: string
  /** Its path. */
  file: string
}

/**
 * The store of the tasks. Many processes may call it at once: a change is made on the current state, and no other change
 * comes in between.
 */
export interface Queue {
  /**
   * Adds a task; it is durable when this returns, and its rank is after all that were added before. With an `id` of the
   * caller's own (`q_…`) the task is added once: when there is an item of that id and `source`, that item is returned.
   * Throws KugetsuError `usage` when that item is from another source, or the id is none.
   */
  add: (task: Task, own?: { id?: string; source?: string }) => Promise<Item>
  get: (id: string) => Promise<Item | undefined>
  /** All ids in order. */
  ids: () => Promise<string[]>
  /** The items in the order of their ids; `unread` are the ids of those that could not be read just now. */
  list: (filter?: Filter) => Promise<{ items: Item[]; unread: string[] }>
  /** The results of `show` for each readable item, in the order of their ids; the items themselves are not kept. */
  each: <T>(show: (item: Item) => T) => Promise<{ shown: T[]; unread: string[] }>
  /** How many items there are, by state. */
  counts: () => Promise<Counts>
  /** Begins attempts on the tasks that come next, as far as the limits allow. */
  take: (limits: Limits) => Promise<Taken>
  /**
   * `change` gets the current item and returns the new one, or undefined to leave it. Returns the item as stored
   * afterwards; undefined when there is no such item, or when the caller with that `fence` no longer has it. Do nothing
   * slow in `change`.
   */
  change: (id: string, change: (item: Item) => Item | undefined, fence?: number) => Promise<Item | undefined>
  /** Changes an item that the caller has to how it ended, as change(). */
  settle: (id: string, fence: number, end: (item: Item) => Item | undefined) => Promise<Item | undefined>
  /** Removes the items for which `mayGo` allows it at that moment; returns their ids. */
  remove: (ids: string[], mayGo: (item: Item) => boolean) => Promise<string[]>
  /**
   * From now on take(), counts() and list() with a filter take no longer when more is in the queue. `changed` is called
   * soon after another process has made a change that was not noticed before. Returns the function that ends it.
   */
  watch: (changed: () => void) => Promise<() => void>
  /**
   * Reads all items, or as many of the `newest` ids, and changes nothing: unreadable ones stay and are not reported.
   */
  inspect: (options?: { newest?: number }) => Promise<{ items: Item[]; damaged: Damaged[] }>
}
