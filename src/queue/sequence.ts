/**
 * Numbers that only grow, also with concurrent callers and when the clock is set back. Without a lock: loading the lock
 * code takes longer than all the rest of an enqueue.
 *
 * A directory has the last number as the name of an empty file. A process takes a number by creating a higher one, which
 * only one process can do, and looking again. If it sees a higher number than its own, it was overtaken and tries again,
 * because its own number may have been taken and cleared away before. Only the owner of a number clears lower ones away,
 * so the highest stays.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { KugetsuError } from '../core/errors.ts'
import { claimName, ensureDirectory, listDirectory, removeFile, setAside } from '../platform/files.ts'

/** Up to the milliseconds of the year 2255: longer names are not ours, and ids that sort as text must be equally long. */
const ownName = /^(?:\d{1,12}|[1-8]\d{12})$/

/**
 * Takes a number of at least `atLeast`, higher than all taken before. `known` gives the highest so far if the directory
 * has none. The number is durable once the caller has synced the directory. Throws KugetsuError when the directory
 * cannot be written.
 */
export function takeNumber(directory: string, atLeast: number, known: () => number): number {
  if (isInTheWay(directory)) setAside(directory, new Date())
  ensureDirectory(directory)
  for (;;) {
    const number = Math.max(atLeast, (highest(numbersIn(directory)) ?? known()) + 1)
    if (!ownName.test(`${number}`)) {
      throw new KugetsuError(`cannot count on from what is in ${directory}`, {
        hint: 'Delete the file there with a name far in the future.',
        code: 'unwritable',
      })
    }
    if (!claimName(path.join(directory, `${number}`))) continue
    const numbers = numbersIn(directory)
    if (highest(numbers) !== number) continue
    for (const each of numbers) if (each < number) clearAway(path.join(directory, `${each}`))
    return number
  }
}

/** Whether something is there other than a directory or a link to one. */
function isInTheWay(directory: string): boolean {
  try {
    return fs.lstatSync(directory, { throwIfNoEntry: false }) !== undefined && !fs.statSync(directory).isDirectory()
  } catch {
    return true // a link to nowhere
  }
}

/** Removes a lower number. One that cannot be removed, such as a directory, stays and does no harm. */
function clearAway(file: string): void {
  try {
    removeFile(file)
  } catch {
    // a lower number changes nothing
  }
}

function numbersIn(directory: string): number[] {
  return listDirectory(directory)
    .filter((name) => ownName.test(name))
    .map(Number)
}

function highest(numbers: number[]): number | undefined {
  return numbers.length === 0 ? undefined : Math.max(...numbers)
}
