/**
 * notifications.json: what happened to the tasks, for a person who was not looking. One array, newest last, changed by
 * one process at a time. That process first takes over the spool (see notification-spool.ts). Notifications never stop
 * the work: a failed write causes only a warning.
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

/** Beyond this number notifications are dropped: read ones first, the oldest before the others. */
const mostKept = 500
/** Far larger than so many notifications can be. */
const longestFileBytes = 5_000_000
/** A process holds the lock for milliseconds, but hundreds of them may wait for it. */
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

/** Tells a person of something. Warns when that fails, and never throws. Returns whether all of it is stored. */
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
 * The same for a caller that tries again by itself. Throws KugetsuError: `busy` when the lock was taken for `waitMs`
 * milliseconds, others when the file cannot be written.
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
 * Takes over what is in the spool. Never throws: while another process holds the lock, or when nothing can be written,
 * the spool stays for the next time. Returns what is stored afterwards, undefined when nothing was done.
 */
export async function takeOverSpool(home: NotifyingHome): Promise<Notification[] | undefined> {
  if (spooledNow(home).length === 0) return undefined
  try {
    return await unlessTaken(lockOf(home), () => store(home, load(home)))
  } catch {
    return undefined
  }
}

/** All notifications, newest last. A file that cannot be understood is set aside. Throws KugetsuError if that fails. */
export async function readNotifications(home: NotifyingHome): Promise<Notification[]> {
  const taken = await takeOverSpool(home)
  if (taken !== undefined) return taken
  // Read the spool before the file: an entry moved meanwhile is then seen twice (and deduplicated), never missed.
  const { added } = readSpool(spooledNow(home))
  const found = read(home.paths.notifications)
  // Read again under the lock, because the file may have changed since.
  if (found === undefined) return locked(home, lockWaitMs, () => store(home, load(home)))
  return added.length === 0 ? found : bounded([...found, ...without(added, found)])
}

/** How many are unread, as far as that can be told; changes nothing. */
export function countUnread(home: Pick<Home, 'paths'>): number {
  try {
    const spooled = spooledNow(home)
    const found = read(home.paths.notifications) ?? []
    return Math.min(mostKept, found.filter(isUnread).length + without(spooled, found).length)
  } catch {
    return 0
  }
}

/** Marks all as read; returns how many were unread. Throws KugetsuError when the file cannot be written. */
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
  /** The stored notifications, followed by those that are only in the spool so far. */
  all: Notification[]
  /** The spool files of the latter, to be removed once they are stored. */
  taken: Spooled[]
}

/**
 * For the holder of the lock: all notifications. Files that cannot be understood are set aside. Spool files that are
 * stored already (their process was killed before it cleared them) or exceed what is kept are removed at once.
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
 * For the holder of the lock: stores all of these, if they differ from what is stored, and only then clears the spool. A
 * process that is killed in between tells nothing twice, because of the ids. Returns what is stored afterwards.
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
      // its id shows later that it is stored already
    }
  }
}

/** The stored notifications; empty when the file had to be set aside. */
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

/** The file's notifications, undefined when it cannot be understood. Throws when the next try may succeed. */
function read(file: string): Notification[] | undefined {
  const content = textIn(file)
  if (content === undefined) return []
  const value = parseJson(content)
  // Checked by hand first: otherwise `status` would load the schema library only for this.
  return Array.isArray(value) && value.every(isPlain) ? value : many().safeParse(value).data
}

/** Whether the schema would accept the value unchanged. */
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
 * The notifications in these spool files, as many as are ever kept, each event once; also the files that were read, and
 * those that cannot be understood. Files that cannot be read this time are in neither list.
 */
function readSpool(spooled: Spooled[]) {
  const added = new Map<string, Notification>()
  const taken: Spooled[] = []
  const spoiled: Spooled[] = []
  for (const each of spooled.slice(-mostKept)) {
    try {
      const content = textIn(each.file)
      if (content === undefined) continue // another process has taken it over meanwhile
      const value = parseJson(content)
      const notification = isPlain(value) && value.id === each.id ? value : undefined
      if (notification !== undefined && !added.has(each.id)) added.set(each.id, notification)
      ;(notification === undefined ? spoiled : taken).push(each)
    } catch {
      // tried again another time
    }
  }
  return { added: [...added.values()], taken, spoiled }
}

function without<T extends { id?: string | null | undefined }>(these: T[], found: Notification[]): T[] {
  const ids = new Set(found.map(({ id }) => id))
  return these.filter(({ id }) => !ids.has(id))
}

/** The text of a file; undefined without a file, empty when it can hold nothing. Throws when it cannot be read now. */
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
