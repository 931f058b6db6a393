/**
 * The files in which opencode keeps the output of commands: they can be large and hold secrets, and every user may read
 * them.
 */
import * as fs from 'node:fs'
import { messageOf } from '../core/errors.ts'

/** Keeps other users out of a directory, also out of later files of opencode there. Never throws: doctor reports it too. */
export function closeDirectory(home: { warn: (text: string) => void }, directory: string): void {
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
    if ((fs.statSync(directory).mode & 0o077) !== 0) fs.chmodSync(directory, 0o700)
  } catch (error) {
    home.warn(`other users may read what commands print: ${messageOf(error)}`)
  }
}

/** How many files there are and their size in bytes, and whether other users can read them; undefined without a directory. */
export function lookAtDirectory(
  directory: string,
  filesIn: (directory: string) => string[],
): { directory: string; files: number; bytes: number; open: boolean } | undefined {
  const stat = fs.statSync(directory, { throwIfNoEntry: false })
  if (stat === undefined) return undefined
  const sizes = filesIn(directory).map((file) => fs.lstatSync(file, { throwIfNoEntry: false })?.size ?? 0)
  return {
    directory,
    files: sizes.length,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    open: (stat.mode & 0o077) !== 0,
  }
}
