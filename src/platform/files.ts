/**
 * The one place that writes state. A file is whole, old or new: temporary file opened with `wx`, all bytes
 * written, fsync, close, rename (or link, which never clobbers), fsync of the directory. write-file-atomic was
 * measured to commit truncated files on a full disk, so these few lines are ours.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { codeOf, KugetsuError, messageOf } from '../core/errors.ts'

const fileMode = 0o600
const directoryMode = 0o700
const rotateAtBytes = 5_000_000

/** Creates a directory and its parents, 0700. Throws KugetsuError when it cannot. */
export function ensureDirectory(directory: string): void {
  try {
    makeDirectories(path.resolve(directory))
  } catch (error) {
    throw unwritable(directory, error)
  }
}

/** Node's own `recursive` never returns where an existing directory answers ENOENT, as /proc does. */
function makeDirectories(directory: string): void {
  try {
    fs.mkdirSync(directory, { mode: directoryMode })
  } catch (error) {
    if (fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true) return
    const parent = path.dirname(directory)
    if (codeOf(error) !== 'ENOENT' || fs.existsSync(parent)) throw error
    makeDirectories(parent)
    makeDirectories(directory)
  }
}

/** Writes a whole file or nothing; durable when it returns. Throws KugetsuError when it cannot. */
export function writeAtomic(file: string, content: string): void {
  const temporary = writeTemporary(file, content)
  try {
    fs.renameSync(temporary, file)
  } catch (error) {
    fs.rmSync(temporary, { force: true })
    throw unwritable(file, error)
  }
  syncDirectory(path.dirname(file))
}

/** Writes a value as JSON that a person can read; whole or not at all, as writeAtomic. */
export function writeJson(file: string, value: unknown): void {
  writeAtomic(file, `${JSON.stringify(value, null, 2)}\n`)
}

/** Moves a log that has grown large to `<name>.1`, in the place of the one before. Throws the system's error. */
export function rotate(file: string): void {
  const size = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size > rotateAtBytes) fs.renameSync(file, `${file}.1`)
}

/** Like writeAtomic, but never replaces: false when the file is there already. */
export function createExclusive(file: string, content: string): boolean {
  const temporary = writeTemporary(file, content)
  try {
    fs.linkSync(temporary, file)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw unwritable(file, error)
  } finally {
    fs.rmSync(temporary, { force: true })
  }
  syncDirectory(path.dirname(file))
  return true
}

/** Creates an empty file, durable when it returns; false when the name is taken already. */
export function claimName(file: string): boolean {
  try {
    fs.closeSync(fs.openSync(file, 'wx', fileMode))
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw unwritable(file, error)
  }
  syncDirectory(path.dirname(file))
  return true
}

/** The text of a file, or undefined when there is none. Other failures are KugetsuErrors that name the file. */
export function readText(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    throw new KugetsuError(`cannot read ${file}: ${messageOf(error)}`, { code: 'unreadable', cause: error })
  }
}

export interface ReadFile {
  text: string
  /** Of the very file that was read; only when it was asked for. */
  stat: fs.Stats | undefined
}

/**
 * The text of a small regular file (under 64 KB), with as few system calls as can be: for directories with thousands
 * of them. undefined for everything else: no file, an empty or a large one, one that is none or cannot be read.
 */
export function readSmall(file: string, options: { stat: boolean }): ReadFile | undefined {
  let descriptor: number | undefined
  try {
    // A link is not followed, and nothing waits for whoever writes into a pipe.
    descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK)
    const length = fs.readSync(descriptor, (room ??= Buffer.allocUnsafeSlow(roomBytes)))
    if (length === 0 || length === roomBytes) return undefined
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
    throw new KugetsuError(`cannot read ${directory}: ${messageOf(error)}`, { code: 'unreadable', cause: error })
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

function writeTemporary(file: string, content: string): string {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.${unique()}`)
  let descriptor: number | undefined
  try {
    descriptor = fs.openSync(temporary, 'wx', fileMode)
    fs.writeFileSync(descriptor, content)
    fs.fsyncSync(descriptor)
    fs.closeSync(descriptor)
    return temporary
  } catch (error) {
    if (descriptor !== undefined) closeQuietly(descriptor)
    fs.rmSync(temporary, { force: true })
    throw unwritable(file, error)
  }
}

/** Differs from call to call; with the pid from process to process. No more is needed, and crypto takes time to load. */
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

function syncDirectory(directory: string): void {
  const descriptor = fs.openSync(directory, 'r')
  try {
    fs.fsyncSync(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}

function unwritable(file: string, cause: unknown): KugetsuError {
  const code = codeOf(cause)
  const hint =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'The disk is full: free some space and try again.'
      : 'Make it writable, or choose another home with KUGETSU_DIR.'
  return new KugetsuError(`cannot write ${file}: ${messageOf(cause)}`, { hint, code: 'unwritable', cause })
}
