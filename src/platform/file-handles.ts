/** File handles: what is left of `ulimit -n`. */
import * as fs from 'node:fs'
import * as os from 'node:os'
import { codeOf, KugetsuError, messageOf } from '../core/errors.ts'

/** What to do when there are none left. */
export const handlesHint = 'Raise the limit of open files (ulimit -n), or end what holds so many.'

/** Whether an error says that this process, or the system, has no file handles left. */
export function isOutOfHandles(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'EMFILE' || code === 'ENFILE'
}

/** A child takes eight while it begins, and others begin at the same time. */
const forOneChild = 32

/**
 * Throws KugetsuError `no_handles` when too few are left to start a child process with pipes. Node gives a child whose
 * pipes it cannot make no streams at all; simple-git and execa count on them, and their error ends the process.
 */
export function requireHandles(): void {
  const opened: number[] = []
  try {
    while (opened.length < forOneChild) opened.push(fs.openSync(os.devNull, 'r'))
  } catch (error) {
    if (!isOutOfHandles(error)) throw error
    throw new KugetsuError(`too few file handles: ${messageOf(error)}`, {
      hint: handlesHint,
      code: 'no_handles',
      cause: error,
    })
  } finally {
    for (const descriptor of opened) fs.closeSync(descriptor)
  }
}
