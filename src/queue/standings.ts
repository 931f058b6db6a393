/**
 * How all items stand, in memory: enough to say which comes next without reading thousands of files at each look. A look
 * reads the files that have changed. Once the directory is watched, the kernel names those (one watch, however many files);
 * without it, a look asks for the facts of every file.
 *
 * A watch is not relied on for ever: now and then all files are looked at, and whenever the directory has changed without
 * a word of it.
 */
import * as fs from 'node:fs'
import type { Item } from './item.ts'
import type { ItemFiles } from './item-files.ts'
import { inOrder, rankOf, type Standing } from './pick.ts'
import { placesOf, type QueueHome } from './places.ts'

/** A file that changed this recently before it was read could change again without a new modification time. */
const tooFreshMs = 1_000
/** How long a watch is relied on before all files are looked at. */
const fullLookMs = 60_000
/** How long a change may go unnoticed before its watcher is told: most writers wake the daemon themselves. */
const noticeMs = 250

interface Known {
  standing: Standing
  /** The file that was read; undefined when its content could change without a trace. */
  file: { inode: number; mtimeMs: number; size: number } | undefined
}

export interface Standings {
  /** Looks at what has changed; returns whether an item stands differently now. */
  look: () => boolean
  /** In the order in which they would be started. */
  all: () => readonly Standing[]
  /** The ids of the files that could not be read at the last look. */
  unread: () => string[]
  /** An item was written by this process. */
  put: (item: Item) => void
  /** An item was removed by this process. */
  drop: (id: string) => void
  /** As Queue.watch(). */
  watch: (changed: () => void) => () => void
  isWatching: () => boolean
}

export function createStandings(home: QueueHome, files: ItemFiles): Standings {
  const { items: directory, item: fileOf } = placesOf(home)
  const known = new Map<string, Known>()
  const unread = new Set<string>()
  /** The ids that the watch has named since the last look. */
  const named = new Set<string>()
  let ordered: readonly Standing[] | undefined
  let watcher: fs.FSWatcher | undefined
  let watched: (() => void)[] = []
  let inode: number | undefined
  let mtimeMs: number | undefined
  let hasHeard = false
  let fullAt = -Infinity
  let timer: NodeJS.Timeout | undefined

  function look(): boolean {
    const facts = factsOf(directory)
    if (watched.length > 0 && (watcher === undefined || facts?.ino !== inode)) beginWatch(facts?.ino)
    const isSilent = !hasHeard && facts?.mtimeMs !== mtimeMs
    const isFull = watcher === undefined || isSilent || performance.now() - fullAt > fullLookMs
    ;[mtimeMs, hasHeard] = [facts?.mtimeMs, false]
    let differs = false
    if (isFull) {
      fullAt = performance.now()
      const present = new Set(files.ids())
      for (const id of [...known.keys(), ...unread]) if (!present.has(id)) differs = forget(id) || differs
      for (const id of present) if (!isUnchanged(id)) differs = readAgain(id) || differs
    } else for (const id of [...named, ...unread]) differs = readAgain(id) || differs
    named.clear()
    return differs
  }

  function isUnchanged(id: string): boolean {
    const before = known.get(id)?.file
    if (before === undefined) return false
    const facts = factsOf(fileOf(id))
    return facts?.ino === before.inode && facts.mtimeMs === before.mtimeMs && facts.size === before.size
  }

  function readAgain(id: string): boolean {
    const found = files.read(id, { stat: true })
    unread.delete(id)
    if (found === 'unread') unread.add(id)
    if (found === undefined || found === 'unread') return forget(id)
    const { item, stat } = found
    const isSafe = stat !== undefined && Date.now() - stat.mtimeMs > tooFreshMs
    return remember(item, isSafe ? { inode: stat.ino, mtimeMs: stat.mtimeMs, size: stat.size } : undefined)
  }

  function remember(item: Item, file: Known['file']): boolean {
    const before = known.get(item.id)?.standing
    const standing = standingOf(item)
    const differs = before === undefined || JSON.stringify(before) !== JSON.stringify(standing)
    known.set(item.id, { standing: differs ? standing : before, file })
    if (differs) ordered = undefined
    return differs
  }

  function forget(id: string): boolean {
    unread.delete(id)
    if (!known.delete(id)) return false
    ordered = undefined
    return true
  }

  function beginWatch(at: number | undefined): void {
    endWatch()
    inode = at
    if (at === undefined) return // no task was ever added
    try {
      watcher = fs.watch(directory, { persistent: false }, (_, name) => heard(name))
      watcher.on('error', endWatch)
      fullAt = -Infinity
    } catch {
      // no more watches are to be had: each look asks for the facts of all files
    }
  }

  function endWatch(): void {
    watcher?.close()
    watcher = undefined
  }

  function heard(name: string | null): void {
    hasHeard = true
    if (name === null) fullAt = -Infinity
    if (name === null || !name.endsWith('.json') || name.startsWith('.')) return
    named.add(name.slice(0, -'.json'.length))
    timer ??= setTimeout(notice, noticeMs).unref()
  }

  function notice(): void {
    timer = undefined
    if (named.size > 0 && isNews()) for (const changed of watched) changed()
  }

  function isNews(): boolean {
    try {
      return look()
    } catch {
      return true // the look of those who watch says why
    }
  }

  return {
    look,
    all: () => (ordered ??= inOrder([...known.values()].map(({ standing }) => standing))),
    unread: () => [...unread],
    put: (item) => void remember(item, undefined),
    drop: (id) => void forget(id),
    watch: (changed) => {
      watched.push(changed)
      return () => {
        watched = watched.filter((each) => each !== changed)
        if (watched.length > 0) return
        endWatch()
        clearTimeout(timer)
        timer = undefined
      }
    },
    isWatching: () => watched.length > 0,
  }
}

function standingOf(item: Item): Standing {
  const { id, kind, state, priority, issue_ref, model, not_before } = item
  const last = item.attempts.slice(-1).map((attempt) => ({ ...attempt, reason: null }))
  return { id, kind, state, priority, rank: rankOf(item), issue_ref, model, not_before, attempts: last }
}

function factsOf(file: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(file, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}
