/**
 * A log of JSON, one value a line: the file, and `<file>.1` with the older part. Appending takes no lock and waits for no other
 * process: lines are put at the end in one write. Only moving a large file to `<file>.1` takes a lock.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { KugetsuError, messageOf } from '../core/errors.ts'
import { openToAppend, readLog, setAside, syncDirectory, unwritable } from './files.ts'
import { tryExclusive } from './locks.ts'

export interface AppendLog {
  file: string
  /** Its lock file. */
  lock: string
  /** The size, in bytes, from which on the file moves to `<file>.1`, which is replaced. */
  rotateAt: number
}

/** No log of ours comes near this size. */
const longestBytes = 50_000_000

/**
 * Appends a line for each value; durable when it returns if `synced`. Throws KugetsuError `unwritable`; on a full disk a part of
 * a line may be in the file then.
 */
export function appendLines(log: AppendLog, values: readonly object[], synced?: 'synced'): void {
  const lines = values.map((value) => `${JSON.stringify(value)}\n`).join('')
  if (lines === '') return
  rotate(log)
  try {
    while (!append(log.file, lines, synced));
  } catch (error) {
    throw error instanceof KugetsuError ? error : unwritable(log.file, error)
  }
}

/** False when the file was replaced as `<file>.1` between opening and writing, so that the lines are gone. */
function append(file: string, lines: string, synced: 'synced' | undefined): boolean {
  const descriptor = openToAppend(file)
  try {
    const { size } = fs.fstatSync(descriptor)
    // A line that was cut off, by a full disk or a power cut, must not take the next one with it.
    const bytes = Buffer.from(endsLine(descriptor, size) ? lines : `\n${lines}`)
    const written = fs.writeSync(descriptor, bytes)
    if (written < bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes were written`)
    if (synced !== undefined) {
      fs.fsyncSync(descriptor)
      if (size === 0) syncDirectory(path.dirname(file))
    }
    return fs.fstatSync(descriptor).nlink > 0
  } finally {
    fs.closeSync(descriptor)
  }
}

function endsLine(descriptor: number, size: number): boolean {
  const last = Buffer.alloc(1)
  return size === 0 || fs.readSync(descriptor, last, 0, 1, size - 1) === 0 || last.toString() === '\n'
}

/** Never throws: a log that cannot be rotated now grows until it can. */
function rotate({ file, lock, rotateAt }: AppendLog): void {
  const size = () => fs.lstatSync(file, { throwIfNoEntry: false })?.size ?? 0
  try {
    if (size() <= rotateAt) return
    const release = tryExclusive(lock)
    if (release === undefined) return // another process rotates it
    try {
      const found = size()
      if (found > longestBytes) setAside(file, new Date())
      else if (found > rotateAt) fs.renameSync(file, `${file}.1`)
    } finally {
      release()
    }
  } catch {
    // see above
  }
}

/**
 * The lines of a log, newest first; the first one is empty, half written or cut off. The older part is read on demand:
 * in this order a line is seen twice when the file moves away meanwhile, and never missed. An unreadable file is named
 * to `warn` and left out.
 */
export function* newestLines(file: string, warn: (text: string) => void): Generator<string> {
  const linesOf = (text: string) => text.split('\n').reverse()
  yield* linesOf(textOf(file, warn))
  yield* linesOf(textOf(`${file}.1`, warn))
}

function textOf(file: string, warn: (text: string) => void): string {
  try {
    return readLog(file, longestBytes) ?? ''
  } catch (error) {
    warn(messageOf(error))
    return ''
  }
}
