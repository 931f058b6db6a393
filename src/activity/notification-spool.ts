/**
 * notifications.new/: notifications of processes that must not wait, one file each, until a holder of the lock of
 * notifications.json takes them over (see notifications.ts). Writing one takes no lock, because loading the lock code
 * takes longer than all the rest of an enqueue, and a hundred enqueues would wait for each other.
 *
 * A file is there whole or not at all. It is not synced: a power cut may lose notifications of the last seconds. The name
 * is `<milliseconds>-<id>.json`, so names sort by time and show which events are in notifications.json already. Other
 * files there are left alone.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { messageOf } from '../core/errors.ts'
import { ensureDirectory, writeAtomic } from '../platform/files.ts'
import type { Item } from '../queue/item.ts'
import { messageLine, type Notice } from './notice.ts'

/** Enough for milliseconds until the year 33658: names sort as text, so their numbers must be equally long. */
const digits = 15
const ownName = /^\d{15}-([\w-]{1,150})\.json$/

/** A file of the spool: its path, and the id of its event. */
export interface Spooled {
  file: string
  id: string
}

/** Tells that a task is in the queue, also when it is put back by a person. Never waits, never throws. */
export function spoolQueued(home: Home, item: Item): void {
  // The task has one more attempt each time it is put back, so each id is new.
  const id = `task_queued_${item.id}_${item.attempts.length}`
  const { issue_ref, message } = item
  try {
    spool(home, { id, type: 'task_queued', issue_ref, message, queue_item: item.id })
  } catch (error) {
    home.warn(`no notification of task_queued ${issue_ref ?? 'pm-agent'}: ${messageOf(error)}`)
  }
}

/** The id must name the event: at most 150 letters, digits, `_` and `-`. Throws KugetsuError `unwritable`. */
function spool(
  home: Home,
  { id, type, issue_ref, message, queue_item }: Omit<Notice, 'timestamp'> & { id: string },
): void {
  const now = home.now()
  const file = path.join(home.paths.notificationSpool, `${String(now.getTime()).padStart(digits, '0')}-${id}.json`)
  const stored = {
    id,
    timestamp: now.toISOString(),
    type,
    message: messageLine(home, message),
    issue_ref,
    ...(queue_item === undefined ? {} : { queue_item }),
    read: false,
  }
  const text = `${JSON.stringify(stored)}\n`
  try {
    writeAtomic(file, text, 'unsynced')
  } catch {
    // Usually this is the first notification, maybe one of several at once: the directory may exist by now.
    if (!isDirectory(home.paths.notificationSpool)) makeWay(home.paths.notificationSpool, now)
    ensureDirectory(home.paths.notificationSpool)
    writeAtomic(file, text, 'unsynced')
  }
}

/** The files in the spool, oldest first; empty when the directory cannot be read. */
export function spooledNow({ paths }: Pick<Home, 'paths'>): Spooled[] {
  let names: string[]
  try {
    names = fs.readdirSync(paths.notificationSpool)
  } catch {
    return [] // usually not there; otherwise the next writer reports what is wrong
  }
  return names.sort().flatMap((name) => {
    const id = ownName.exec(name)?.[1]
    return id === undefined ? [] : [{ file: path.join(paths.notificationSpool, name), id }]
  })
}

/** Sets aside a file in the directory's place. Not by renaming, which could move a directory that was made meanwhile. */
function makeWay(place: string, now: Date): void {
  try {
    fs.linkSync(place, `${place}.unreadable-${now.toISOString().replace(/[:.]/g, '')}`)
    fs.unlinkSync(place)
  } catch {
    // usually nothing is there
  }
}

function isDirectory(file: string): boolean {
  try {
    return fs.statSync(file, { throwIfNoEntry: false })?.isDirectory() === true
  } catch {
    return false // a link to itself
  }
}
