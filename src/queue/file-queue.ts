/**
 * The queue as files, queue/items/<id>.json. An item is written whole or not at all; items are changed by one process
 * at a time, under a lock that the kernel holds, for about a millisecond each.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { KugetsuError, messageOf } from '../core/errors.ts'
import {
  createExclusive,
  ensureDirectory,
  isNoText,
  listDirectory,
  readSmall,
  readText,
  removeFile,
  setAside,
  writeAtomic,
} from '../platform/files.ts'
import { exclusively } from '../platform/locks.ts'
import { isItemId, newItem, parseItem, type Item, type Task } from './item.ts'
import { takeNumber } from './sequence.ts'
import type { Queue } from './queue.ts'

const lockWaitMs = 30_000
/** How many items are removed under one lock. */
const batch = 200
/** The longest message, with every character escaped, is a third of it. */
const longestFileBytes = 5_000_000

/** Milliseconds until 2255: ids sort as text, so they must be equally long. */
const ownNumber = /^[1-8]\d{12}$/

/** A file that changed this recently before it was read could change again without a new modification time. */
const tooFreshMs = 1_000

type QueueHome = Pick<Home, 'paths' | 'now' | 'warn' | 'signal'>
/** The content of a file, and the facts that show whether the file is unchanged. */
interface Known {
  inode: number
  mtimeMs: number
  size: number
  item: Item
}

/**
 * The queue of a home. From the second all() on it caches the items that it reads, so keep the object where the queue is
 * read again and again.
 */
export function openQueue(home: QueueHome): Queue {
  const { paths } = home
  const known = new Map<string, Known>()
  let looks = 0
  const told = new Set<string>()
  // Not path.join, which takes a tenth of the time of reading the file.
  const fileOf = (id: string) => `${paths.queueItems}${path.sep}${id}.json`
  const locked = <T>(work: () => T) =>
    exclusively(paths.lock('queue'), { timeoutMs: lockWaitMs, signal: home.signal }, work)

  function read(id: string): Item | undefined | 'unread' {
    const file = fileOf(id)
    const before = known.get(id)
    if (before !== undefined) {
      if (isUnchanged(file, before)) return before.item
      known.delete(id)
    }
    const found = readSmall(file, { stat: looks > 1 })
    const item = found && parseItem(id, found.text)
    if (item === undefined) return readWithCare(id)
    if (found?.stat !== undefined) remember(found.stat, item)
    return item
  }

  /** Reads anything but an ordinary item: missing, not understood, not readable. */
  function readWithCare(id: string): Item | undefined | 'unread' {
    const file = fileOf(id)
    try {
      const stat = fs.lstatSync(file, { throwIfNoEntry: false })
      if (stat === undefined) return undefined
      const sound = stat.isFile() && stat.size <= longestFileBytes
      const text = sound ? readText(file) : ''
      return text === undefined ? undefined : (parseItem(id, text) ?? putAside(id))
    } catch (error) {
      if (isNoText(error)) return putAside(id)
      tell(id, `${messageOf(error)}; its task waits until it can be read`)
      return 'unread'
    }
  }

  function remember({ ino, mtimeMs, size }: fs.Stats, item: Item): void {
    if (Date.now() - mtimeMs > tooFreshMs) known.set(item.id, { inode: ino, mtimeMs, size, item })
  }

  /** Reads one item by its id. Throws if it cannot be read, because unknown is not the same as missing. */
  function readOne(id: string): Item | undefined {
    const item = isItemId(id) ? read(id) : undefined
    if (item !== 'unread') return item
    throw new KugetsuError(`cannot read ${fileOf(id)}`, { code: 'unreadable', hint: 'See who may read it.' })
  }

  function putAside(id: string): undefined {
    const aside = setAside(fileOf(id), home.now())
    const kept = aside === undefined ? 'and could not be moved' : `and was kept as ${path.basename(aside)}`
    tell(id, `${fileOf(id)} is no task ${kept}; the others go on`)
  }

  function tell(id: string, text: string): void {
    if (!told.has(id)) home.warn(text)
    told.add(id)
  }

  function ids(): string[] {
    return listDirectory(paths.queueItems)
      .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
      .map((name) => name.slice(0, -'.json'.length))
  }

  /** In milliseconds; the bash tool's ids are in seconds. */
  function nextNumber(): number {
    return takeNumber(paths.queueNumbers, home.now().getTime(), () => newest(ids()))
  }

  return {
    each: async (show) =>
      ids().flatMap((id) => {
        const item = read(id)
        return item === undefined || item === 'unread' ? [] : [show(item)]
      }),
    ids: async () => ids(),
    get: async (id) => readOne(id),
    all: async () => {
      looks += 1
      const items: Item[] = []
      const unread: string[] = []
      const present = new Set(ids())
      for (const id of known.keys()) if (!present.has(id)) known.delete(id)
      for (const id of present) {
        const item = read(id)
        if (item === 'unread') unread.push(id)
        else if (item !== undefined) items.push(item)
      }
      return { items, unread }
    },
    add: async (task: Task) => {
      ensureDirectory(paths.queueItems)
      for (;;) {
        const item = newItem(`q_${nextNumber()}`, task, home.now())
        if (createExclusive(fileOf(item.id), textOf(item), paths.queueNumbers)) return item
      }
    },
    change: (id, change) =>
      locked(() => {
        const current = readOne(id)
        if (current === undefined) return undefined
        const next = change(current)
        if (next === undefined) return current
        writeAtomic(fileOf(id), textOf(next))
        return next
      }),
    remove: async (wanted, mayGo) => {
      const gone: string[] = []
      for (let from = 0; from < wanted.length; from += batch) {
        await locked(() => {
          for (const id of wanted.slice(from, from + batch)) {
            const item = isItemId(id) ? read(id) : undefined
            if (item === undefined || item === 'unread' || !mayGo(item)) continue
            if (removeFile(fileOf(id))) gone.push(id)
            known.delete(id)
          }
        })
      }
      return gone
    },
  }
}

function isUnchanged(file: string, { inode, mtimeMs, size }: Known): boolean {
  try {
    const stat = fs.lstatSync(file, { throwIfNoEntry: false })
    return stat?.ino === inode && stat.mtimeMs === mtimeMs && stat.size === size
  } catch {
    return false
  }
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
