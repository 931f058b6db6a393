/**
 * notifications.json: what happened to the tasks, for a person who was not looking. One array, newest last, changed by
 * one process at a time. It is never in the way of the work: what cannot be written is warned of, and the work goes on.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import * as z from 'zod/mini'
import { maskerOf } from '../agents/known-secrets.ts'
import type { Home } from '../config/home.ts'
import { codeOf, KugetsuError, messageOf } from '../core/errors.ts'
import { once } from '../core/once.ts'
import { plainLine } from '../core/plain-text.ts'
import { isNoText, readText, setAside, writeJson } from '../platform/files.ts'
import { exclusively } from '../platform/locks.ts'
import { parseJson } from '../platform/state-file.ts'

/** Those that were read go first, the oldest before the others. */
const mostKept = 500
const longestMessage = 500
/** Far more than so many can be. */
const longestFileBytes = 5_000_000
/** Everybody holds the lock for milliseconds, but there can be hundreds of them. */
const lockWaitMs = 30_000

export type NotificationType =
  'task_queued' | 'task_dequeued' | 'task_started' | 'task_completed' | 'task_error' | 'task_timeout'

/** Something that happened and is to be told. */
export interface Notice {
  type: NotificationType
  /** null for the PM agent. */
  issue_ref: string | null
  /** Any text: it is stored as one line without secrets. Empty for a task with the standard message. */
  message: string
  queue_item?: string | undefined
  /** Names the event: what is there under that id already is not told again. */
  id?: string | undefined
  /** When it happened, in ISO 8601; now by default. */
  timestamp?: string | undefined
}

const text = () => z.nullish(z.string())
const stored = once(() =>
  z.array(
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
  ),
)
export type Notification = z.infer<ReturnType<typeof stored>>[number]

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
    const before = load(home)
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
    if (added.length > 0) writeJson(home.paths.notifications, bounded([...before, ...added]))
  })
}

/** A text as notifications hold it: one line of bounded length, without the secrets that agents are given. */
export function messageLine(home: Pick<Home, 'paths' | 'env'>, message: string): string {
  return plainLine(maskerOf(home)(message), longestMessage) || '(the standard message)'
}

/** What is stored, newest last. A file that cannot be understood is set aside. Throws KugetsuError when it cannot be. */
export async function readNotifications(home: NotifyingHome): Promise<Notification[]> {
  // Only under the lock is what was read still what lies there.
  return read(home.paths.notifications) ?? (await locked(home, lockWaitMs, () => load(home)))
}

/** How many were not read yet, as far as that can be told; changes nothing. */
export function countUnread(home: Pick<Home, 'paths'>): number {
  try {
    return (read(home.paths.notifications) ?? []).filter(isUnread).length
  } catch {
    return 0
  }
}

/** Marks all as read; returns how many were not. Throws KugetsuError when it cannot be written. */
export async function markAllRead(home: NotifyingHome): Promise<number> {
  if (read(home.paths.notifications)?.some(isUnread) === false) return 0
  return locked(home, lockWaitMs, () => {
    const all = load(home)
    const unread = all.filter(isUnread).length
    const marked = all.map((each) => ({ ...each, read: true }))
    if (unread > 0) writeJson(home.paths.notifications, marked)
    return unread
  })
}

export function isUnread({ read }: Notification): boolean {
  return read !== true
}

function locked<T>(home: NotifyingHome, timeoutMs: number, work: () => T): Promise<T> {
  return exclusively(home.paths.lock('notifications'), { timeoutMs }, work)
}

/** For the holder of the lock: what is stored, nothing when that had to be set aside. */
function load(home: NotifyingHome): Notification[] {
  const file = home.paths.notifications
  const found = read(file)
  if (found !== undefined) return found
  const aside = setAside(file, home.now())
  if (aside === undefined) {
    throw new KugetsuError(`${file} cannot be understood and could not be moved`, {
      hint: 'See what lies there, and delete it.',
      code: 'unreadable',
    })
  }
  home.warn(`${file} cannot be understood and was kept as ${path.basename(aside)}; the notifications begin anew`)
  return []
}

/** What the file says, undefined when it cannot be understood. Throws when that may be different the next time. */
function read(file: string): Notification[] | undefined {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false })
  if (stat === undefined) return []
  if (!stat.isFile() || stat.size > longestFileBytes) return undefined
  let content: string | undefined
  try {
    content = readText(file)
  } catch (error) {
    if (isNoText(error) || (error instanceof KugetsuError && codeOf(error.cause) === 'EACCES')) return undefined
    throw error
  }
  if (content === undefined) return []
  return stored().safeParse(parseJson(content)).data
}

function bounded(all: Notification[]): Notification[] {
  let tooMany = all.length - mostKept
  return all.filter((each) => isUnread(each) || tooMany-- <= 0).slice(-mostKept)
}
