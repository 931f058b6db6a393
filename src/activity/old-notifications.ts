/**
 * Where kugetsu 0.1.0 and the bash tool keep notifications. A process of theirs may still write there.
 *
 * notifications.json is an array, newest last. notifications.new/ has notifications of queued tasks, one file each, that 0.1.0
 * has not moved there yet: `<milliseconds>-<id>.json`.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { messageOf } from '../core/errors.ts'
import { removeFile } from '../platform/files.ts'
import { readState } from '../platform/state-file.ts'
import { isNotification, type Notification } from './notification.ts'

/** Far larger than the 500 notifications that are kept. */
const longestFileBytes = 5_000_000
const spoolName = /^\d{15}-([\w-]{1,150})\.json$/

/** Who reads. Without `now` and `warn` nothing is changed and nothing is said. */
export type Reader = Pick<Home, 'paths'> & Partial<Pick<Home, 'now' | 'warn'>>

/** The value in a state file; undefined without one. A file that cannot be understood is named and set aside. */
export function valueIn<T>(reader: Reader, file: string, check: (value: unknown) => T | undefined): T | undefined {
  const found = readState(file, check, reader.now?.(), longestFileBytes)
  if (found.kind !== 'spoiled') return found.kind === 'read' ? found.value : undefined
  const kept = found.aside === undefined ? '' : ` and was kept as ${path.basename(found.aside)}`
  reader.warn?.(`${file} cannot be understood${kept}`)
  return undefined
}

/** The notifications of notifications.json. An unreadable file is named and left out. */
export function readOld(reader: Reader): Notification[] {
  const isList = (value: unknown) => (Array.isArray(value) && value.every(isNotification) ? value : undefined)
  try {
    return valueIn(reader, reader.paths.notifications, isList) ?? []
  } catch (error) {
    reader.warn?.(messageOf(error))
    return []
  }
}

/**
 * The notifications of notifications.new/, by file, oldest first. Other files there are left alone, and tried again
 * when unreadable.
 */
export function readSpool(reader: Reader): Map<string, Notification> {
  const found = new Map<string, Notification>()
  for (const name of namesIn(reader.paths.notificationSpool)) {
    const id = spoolName.exec(name)?.[1]
    if (id === undefined) continue
    const file = path.join(reader.paths.notificationSpool, name)
    try {
      const isFile = fs.lstatSync(file).isFile() // not through a link
      const isOwn = (value: unknown) => isFile && isNotification(value) && value.id === id
      const own = valueIn(reader, file, (value) => (isOwn(value) ? (value as Notification) : undefined))
      if (own !== undefined) found.set(file, own)
    } catch {
      // see above
    }
  }
  return found
}

/** Removes these files, and the directory with the last one. Never throws. */
export function removeSpool({ paths }: Reader, files: Iterable<string>): void {
  try {
    for (const file of files) removeFile(file)
    fs.rmdirSync(paths.notificationSpool)
  } catch {
    // usually not there, or not empty; an event told again is recognised by its id
  }
}

function namesIn(directory: string): string[] {
  try {
    return fs.readdirSync(directory).sort()
  } catch {
    return [] // usually there is none
  }
}
