/**
 * notifications.json: what happened to the tasks, for a person who was not looking. One array, newest last, changed by
 * one process at a time, who first takes over what is in the spool (see notification-spool.ts). It is never in the way
 * of the work: what cannot be written is warned of, and the work goes on.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import * as z from 'zod/mini'
import type { Home } from '../config/home.ts'
import { codeOf, KugetsuError, messageOf } from '../core/errors.ts'
import { lazy } from '../core/lazy.ts'
import { isNoText, readText, removeFile, setAside, writeJson } from '../platform/files.ts'
import { exclusively, unlessTaken } from '../platform/locks.ts'
import { parseJson } from '../platform/state-file.ts'
import { messageLine, type Notice } from './notice.ts'
import { spooledNow, type Spooled } from './notification-spool.ts'

/** Those that were read go first, the oldest before the others. */
const mostKept = 500
/** Far more than so many can be. */
const longestFileBytes = 5_000_000
/** Everybody holds the lock for milliseconds, but there can be hundreds of them. */
const lockWaitMs = 30_000

const text = () => z.nullish(z.string())
const one = lazy(() =>
  z.looseObject({
    id: text(),
    timestamp: text(),
    /** The bash tool's name for it in some versions. */
    created_at: text(),
    type: text(),
    message: text(),
    issue_ref: text(),
    queue_item: text(),
    read: z.nullish(z.boolean()),
  }),
)
const many = lazy(() => z.array(one()))
export type Notification = z.infer<ReturnType<typeof one>>

type NotifyingHome = Pick<Home, 'paths' | 'env' | 'now' | 'warn'>

/** Tells a person of something. Warns when that cannot be done, and never throws. Returns whether all of it is there. */
export async function notify(home: NotifyingHome, ...notices: Notice[]): Promise<boolean> {
  try {
    await addNotifications(home, notices)
    return true
  } catch (error) {
    const what = notices.map(({ type, issue_ref }) => `${type} ${issue_ref ?? 'pm-agent'}`).join(', ')
    home.warn(`no notification of ${what}: ${messageOf(error)}`)
    return false
  }
}

/**
 * The same for who tries again by himself. Throws KugetsuError: `busy` when the file could not be had for `waitMs`
 * milliseconds, others when it cannot be written.
 */
export async function addNotifications(
  home: NotifyingHome,
  notices: readonly (Omit<Notice, 'type'> & { type: string })[],
  waitMs = lockWaitMs,
): Promise<void> {
  const lines = notices.map(({ message }) => messageLine(home, message))
  await locked(home, waitMs, () => {
    const loaded = load(home)
    const before = loaded.all
    const ids = new Set(before.map(({ id }) => id))
    let last = Math.max(0, ...before.map(({ id }) => Number(/^n_(\d{13,15})$/.exec(id ?? '')?.[1] ?? 0)))
    const added = notices.flatMap(({ id, type, issue_ref, queue_item, timestamp }, index): Notification[] => {
      if (id !== undefined && ids.has(id)) return []
      const now = home.now()
      last = Math.max(now.getTime(), last + 1)
      return [
        {
          id: id ?? `n_${last}`,
          timestamp: timestamp ?? now.toISOString(),
          type,
          message: lines[index] ?? '',
          issue_ref,
          ...(queue_item === undefined ? {} : { queue_item }),
          read: false,
        },
      ]
    })
    store(home, loaded, added.length > 0 ? [...before, ...added] : before)
  })
}

/**
 * Takes over what is in the spool, when there is anything. Never throws: while somebody else is at it, or where nothing
 * can be written, it stays there until the next time. Returns what is stored then, undefined when nothing was done.
 */
export async function takeOverSpool(home: NotifyingHome): Promise<Notification[] | undefined> {
  if (spooledNow(home).length === 0) return undefined
  try {
    return await unlessTaken(lockOf(home), () => store(home, load(home)))
  } catch {
    return undefined
  }
}

/** All that was told, newest last. A file that cannot be understood is set aside. Throws KugetsuError when it cannot be. */
export async function readNotifications(home: NotifyingHome): Promise<Notification[]> {
  const taken = await takeOverSpool(home)
  if (taken !== undefined) return taken
  // Before the file: what somebody takes over meanwhile is in both then, and not in neither.
  const { added } = readSpool(spooledNow(home))
  const found = read(home.paths.notifications)
  // Only under the lock is what was read still what lies there.
  if (found === undefined) return locked(home, lockWaitMs, () => store(home, load(home)))
  return added.length === 0 ? found : bounded([...found, ...without(added, found)])
}

/** How many were not read yet, as far as that can be told; changes nothing. */
export function countUnread(home: Pick<Home, 'paths'>): number {
  try {
    const spooled = spooledNow(home)
    const found = read(home.paths.notifications) ?? []
    return Math.min(mostKept, found.filter(isUnread).length + without(spooled, found).length)
  } catch {
    return 0
  }
}

/** Marks all as read; returns how many were not. Throws KugetsuError when it cannot be written. */
export async function markAllRead(home: NotifyingHome): Promise<number> {
  if (spooledNow(home).length === 0 && read(home.paths.notifications)?.some(isUnread) === false) return 0
  return locked(home, lockWaitMs, () => {
    const loaded = load(home)
    const unread = bounded(loaded.all).filter(isUnread).length
    store(home, loaded, unread > 0 ? loaded.all.map((each) => ({ ...each, read: true })) : loaded.all)
    return unread
  })
}

export function isUnread({ read }: Notification): boolean {
  return read !== true
}

function lockOf({ paths }: NotifyingHome): string {
  return paths.lock('notifications')
}

function locked<T>(home: NotifyingHome, timeoutMs: number, work: () => T): Promise<T> {
  return exclusively(lockOf(home), { timeoutMs }, work)
}

interface Loaded {
  /** What is stored, and behind it what is only in the spool so far. */
  all: Notification[]
  /** The files of the latter: they can go once it is stored. */
  taken: Spooled[]
}

/**
 * For the holder of the lock: all that was told. What cannot be understood is set aside. What is stored already, because
 * somebody was killed before it was cleared, and what is more than is ever kept goes from the spool at once.
 */
function load(home: NotifyingHome): Loaded {
  const spooled = spooledNow(home)
  const found = loadFile(home)
  const untold = without(spooled, found)
  const wanted = new Set(untold.slice(-mostKept))
  clear(spooled.filter((each) => !wanted.has(each)))
  const { added, taken, spoiled } = readSpool(untold)
  for (const { file } of spoiled) {
    const aside = setAside(file, home.now())
    if (aside !== undefined) home.warn(`${file} cannot be understood and was kept as ${path.basename(aside)}`)
  }
  return { all: [...found, ...added], taken }
}

/**
 * For the holder of the lock: stores all of these, if they are not what is stored, and only then clears the spool. Who is
 * killed in between has told of nothing twice, because of the ids. Returns what is stored then.
 */
function store(home: NotifyingHome, loaded: Loaded, all: Notification[] = loaded.all): Notification[] {
  const kept = bounded(all)
  if (all !== loaded.all || loaded.taken.length > 0) writeJson(home.paths.notifications, kept)
  clear(loaded.taken)
  return kept
}

function clear(spooled: Spooled[]): void {
  for (const { file } of spooled) {
    try {
      removeFile(file)
    } catch {
      // it is known by its id
    }
  }
}

/** What is stored, nothing when that had to be set aside. */
function loadFile(home: NotifyingHome): Notification[] {
  const file = home.paths.notifications
  const found = read(file)
  if (found !== undefined) return found
  const aside = setAside(file, home.now())
  if (aside === undefined) {
    throw new KugetsuError(`${file} cannot be understood and could not be moved`, {
      hint: 'Check what is at that path, and delete it.',
      code: 'unreadable',
    })
  }
  home.warn(`${file} cannot be understood and was kept as ${path.basename(aside)}; the notifications begin anew`)
  return []
}

/** What the file says, undefined when it cannot be understood. Throws when that may be different the next time. */
function read(file: string): Notification[] | undefined {
  const content = textIn(file)
  if (content === undefined) return []
  const value = parseJson(content)
  // By hand first: `status` asks for nothing else that would load what makes the schema.
  return Array.isArray(value) && value.every(isPlain) ? value : many().safeParse(value).data
}

/** Whether the schema would say yes, and change nothing. */
function isPlain(value: unknown): value is Notification {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const { id, timestamp, created_at, type, message, issue_ref, queue_item, read } = value as Notification
  const texts: unknown[] = [id, timestamp, created_at, type, message, issue_ref, queue_item]
  return (
    texts.every((each) => typeof each === 'string' || (each ?? undefined) === undefined) &&
    (typeof read === 'boolean' || (read ?? undefined) === undefined)
  )
}

/**
 * What these files of the spool tell, as many as are ever kept, each event once; which files that is, and which cannot be
 * understood. Those that cannot be read this time are none of them.
 */
function readSpool(spooled: Spooled[]) {
  const added = new Map<string, Notification>()
  const taken: Spooled[] = []
  const spoiled: Spooled[] = []
  for (const each of spooled.slice(-mostKept)) {
    try {
      const content = textIn(each.file)
      if (content === undefined) continue // somebody has taken it over meanwhile
      const value = parseJson(content)
      const notification = isPlain(value) && value.id === each.id ? value : undefined
      if (notification !== undefined && !added.has(each.id)) added.set(each.id, notification)
      ;(notification === undefined ? spoiled : taken).push(each)
    } catch {
      // another time
    }
  }
  return { added: [...added.values()], taken, spoiled }
}

function without<T extends { id?: string | null | undefined }>(these: T[], found: Notification[]): T[] {
  const ids = new Set(found.map(({ id }) => id))
  return these.filter(({ id }) => !ids.has(id))
}

/** The text of a file, undefined when there is none, empty when it can hold nothing. Throws when it cannot be read now. */
function textIn(file: string): string | undefined {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false })
  if (stat === undefined) return undefined
  if (!stat.isFile() || stat.size > longestFileBytes) return ''
  try {
    return readText(file)
  } catch (error) {
    if (isNoText(error) || (error instanceof KugetsuError && codeOf(error.cause) === 'EACCES')) return ''
    throw error
  }
}

function bounded(all: Notification[]): Notification[] {
  let tooMany = all.length - mostKept
  return all.filter((each) => isUnread(each) || tooMany-- <= 0).slice(-mostKept)
}
