import type { Home } from '../../config/home.ts'
import { KugetsuError, messageOf } from '../../core/errors.ts'
import type { Item } from '../../queue/item.ts'
import type { StartRequest } from '../../sessions/starting/request.ts'

/** How many tasks to prepare ahead at most: each has files on disk and some 50 MB of the opencode server. */
export const preparedAhead = 4

/** Prepares a start, and discards one: prepareStart and discardPrepared, except in tests. */
export interface Preparing<T> {
  prepare: (home: Home, request: StartRequest) => Promise<T | undefined>
  discard: (home: Home, prepared: T) => Promise<void>
}

export interface Preparer {
  /** The tasks to start next, in order. They are prepared, and anything prepared for another task is discarded. */
  next: (items: readonly Item[]) => void
  /**
   * A task is being started: its preparation now belongs to the start. Nothing more is prepared until next() is called,
   * because the start needs the same processor.
   */
  begins: (item: Item) => void
  /** Discards everything prepared. */
  close: () => Promise<void>
}

/**
 * Prepares the tasks that wait for a slot, one at a time and each once. This only saves time: a failure is left to the
 * start, which meets it again and reports it.
 */
export function createPreparer<T>(
  home: Home,
  preparing: Preparing<T>,
  requestOf: (item: Item) => StartRequest,
): Preparer {
  const done = new Map<string, T | undefined>()
  const abort = new AbortController()
  let wanted: readonly Item[] = []
  let held = false
  let at: { id: string; theirs: boolean; unwanted: AbortController } | undefined
  let working: Promise<void> | undefined

  async function work(): Promise<void> {
    for (;;) {
      const [unwanted] = [...done.keys()].filter((id) => !wanted.some((item) => item.id === id))
      const item = wanted.find(({ id }) => !done.has(id))
      if (unwanted !== undefined) await takeBack(unwanted)
      else if (item !== undefined && !held && !abort.signal.aborted) await prepare(item)
      else return
    }
  }

  async function prepare(item: Item): Promise<void> {
    const mine = { id: item.id, theirs: false, unwanted: new AbortController() }
    at = mine
    const signal = AbortSignal.any([home.signal, abort.signal, mine.unwanted.signal])
    const prepared = await preparing.prepare({ ...home, signal }, requestOf(item)).catch(() => undefined)
    at = undefined
    if (!mine.theirs) done.set(item.id, prepared)
  }

  async function takeBack(id: string): Promise<void> {
    const prepared = done.get(id)
    done.delete(id)
    if (prepared === undefined) return
    await preparing.discard(home, prepared).catch((error: unknown) => {
      home.warn(`what was prepared for ${id} stays: ${messageOf(error)}`)
    })
  }

  function begins(item: Item): void {
    held = true
    done.delete(item.id)
    wanted = wanted.filter(({ id }) => id !== item.id)
    if (at?.id === item.id) at.theirs = true
  }

  function next(items: readonly Item[]): void {
    wanted = abort.signal.aborted ? [] : items
    // Its remote may never answer, and the other tasks would wait for it.
    if (at?.theirs === false && !items.some(({ id }) => id === at?.id)) {
      at.unwanted.abort(new KugetsuError('the task is not next any more', { code: 'interrupted' }))
    }
    held = false
    working ??= work().finally(() => (working = undefined))
  }

  async function close(): Promise<void> {
    abort.abort(new KugetsuError('the daemon stops', { code: 'interrupted' }))
    wanted = []
    await working
    await work()
  }

  return { next, begins, close }
}
