/** Counts the file handles that `ulimit -n` leaves. */
import * as fs from 'node:fs'
import * as os from 'node:os'
import { codeOf, KugetsuError, messageOf } from '../core/errors.ts'

/** What to do when no handles are left. */
export const handlesHint = 'Raise the limit of open files (ulimit -n), or end programs that hold many.'

/** Whether an error says that this process, or the system, has no file handles left. */
export function isOutOfHandles(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'EMFILE' || code === 'ENFILE'
}

/** The error `no_handles`, for a failure because no file handles are left. */
export function noHandles(cause: unknown): KugetsuError {
  return new KugetsuError(`too few file handles: ${messageOf(cause)}`, { hint: handlesHint, code: 'no_handles', cause })
}

/** A child takes eight while it starts, and others start at the same time. */
const forOneChild = 32

/**
 * Throws KugetsuError `no_handles` when too few are left to start a child process with pipes. If Node cannot make the pipes
 * of a child, it gives the child no streams at all. simple-git and execa rely on the streams, and their error ends the
 * process.
 */
export function requireHandles(): void {
  const opened: number[] = []
  try {
    while (opened.length < forOneChild) opened.push(fs.openSync(os.devNull, 'r'))
  } catch (error) {
    throw isOutOfHandles(error) ? noHandles(error) : error
  } finally {
    for (const descriptor of opened) fs.closeSync(descriptor)
  }
}
