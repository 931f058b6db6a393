/**
 * The one way to read a file that others can replace by something else: in a worktree, in a mirror, in the home. Anything
 * but a regular file, by itself or behind a link, is an error that names it. A pipe or a device is never waited for, since
 * no signal would end that.
 */
import * as fs from 'node:fs'
import { codeOf, KugetsuError, messageOf } from '../core/errors.ts'
import { byteName, displayName } from './byte-names.ts'
import { handlesHint, isOutOfHandles } from './file-handles.ts'

/**
 * The bytes of a file, or undefined when there is none. Throws KugetsuErrors that name the file: `no_text` when it is not a
 * regular file or has more than `longest` bytes, `unreadable` when it cannot be read.
 */
export function readRegular(file: string | Buffer, longest = Infinity): Buffer | undefined {
  return withRegular(file, (descriptor, { size }) => {
    if (size > longest) throw noText(file, `it has ${Math.round(size / 1e6)} MB`)
    return fs.readFileSync(descriptor)
  })
}

/** The first bytes of a file, fewer when it is shorter; undefined when there is none. Throws as readRegular. */
export function beginningOf(file: string, bytes: number): Buffer | undefined {
  return withRegular(file, (descriptor) => {
    const begin = Buffer.alloc(bytes)
    return begin.subarray(0, fs.readSync(descriptor, begin))
  })
}

/** Copies the bytes of a file; false when there is none. Throws as readRegular, and the system's error on writing. */
export function copyRegular(from: string, to: string): boolean {
  const bytes = readRegular(from)
  if (bytes !== undefined) fs.writeFileSync(to, bytes)
  return bytes !== undefined
}

/** Whether an error says that a file can hold no state, so that it may be set aside. */
export function isNoText(error: unknown): boolean {
  return error instanceof KugetsuError && error.code === 'no_text'
}

/** What lies in the place of a regular file, in words; undefined for a regular file. */
export function otherThanFile(stat: fs.Stats | fs.Dirent): string | undefined {
  if (stat.isFile()) return undefined
  if (stat.isDirectory()) return 'a directory'
  if (stat.isFIFO()) return 'a pipe'
  if (stat.isSymbolicLink()) return 'a link'
  return stat.isSocket() ? 'a socket' : 'a device'
}

/** What can be neither committed nor saved, and may block its reader, in words: a pipe, a socket, a device. */
export function specialKind(stat: fs.Stats | fs.Dirent | undefined): string | undefined {
  if (stat === undefined || stat.isDirectory() || stat.isSymbolicLink()) return undefined
  return otherThanFile(stat)
}

function withRegular<T>(file: string | Buffer, read: (descriptor: number, stat: fs.Stats) => T): T | undefined {
  let descriptor: number
  try {
    descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    if (codeOf(error) === 'ENXIO') throw noText(file, 'it is a socket or a device') // opening a socket fails like this
    throw unreadable(file, error)
  }
  try {
    const stat = fs.fstatSync(descriptor)
    const other = otherThanFile(stat)
    if (other !== undefined) throw noText(file, `it is ${other}`)
    return read(descriptor, stat)
  } catch (error) {
    throw error instanceof KugetsuError ? error : unreadable(file, error)
  } finally {
    fs.closeSync(descriptor)
  }
}

export function noText(file: string | Buffer, why: string): KugetsuError {
  const message = `cannot understand ${displayName(byteName(file))}: ${why}`
  return new KugetsuError(message, { hint: 'Move it away and try again.', code: 'no_text' })
}

export function unreadable(file: string | Buffer, cause: unknown): KugetsuError {
  const hint = isOutOfHandles(cause) ? handlesHint : 'Check what is at that path and its permissions.'
  const message = `cannot read ${displayName(byteName(file))}: ${messageOf(cause)}`
  return new KugetsuError(message, { hint, code: 'unreadable', cause })
}
