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
  readText,
  removeFile,
  setAside,
  writeAtomic,
} from '../platform/files.ts'
import { exclusively } from '../platform/locks.ts'
import { isItemId, newItem, parseItem, type Item, type Task } from './item.ts'
import type { Queue } from './queue.ts'

const lockWaitMs = 30_000
/** How many items are removed under one lock. */
const batch = 200
/** The longest message, with every character escaped, is a third of it. */
const longestFileBytes = 5_000_000

type QueueHome = Pick<Home, 'paths' | 'now' | 'warn' | 'signal'>
/** What a file said, and by what it is seen that it says it still. */
interface Known {
  inode: number
  mtimeMs: number
  size: number
  item: Item
}

/** The queue of a home. It remembers what it has read, so keep it where the queue is looked at again and again. */
export function openQueue(home: QueueHome): Queue {
  const { paths } = home
  const known = new Map<string, Known>()
  const told = new Set<string>()
  const fileOf = (id: string) => path.join(paths.queueItems, `${id}.json`)
  const locked = <T>(work: () => T) =>
    exclusively(paths.lock('queue'), { timeoutMs: lockWaitMs, signal: home.signal }, work)

  function read(id: string): Item | undefined | 'unread' {
    const file = fileOf(id)
    try {
      const stat = fs.lstatSync(file, { throwIfNoEntry: false })
      if (stat === undefined) return forget(id)
      const before = known.get(id)
      if (before?.inode === stat.ino && before.mtimeMs === stat.mtimeMs && before.size === stat.size) return before.item
      const sound = stat.isFile() && stat.size <= longestFileBytes
      const text = sound ? readText(file) : ''
      if (text === undefined) return forget(id)
      const item = parseItem(id, text)
      if (item === undefined) return putAside(id)
      known.set(id, { inode: stat.ino, mtimeMs: stat.mtimeMs, size: stat.size, item })
      return item
    } catch (error) {
      if (isNoText(error)) return putAside(id)
      tell(id, `${messageOf(error)}; its task waits until it can be read`)
      return 'unread'
    }
  }

  /** For those who ask for one: not being able to tell is not the same as none. */
  function readOne(id: string): Item | undefined {
    const item = isItemId(id) ? read(id) : undefined
    if (item !== 'unread') return item
    throw new KugetsuError(`cannot read ${fileOf(id)}`, { code: 'unreadable', hint: 'See who may read it.' })
  }

  function forget(id: string): undefined {
    known.delete(id)
  }

  function putAside(id: string): undefined {
    const aside = setAside(fileOf(id), home.now())
    const kept = aside === undefined ? 'and could not be moved' : `and was kept as ${path.basename(aside)}`
    tell(id, `${fileOf(id)} is no task ${kept}; the others go on`)
    return forget(id)
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

  /** What last-id says; the items tell as well, so one that makes no sense is only set aside. */
  function lastNumber(): number | undefined {
    try {
      const text = readText(paths.queueLast)
      if (text === undefined) return undefined
      if (/^\d{13}\n?$/.test(text)) return Number(text)
    } catch (error) {
      if (!isNoText(error)) throw error
    }
    setAside(paths.queueLast, home.now())
    return undefined
  }

  /** Later than any before it, also when the clock was put back: milliseconds, as the bash tool's ids are seconds. */
  function nextNumber(): number {
    const last = lastNumber() ?? newest(ids())
    const next = Math.max(home.now().getTime(), last + 1)
    writeAtomic(paths.queueLast, `${next}\n`)
    return next
  }

  return {
    ids: async () => ids(),
    get: async (id) => readOne(id),
    all: async () => {
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
      return locked(() => {
        for (;;) {
          const item = newItem(`q_${nextNumber()}`, task, home.now())
          if (createExclusive(fileOf(item.id), textOf(item))) return item
        }
      })
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

function textOf(item: Item): string {
  return JSON.stringify(item, null, 2) + '\n'
}

/** The highest number of ids of our kind, 0 without any. */
function newest(ids: string[]): number {
  return ids.reduce((most, id) => (/^q_\d{13,15}$/.test(id) ? Math.max(most, Number(id.slice(2))) : most), 0)
}
