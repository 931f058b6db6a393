/**
 * Numbers that only grow, whoever asks at the same time, and also when the clock is put back. Without a lock: to load
 * what locks takes longer than all the rest of an enqueue.
 *
 * A directory has the last number as the name of an empty file. A number is taken by creating a higher one, which only
 * one process can, and looking again. Who sees a higher one than its own was overtaken and tries anew, because its own
 * may have been taken, and cleared away, before. Only who has a number clears lower ones away, so the highest stays.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { KugetsuError } from '../core/errors.ts'
import { claimName, ensureDirectory, listDirectory, removeFile, setAside } from '../platform/files.ts'

/** Up to the milliseconds of the year 2255: what is longer was not made here, and ids that sort as text must be equally long. */
const ownName = /^(?:\d{1,12}|[1-8]\d{12})$/

/**
 * Takes a number that is at least `atLeast` and higher than all that were taken before; `known` is asked for the
 * highest so far when the directory does not tell. It is durable once the directory is synced, which is for who makes
 * what it numbers. Throws KugetsuError when the directory cannot be written.
 */
export function takeNumber(directory: string, atLeast: number, known: () => number): number {
  if (isInTheWay(directory)) setAside(directory, new Date())
  ensureDirectory(directory)
  for (;;) {
    const number = Math.max(atLeast, (highest(numbersIn(directory)) ?? known()) + 1)
    if (!ownName.test(`${number}`)) {
      throw new KugetsuError(`cannot count on from what is in ${directory}`, {
        hint: 'Delete the file there whose name is far in the future.',
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

/** Something lies there that is no directory, nor a link to one. */
function isInTheWay(directory: string): boolean {
  try {
    return fs.lstatSync(directory, { throwIfNoEntry: false }) !== undefined && !fs.statSync(directory).isDirectory()
  } catch {
    return true // a link to nowhere
  }
}

/** What cannot be cleared away, as a directory, is only not cleared away. */
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
