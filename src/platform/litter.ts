/** The temporary files of files.ts, `.<name>.<pid>.<unique>`, that killed writers left. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { listDirectory, removeFile } from './files.ts'
import { identify } from './processes.ts'

/** A writer needs its temporary file for milliseconds. A writer in another pid namespace cannot be seen from here. */
const litterAfterMs = 60_000

/**
 * Deletes the temporary files that killed writers left in a directory: those of dead processes that are older than a
 * minute. Returns how many it deleted. Never throws: such files do no harm.
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

/** Whether the file is the temporary file of a killed writer. */
export function isLitter(directory: string, name: string): boolean {
  const writer = /^\..+\.(\d+)\.[0-9a-z]+$/.exec(name)?.[1]
  if (writer === undefined || identify(Number(writer)) !== undefined) return false
  const stat = fs.lstatSync(path.join(directory, name), { throwIfNoEntry: false })
  return stat !== undefined && stat.isFile() && Math.abs(Date.now() - stat.mtimeMs) > litterAfterMs
}
