import type { Item, Task } from './item.ts'

/**
 * The store of the tasks. Many processes may call it at once: a change is made on the current state, and no other change
 * comes in between.
 */
export interface Queue {
  /** Adds a task; it is durable when this returns, and sorts after all that were added before. */
  add: (task: Task) => Promise<Item>
  /** All items in the order of their ids; `unread` are the ids of those that could not be read just now. */
  all: () => Promise<{ items: Item[]; unread: string[] }>
  /** The results of `show` for each readable item, in the order of their ids; the items themselves are not kept. */
  each: <T>(show: (item: Item) => T) => Promise<T[]>
  /** All ids in order. */
  ids: () => Promise<string[]>
  get: (id: string) => Promise<Item | undefined>
  /**
   * `change` gets the current item and returns the new one, or undefined to leave it. Returns the item that is stored
   * afterwards, undefined when there is no such item. Do nothing slow in `change`.
   */
  change: (id: string, change: (item: Item) => Item | undefined) => Promise<Item | undefined>
  /** Removes the items for which `mayGo` allows it at that moment; returns their ids. */
  remove: (ids: string[], mayGo: (item: Item) => boolean) => Promise<string[]>
}
