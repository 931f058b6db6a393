/**
 * notifications.new/: what is told by who waits for nobody, a file for each notification, until whoever holds the lock
 * of notifications.json takes it over (see notifications.ts). Telling of it takes no lock, because to load what locks
 * takes longer than all the rest of an enqueue, and a hundred of them would wait for each other.
 *
 * A file is there whole or not at all, and it is not synced: a power cut may lose what was told in its last seconds. Its
 * name is `<milliseconds>-<id>.json`, so that names sort by time and tell what is in notifications.json already. All
 * else that lies there is left alone.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { messageOf } from '../core/errors.ts'
import { ensureDirectory, writeAtomic } from '../platform/files.ts'
import type { Item } from '../queue/item.ts'
import { messageLine, type Notice } from './notice.ts'

/** Milliseconds as they are until the year 33658: names sort as text, so they must be equally long. */
const digits = 15
const ownName = /^\d{15}-([\w-]{1,150})\.json$/

/** A file of the spool: its path, and the id of the event that it tells of. */
export interface Spooled {
  file: string
  id: string
}

/** Tells that a task is in the queue, also when it is put back by a person. Never waits, never throws. */
export function spoolQueued(home: Home, item: Item): void {
  // However often it is put back, it has one more attempt each time.
  const id = `task_queued_${item.id}_${item.attempts.length}`
  const { issue_ref, message } = item
  try {
    spool(home, { id, type: 'task_queued', issue_ref, message, queue_item: item.id })
  } catch (error) {
    home.warn(`no notification of task_queued ${issue_ref ?? 'pm-agent'}: ${messageOf(error)}`)
  }
}

/** The id, of letters, digits, `_` and `-`, at most 150, has to name the event. Throws KugetsuError `unwritable`. */
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
    // The first one, as a rule, or one of several that are: the directory may be there by now.
    if (!isDirectory(home.paths.notificationSpool)) makeWay(home.paths.notificationSpool, now)
    ensureDirectory(home.paths.notificationSpool)
    writeAtomic(file, text, 'unsynced')
  }
}

/** What is in the spool, oldest first; nothing where it cannot be looked into. */
export function spooledNow({ paths }: Pick<Home, 'paths'>): Spooled[] {
  let names: string[]
  try {
    names = fs.readdirSync(paths.notificationSpool)
  } catch {
    return [] // not there, as a rule; else whoever writes there says what is wrong
  }
  return names.sort().flatMap((name) => {
    const id = ownName.exec(name)?.[1]
    return id === undefined ? [] : [{ file: path.join(paths.notificationSpool, name), id }]
  })
}

/** Sets aside what lies there, but never a directory: others may have made it meanwhile, which renaming would not see. */
function makeWay(place: string, now: Date): void {
  try {
    fs.linkSync(place, `${place}.unreadable-${now.toISOString().replace(/[:.]/g, '')}`)
    fs.unlinkSync(place)
  } catch {
    // nothing is there, as a rule
  }
}

function isDirectory(file: string): boolean {
  try {
    return fs.statSync(file, { throwIfNoEntry: false })?.isDirectory() === true
  } catch {
    return false // a link to itself
  }
}
