/**
 * The one place that writes state. A file is whole, old or new: temporary file opened with `wx`, all bytes
 * written, fsync, close, rename (or link, which never clobbers), fsync of the directory. write-file-atomic was
 * measured to commit truncated files on a full disk, so these few lines are ours.
 */
import { isUtf8 } from 'node:buffer'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { codeOf, KugetsuError, messageOf } from '../core/errors.ts'
import { handlesHint, isOutOfHandles } from './file-handles.ts'
import { noText, readRegular, unreadable } from './regular-file.ts'

export { isNoText } from './regular-file.ts'

const fileMode = 0o600
const directoryMode = 0o700
const rotateAtBytes = 5_000_000
/** No state file comes near this size, and reading a far larger file would take all memory. */
const longestStateBytes = 20_000_000

/** Creates a directory and its parents, 0700. Throws KugetsuError when it cannot. */
export function ensureDirectory(directory: string): void {
  try {
    makeDirectories(path.resolve(directory))
  } catch (error) {
    throw unwritable(directory, error)
  }
}

/** Node's own `recursive` never returns when an existing directory answers ENOENT, as /proc does. */
function makeDirectories(directory: string, isLastTry = false): void {
  const isThere = () => fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true
  if (isThere()) return
  try {
    fs.mkdirSync(directory, { mode: directoryMode })
  } catch (error) {
    if (isThere()) return
    if (codeOf(error) !== 'ENOENT' || isLastTry) throw error
    // Others may begin in the same new home at the same time: the parent may exist by now.
    if (!fs.existsSync(path.dirname(directory))) makeDirectories(path.dirname(directory))
    makeDirectories(directory, true)
  }
}

/** Writes a whole file or nothing; durable when it returns unless `unsynced`. Throws KugetsuError when it cannot. */
export function writeAtomic(file: string, content: string, unsynced?: 'unsynced'): void {
  const temporary = writeTemporary(file, content, unsynced)
  try {
    fs.renameSync(temporary, file)
  } catch (error) {
    fs.rmSync(temporary, { force: true })
    throw unwritable(file, error)
  }
  if (unsynced === undefined) syncDirectory(path.dirname(file))
}

/** Writes a value as JSON that a person can read; whole or not at all, as writeAtomic. */
export function writeJson(file: string, value: unknown): void {
  writeAtomic(file, `${JSON.stringify(value, null, 2)}\n`)
}

/** Moves a log that has grown large to `<name>.1`, replacing the previous one. Throws the system's error. */
export function rotate(file: string): void {
  const size = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size > rotateAtBytes) fs.renameSync(file, `${file}.1`)
}

/**
 * The same for a log that others have open: copies it to `<name>.1`, then empties it. Processes that append to it
 * (openToAppend) continue at its beginning. What another process writes in the instant between the two is lost. Returns
 * whether it was rotated. Throws the system's error.
 */
export function rotateInPlace(file: string): boolean {
  const found = fs.lstatSync(file, { throwIfNoEntry: false })
  if (found === undefined || !found.isFile() || found.size <= rotateAtBytes) return false
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.${unique()}`)
  try {
    fs.copyFileSync(file, temporary, fs.constants.COPYFILE_EXCL)
    fs.renameSync(temporary, `${file}.1`)
  } catch (error) {
    fs.rmSync(temporary, { force: true })
    throw error
  }
  fs.truncateSync(file)
  return true
}

/**
 * Like writeAtomic, but never replaces: false when the file exists already. First makes the contents of `before`
 * durable.
 */
export function createExclusive(file: string, content: string, before?: string): boolean {
  const temporary = writeTemporary(file, content)
  try {
    if (before !== undefined) syncDirectory(before)
    fs.linkSync(temporary, file)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw unwritable(file, error)
  } finally {
    removeFile(temporary)
  }
  syncDirectory(path.dirname(file))
  return true
}

/** Creates an empty file, durable once its directory is synced; false when the name is taken already. */
export function claimName(file: string): boolean {
  try {
    fs.closeSync(fs.openSync(file, 'wx', fileMode))
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw unwritable(file, error)
  }
  return true
}

/**
 * The text of a state file, or undefined when there is none. Failures are KugetsuErrors that name the file: `no_text` when
 * it can hold no state for any reader (a directory, a pipe, a device, bytes that are not UTF-8, more than `longestBytes`),
 * `unreadable` when it cannot be read.
 */
export function readText(file: string, longestBytes = longestStateBytes): string | undefined {
  const bytes = readRegular(file, longestBytes)
  if (bytes !== undefined && !isUtf8(bytes)) throw noText(file, 'it is not UTF-8 text')
  return bytes?.toString('utf8')
}

/** The text of a log, of any length, or undefined when there is none; broken characters are replaced. Throws as readText. */
export function readLog(file: string, longestBytes = Infinity): string | undefined {
  return readRegular(file, longestBytes)?.toString('utf8')
}

/** Adds to a file, which is made if it is missing, 0600. Throws as openToAppend. */
export function appendText(file: string, text: string): void {
  const descriptor = openToAppend(file)
  try {
    fs.writeFileSync(descriptor, text)
  } finally {
    fs.closeSync(descriptor)
  }
}

/**
 * Opens a log for appending, and for a look at its end. Anything else in its place is set aside: nothing is written
 * through a link, and a pipe without a reader blocks no caller. Throws the system's error, or KugetsuError
 * `unwritable`.
 */
export function openToAppend(file: string): number {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = fs.constants
  const found = fs.lstatSync(file, { throwIfNoEntry: false })
  if (found !== undefined && !found.isFile()) setAside(file, new Date())
  const descriptor = fs.openSync(file, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, fileMode)
  if (fs.fstatSync(descriptor).isFile()) return descriptor
  fs.closeSync(descriptor)
  throw new KugetsuError(`cannot write ${file}: it is not a file`, { hint: 'Move it away.', code: 'unwritable' })
}

export interface ReadFile {
  text: string
  /** Of the very file that was read; only when requested. */
  stat: fs.Stats | undefined
}

/**
 * The text of a small regular file (under 64 KB), with as few system calls as possible: for directories with thousands
 * of them. Undefined for everything else: a missing, empty, large or unreadable file, one of another
 * kind, one with bytes that are not UTF-8.
 */
export function readSmall(file: string, options: { stat: boolean }): ReadFile | undefined {
  let descriptor: number | undefined
  try {
    // Follows no link, and waits for no writer of a pipe.
    descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK)
    const length = fs.readSync(descriptor, (room ??= Buffer.allocUnsafeSlow(roomBytes)))
    if (length === 0 || length === roomBytes || !isUtf8(room.subarray(0, length))) return undefined
    return { text: room.toString('utf8', 0, length), stat: options.stat ? fs.fstatSync(descriptor) : undefined }
  } catch {
    return undefined
  } finally {
    if (descriptor !== undefined) closeQuietly(descriptor)
  }
}

const roomBytes = 65_536
let room: Buffer | undefined

/** The names in a directory, sorted; none when it does not exist. */
export function listDirectory(directory: string): string[] {
  try {
    return fs.readdirSync(directory).sort()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw unreadable(directory, error)
  }
}

/** Deletes a file; false when it was gone already (somebody else deleted it). */
export function removeFile(file: string): boolean {
  try {
    fs.unlinkSync(file)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw unwritable(file, error)
  }
}

/**
 * Moves a file that cannot be understood out of the way, its bytes kept, and returns its new name
 * (`<name>.unreadable-<time>`), or undefined when it could not be moved or was gone.
 */
export function setAside(file: string, now: Date): string | undefined {
  const aside = `${file}.unreadable-${now.toISOString().replace(/[:.]/g, '')}-${unique()}`
  try {
    fs.renameSync(file, aside)
    return aside
  } catch {
    return undefined
  }
}

function writeTemporary(file: string, content: string, unsynced?: 'unsynced'): string {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.${unique()}`)
  let descriptor: number | undefined
  try {
    descriptor = fs.openSync(temporary, 'wx', fileMode)
    fs.writeFileSync(descriptor, content)
    if (unsynced === undefined) fs.fsyncSync(descriptor)
    fs.closeSync(descriptor)
    return temporary
  } catch (error) {
    if (descriptor !== undefined) closeQuietly(descriptor)
    fs.rmSync(temporary, { force: true })
    throw unwritable(file, error)
  }
}

/** Differs from call to call, and with the pid from process to process. No more is needed, and crypto takes time to load. */
function unique(): string {
  return process.hrtime.bigint().toString(36)
}

function closeQuietly(descriptor: number): void {
  try {
    fs.closeSync(descriptor)
  } catch {
    // already closed
  }
}

/** Makes the names in a directory durable. Throws the system's error. */
export function syncDirectory(directory: string): void {
  const descriptor = fs.openSync(directory, 'r')
  try {
    fs.fsyncSync(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}

/** The error for a file that cannot be written, with a hint by its cause. */
export function unwritable(file: string, cause: unknown): KugetsuError {
  const code = codeOf(cause)
  const hint = isOutOfHandles(cause)
    ? handlesHint
    : code === 'ENOSPC' || code === 'EDQUOT'
      ? 'The disk is full: free some space and try again.'
      : 'Make it writable, or choose another home with KUGETSU_DIR.'
  return new KugetsuError(`cannot write ${file}: ${messageOf(cause)}`, { hint, code: 'unwritable', cause })
}
