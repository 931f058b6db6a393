/**
 * activity.jsonl: what happened to the tasks, for a person who was not looking. Each notification is a line with the id
 * of its event; an event told twice is one notification. activity-read.json names those that a person has read.
 */
import type { Home } from '../config/home.ts'
import { messageOf } from '../core/errors.ts'
import { appendLines, newestLines } from '../platform/append-log.ts'
import { writeJson } from '../platform/files.ts'
import { exclusively } from '../platform/locks.ts'
import { parseJson } from '../platform/state-file.ts'
import { isNotification, isUnread, messageLine, type Notice, type Notification } from './notification.ts'
import { readOld, readSpool, removeSpool, valueIn, type Reader } from './old-notifications.ts'

/** Beyond this number notifications are dropped: read ones first, the oldest before the others. */
const mostKept = 500
/** Holds more than `mostKept` of the longest lines, so that no line is dropped for the size of the file. */
const rotateAtBytes = 1_500_000
/** A process holds the lock for milliseconds, but hundreds of them may wait for it. */
const lockWaitMs = 30_000

type NotifyingHome = Pick<Home, 'paths' | 'env' | 'now' | 'warn'>

/** Tells a person of something. Warns when that fails, and never throws. Returns whether everything was stored. */
export function notify(home: NotifyingHome, ...notices: Notice[]): boolean {
  return warning(home, notices, () => addNotifications(home, notices))
}

/** The same for an event known to be new: faster, and not durable. A power cut may lose the last of them. */
export function notifyNew(home: NotifyingHome, notice: Notice): boolean {
  return warning(home, [notice], () => append(home, [stored(home, notice)]))
}

/** The same for a caller that tries again by itself. Durable when it returns. Throws KugetsuError `unwritable`. */
export function addNotifications(
  home: NotifyingHome,
  notices: readonly (Omit<Notice, 'type'> & { type: string })[],
): void {
  const told = new Set(newestIn(home).found.map(({ id }) => id))
  const untold = notices.filter(({ id }) => !told.has(id))
  append(
    home,
    untold.map((notice) => stored(home, notice)),
    'synced',
  )
}

/** All notifications, newest last. Unreadable ones are set aside or left out, and named. */
export function readNotifications(home: NotifyingHome): Notification[] {
  takeOverSpool(home)
  const { all, spoiled } = load(home)
  const lines = spoiled.length === 1 ? '1 line' : `${spoiled.length} lines`
  if (spoiled.length > 0) home.warn(`${lines} of ${home.paths.activity} cannot be understood`)
  return bounded(all)
}

/** How many are unread, or how many of those fit `such`, as far as can be told; changes nothing. */
export function countUnread(
  { paths }: Pick<Home, 'paths'>,
  such: (each: Notification) => boolean = () => true,
): number {
  return bounded(load({ paths }).all).filter((each) => isUnread(each) && such(each)).length
}

/** Marks all as read; returns how many were unread. Throws KugetsuError when the mark cannot be written. */
export async function markAllRead(home: NotifyingHome): Promise<number> {
  if (!readNotifications(home).some(isUnread)) return 0
  return exclusively(home.paths.lock('activity'), { timeoutMs: lockWaitMs }, () => {
    const { all, spoiled } = load(home)
    const read = [...all.map(keyOf), ...spoiled.map(spoiledKey)]
    writeJson(home.paths.activityRead, { ...marksIn(home), read })
    return bounded(all).filter(isUnread).length
  })
}

function warning(home: NotifyingHome, notices: Notice[], tell: () => void): boolean {
  try {
    tell()
    return true
  } catch (error) {
    const what = notices.map(({ type, issue_ref }) => `${type} ${issue_ref ?? 'pm-agent'}`).join(', ')
    home.warn(`no notification of ${what}: ${messageOf(error)}`)
    return false
  }
}

function stored(home: NotifyingHome, notice: Omit<Notice, 'type'> & { type: string }): Notification {
  const { id, timestamp, type, message, issue_ref, queue_item } = notice
  return {
    id,
    timestamp: timestamp ?? home.now().toISOString(),
    type,
    message: messageLine(home, message),
    issue_ref,
    ...(queue_item === undefined ? {} : { queue_item }),
    read: false,
  }
}

function append({ paths }: NotifyingHome, lines: Notification[], synced?: 'synced'): void {
  appendLines({ file: paths.activity, lock: paths.lock('activity'), rotateAt: rotateAtBytes }, lines, synced)
}

/** Never throws: old notifications that cannot be moved into the log now are read from where they are. */
function takeOverSpool(home: NotifyingHome): void {
  const spool = readSpool(home)
  try {
    append(home, [...spool.values()], 'synced')
    removeSpool(home, spool.keys())
  } catch {
    // see above
  }
}

/** All notifications to list, oldest first, and the spoiled lines of the log that were not read. */
function load(reader: Reader): { all: Notification[]; spoiled: string[] } {
  const old = readOld(reader)
  const { found, spoiled } = newestIn(reader)
  const ids = new Set(old.map(({ id }) => id))
  const fresh = [...found, ...readSpool(reader).values()].filter(({ id }) => !ids.has(id) && ids.add(id))
  const read = new Set(readOrNone(reader))
  return {
    all: [...old, ...fresh].map((each) => (isUnread(each) && read.has(keyOf(each)) ? { ...each, read: true } : each)),
    spoiled: spoiled.filter((line) => !read.has(spoiledKey(line))),
  }
}

/** The newest in the log, up to the number kept, oldest first and each event once; and the spoiled lines among them. */
function newestIn({ paths, warn = () => {} }: Reader): { found: Notification[]; spoiled: string[] } {
  const found = new Map<string, Notification>()
  const spoiled: string[] = []
  let isLast = true
  for (const line of newestLines(paths.activity, warn)) {
    const value = line.trim() === '' ? undefined : parseJson(line)
    if (isNotification(value) && typeof value.id === 'string') {
      found.delete(value.id) // told again later: it counts from here
      found.set(value.id, value)
      if (found.size === mostKept) break
    } else if (line.trim() !== '' && !isLast) spoiled.push(line) // the last one may be half written
    isLast = false
  }
  return { found: [...found.values()].reverse(), spoiled }
}

interface Marks {
  /** The keys of the read ones. */
  read: string[]
}

function marksIn(reader: Reader): Marks | undefined {
  return valueIn(reader, reader.paths.activityRead, (value) => {
    const { read } = value as Marks
    return Array.isArray(read) && read.every((key) => typeof key === 'string') ? (value as Marks) : undefined
  })
}

function readOrNone(reader: Reader): string[] {
  try {
    return marksIn(reader)?.read ?? []
  } catch (error) {
    reader.warn?.(messageOf(error))
    return []
  }
}

/** The id; those of the bash tool have none. */
function keyOf({ id, created_at: at, type, issue_ref: ref, message }: Notification): string {
  return id ?? [at, type, ref, message].join(' ')
}

function spoiledKey(line: string): string {
  return `spoiled: ${line.slice(0, 100)}`
}

function bounded(all: Notification[]): Notification[] {
  let tooMany = all.length - mostKept
  return all.filter((each) => isUnread(each) || tooMany-- <= 0).slice(-mostKept)
}
