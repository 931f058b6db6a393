/** Directories that are being made or deleted. They lie beside the place they are for, and are named after the process. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { pid } from 'node:process'
import { builtins } from '../core/builtins.ts'
import { listNames, placeIn } from '../platform/byte-names.ts'
import { listDirectory } from '../platform/files.ts'
import { identify } from '../platform/processes.ts'

/** A free name beside `place`: `.<name>.<pid>-<start time>.<random>.tmp`. */
export function temporarySibling(place: string): string {
  const name = `.${path.basename(place)}.${pid}-${startOf(pid) ?? ''}.${builtins.crypto.randomBytes(4).toString('hex')}.tmp`
  return path.join(path.dirname(place), name)
}

/**
 * Deletes the temporary siblings of `place` that dead processes left, and those of this process. The caller holds the lock
 * under which they are made, so this process is not making one now. With `ofTheDead`, those of this process stay.
 */
export async function sweepTemporary(place: string, ofTheDead?: 'ofTheDead'): Promise<void> {
  const prefix = `.${path.basename(place)}.`
  for (const name of listDirectory(path.dirname(place))) {
    if (!name.startsWith(prefix)) continue
    const made = /^(\d+)-(\w*)\.[0-9a-f]{8}\.tmp$/.exec(name.slice(prefix.length))
    if (made === null) continue
    const owner = Number(made[1])
    const isOurs = owner === pid && ofTheDead === undefined
    if (!isOurs && startOf(owner) === made[2]) continue
    await removeTree(path.join(path.dirname(place), name))
  }
}

/** Whether a name is that of a temporary sibling, of any place, left by a dead process. */
export function isLeftTemporary(name: string): boolean {
  const made = /^\..+\.(\d+)-(\w*)\.[0-9a-f]{8}\.tmp$/.exec(name)
  return made !== null && startOf(Number(made[1])) !== made[2]
}

/**
 * Deletes a directory with everything in it, also where a tool made parts of it read-only (Go's module cache). False
 * when something could not be deleted, such as files of another user.
 */
export async function removeTree(directory: string): Promise<boolean> {
  const remove = () => fs.promises.rm(directory, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 })
  try {
    await remove()
    return true
  } catch {
    makeWritable(Buffer.from(directory))
  }
  return await remove().then(
    () => true,
    () => false,
  )
}

function makeWritable(directory: Buffer): void {
  try {
    fs.chmodSync(directory, 0o700)
    for (const name of listNames(directory)) {
      const place = placeIn(directory, name)
      if (fs.lstatSync(place).isDirectory()) makeWritable(place)
    }
  } catch {
    // not ours: the second attempt will show
  }
}

function startOf(process: number): string | undefined {
  return identify(process)?.start_time.replace(/\W/g, '_')
}
