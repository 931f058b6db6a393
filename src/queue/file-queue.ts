/**
 * The queue as files, queue/items/<id>.json. An item is written whole or not at all; items are changed by one process
 * at a time, under a lock that the kernel holds, for about a millisecond each.
 */
import { KugetsuError } from '../core/errors.ts'
import { createExclusive, ensureDirectory, removeFile, writeAtomic } from '../platform/files.ts'
import { exclusively } from '../platform/locks.ts'
import { countItems } from './find.ts'
import { itemFiles } from './item-files.ts'
import { isItemId, newItem, type Item, type Task } from './item.ts'
import { ownerKey, pick, pickForPm, type Standing } from './pick.ts'
import { placesOf, type QueueHome } from './places.ts'
import type { Filter, Grant, Limits, Queue, Taken } from './queue.ts'
import { takeNumber } from './sequence.ts'
import { createStandings } from './standings.ts'
import { begun, fenceOf, isBegun } from './transitions.ts'

const lockWaitMs = 30_000
/** How many items are removed under one lock, or read in one go. */
const batch = 200

/** Milliseconds until 2255: ids sort as text, so they must be equally long. */
const ownNumber = /^[1-8]\d{12}$/

/** The queue of a home. Keep the object where the queue is read again and again: it knows which files have changed. */
export function openQueue(home: QueueHome): Queue {
  const places = placesOf(home)
  const files = itemFiles(home)
  const standings = createStandings(home, files)
  let lists = 0
  const locked = <T>(work: () => T) =>
    exclusively(places.queueLock, { timeoutMs: lockWaitMs, signal: home.signal }, work)

  /** In milliseconds; the bash tool's ids are in seconds. */
  function nextNumber(): number {
    return takeNumber(places.numbers, home.now().getTime(), () => newest(files.ids()))
  }

  function create(item: Item): boolean {
    if (!createExclusive(places.item(item.id), textOf(item), places.numbers)) return false
    standings.put(item)
    return true
  }

  function addOnce(id: string, task: Task, source: string | undefined): Item {
    if (!isItemId(id)) throw new KugetsuError(`not an id of a task: ${JSON.stringify(id)}`, { code: 'usage' })
    const item = newItem(id, { ...task, rank: task.rank ?? `${nextNumber()}` }, home.now(), source)
    const there = files.readOne(id) ?? (create(item) ? item : files.readOne(id))
    if (there !== undefined && there.source === source) return there
    throw new KugetsuError(`there is a task ${id} already, from another source`, { code: 'usage' })
  }

  /** For the holder of the lock: writes what `change` makes of the item; its fence must be that of the caller, if given. */
  function changeNow(id: string, change: (item: Item) => Item | undefined, fence?: number): Item | undefined {
    const current = files.readOne(id)
    if (current === undefined) standings.drop(id)
    if (current === undefined || (fence !== undefined && !(isBegun(current) && fenceOf(current) === fence))) {
      return undefined
    }
    const next = change(current)
    if (next !== undefined) writeAtomic(places.item(id), textOf(next))
    standings.put(next ?? current)
    return next ?? current
  }

  const change: Queue['change'] = (id, how, fence) => locked(() => changeNow(id, how, fence))

  /** The standings of all items, in the order in which they would be started. */
  function standingNow(): readonly Standing[] {
    standings.look()
    return standings.all()
  }

  async function list(filter: Filter = {}): Promise<{ items: Item[]; unread: string[] }> {
    lists += 1
    const isAll = filter.states === undefined && filter.owners === undefined && filter.begun === undefined
    // An item asked for once is read once: a look would ask for the facts of each file besides.
    const isKnown = !isAll && (lists > 1 || standings.isWatching())
    const fits = (item: Standing) => isMeant(item, filter)
    const ids = isKnown ? idsOf(standingNow().filter(fits)).toSorted() : files.ids()
    const items: Item[] = []
    const unread = isKnown ? standings.unread() : []
    for (const id of ids) {
      const found = files.read(id, { stat: false })
      if (found === 'unread') unread.push(id)
      else if (found !== undefined && fits(found.item)) items.push(found.item)
    }
    return { items, unread }
  }

  async function take(limits: Limits): Promise<Taken> {
    const taken: Grant[] = []
    let { free, pm } = limits
    for (;;) {
      const all = standingNow()
      const now = home.now()
      const picked = pick(all, { ...limits, free: free + (limits.ahead ?? 0), now })
      const forPm = pm ? pickForPm(all, now) : {}
      const first = picked.items.slice(0, free)
      const wanted = idsOf([...first, ...(forPm.item === undefined ? [] : [forPm.item])])
      const isEnough = await beginAll(wanted, taken)
      if (isEnough) {
        const next = picked.items.slice(first.length).flatMap(({ id }) => wholeOf(id) ?? [])
        const dueInMs = Math.min(picked.dueInMs ?? Infinity, forPm.dueInMs ?? Infinity)
        return { taken, next, dueInMs: dueInMs === Infinity ? undefined : dueInMs }
      }
      // The changes of others are known now, so other items are picked.
      free = limits.free - taken.filter(({ item }) => item.kind === 'dev').length
      pm &&= taken.every(({ item }) => item.kind !== 'pm')
    }
  }

  /**
   * Begins attempts on those of the items that still wait, and adds them to `taken`. Returns false when one of them no
   * longer waits. A taken item is never lost to the caller: this throws only while there is none.
   */
  async function beginAll(ids: readonly string[], taken: Grant[]): Promise<boolean> {
    if (ids.length === 0) return true
    let isEnough = true
    try {
      await locked(() => {
        for (const id of ids) {
          let isOurs = false
          const item = changeNow(id, (current) => {
            const next = begun(current, home.now())
            isOurs = next !== undefined
            return next
          })
          if (isOurs && item !== undefined) taken.push({ item, fence: fenceOf(item) })
          else isEnough = false
        }
      })
    } catch (error) {
      if (taken.length === 0) throw error
      return true
    }
    return isEnough
  }

  async function each<T>(show: (item: Item) => T): Promise<{ shown: T[]; unread: string[] }> {
    const shown: T[] = []
    const unread: string[] = []
    for (const [index, id] of files.ids().entries()) {
      // Any other caller in this process that waits gets a turn.
      if (index % batch === batch - 1) await new Promise(setImmediate)
      const found = files.read(id, { stat: false })
      if (found === 'unread') unread.push(id)
      else if (found !== undefined) shown.push(show(found.item))
    }
    return { shown, unread }
  }

  function wholeOf(id: string): Item | undefined {
    const found = files.read(id, { stat: false })
    return found === 'unread' ? undefined : found?.item
  }

  return {
    each,
    ids: async () => files.ids(),
    get: async (id) => files.readOne(id),
    list,
    counts: async () =>
      countItems(standings.isWatching() ? standingNow() : (await each(({ state }) => ({ state }))).shown),
    add: async (task, { id, source } = {}) => {
      ensureDirectory(places.items)
      if (id !== undefined) return addOnce(id, task, source)
      for (;;) {
        const item = newItem(`q_${nextNumber()}`, task, home.now(), source)
        if (create(item)) return item
      }
    },
    take,
    change,
    settle: (id, fence, end) => change(id, end, fence),
    remove: async (wanted, mayGo) => {
      const gone: string[] = []
      for (let from = 0; from < wanted.length; from += batch) {
        await locked(() => {
          for (const id of wanted.slice(from, from + batch)) {
            const item = isItemId(id) ? wholeOf(id) : undefined
            if (item === undefined || !mayGo(item)) continue
            if (removeFile(places.item(id))) gone.push(id)
            standings.drop(id)
          }
        })
      }
      return gone
    },
    watch: async (changed) => standings.watch(changed),
    inspect: async ({ newest: most } = {}) => files.inspect(most),
  }
}

function idsOf(items: readonly Pick<Item, 'id'>[]): string[] {
  return items.map(({ id }) => id)
}

function isMeant(item: Standing, { states, owners, begun: isBegunOnly }: Filter): boolean {
  return (
    (states === undefined || states.includes(item.state)) &&
    (owners === undefined || owners.has(ownerKey(item))) &&
    (isBegunOnly === undefined || isBegun(item))
  )
}

function textOf(item: Item): string {
  return JSON.stringify(item, null, 2) + '\n'
}

/** The highest number in ids of our own form, 0 without any. */
function newest(ids: string[]): number {
  const numbers = ids
    .filter((id) => id.startsWith('q_') && ownNumber.test(id.slice(2)))
    .map((id) => Number(id.slice(2)))
  return numbers.reduce((most, number) => Math.max(most, number), 0)
}
