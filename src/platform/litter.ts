/** The temporary files of files.ts, `.<name>.<pid>.<unique>`, whose writers were killed. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { listDirectory, removeFile } from './files.ts'
import { identify } from './processes.ts'

/** A writer needs its temporary file for milliseconds, and one in another pid namespace cannot be seen from here. */
const litterAfterMs = 60_000

/**
 * Deletes the temporary files that killed writers left in a directory: those whose process is gone and that are older
 * than a minute. Returns how many there were. Never throws: they only lie there.
 */
export function sweepLitter(directory: string): number {
  try {
    return listDirectory(directory).filter(
      (name) => isLitter(directory, name) && removeFile(path.join(directory, name)),
    ).length
  } catch {
    return 0
  }
}

/** Whether that is the temporary file of a writer that was killed. */
export function isLitter(directory: string, name: string): boolean {
  const writer = /^\..+\.(\d+)\.[0-9a-z]+$/.exec(name)?.[1]
  if (writer === undefined || identify(Number(writer)) !== undefined) return false
  const stat = fs.lstatSync(path.join(directory, name), { throwIfNoEntry: false })
  return stat !== undefined && stat.isFile() && Math.abs(Date.now() - stat.mtimeMs) > litterAfterMs
}
