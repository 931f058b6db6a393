import type { Item, Task } from './item.ts'

/**
 * Where the tasks are kept. All of it can be called by many processes at once: a change is made on what is there at
 * that moment, and nobody else's change comes in between.
 */
export interface Queue {
  /** Takes a task in; it is safe when this returns, and sorts after all that were taken in before. */
  add: (task: Task) => Promise<Item>
  /** All items in the order of their ids; `unread` are the ids of those that could not be read just now. */
  all: () => Promise<{ items: Item[]; unread: string[] }>
  /** What `show` makes of each item that can be read, in the order of their ids; the items themselves are not kept. */
  each: <T>(show: (item: Item) => T) => Promise<T[]>
  /** All ids in order. */
  ids: () => Promise<string[]>
  get: (id: string) => Promise<Item | undefined>
  /**
   * `change` gets the item as it is and returns it as it shall be, or undefined to leave it. Returns what is there in
   * the end, undefined when there is no such item. Do nothing slow in `change`.
   */
  change: (id: string, change: (item: Item) => Item | undefined) => Promise<Item | undefined>
  /** Removes those of the items that may go as they are then; returns their ids. */
  remove: (ids: string[], mayGo: (item: Item) => boolean) => Promise<string[]>
}
