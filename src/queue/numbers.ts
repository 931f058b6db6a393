/**
 * Numbers that only grow, whoever asks at the same time, and also when the clock is put back. Without a lock: to load
 * what locks takes longer than all the rest of an enqueue.
 *
 * A directory has the last number as the name of an empty file. A number is taken by creating a higher one, which only
 * one process can, and looking again. Who sees a higher one than its own was overtaken and tries anew, because its own
 * may have been taken, and cleared away, before. Only who has a number clears lower ones away, so the highest stays.
 */
import * as path from 'node:path'
import { claimName, ensureDirectory, listDirectory, removeFile } from '../platform/files.ts'

/** Up to the milliseconds of the year 2255: what is longer was not made here, and ids that sort as text must be equally long. */
const ownName = /^(?:\d{1,12}|[1-8]\d{12})$/

/**
 * Takes a number that is at least `atLeast` and higher than all that were taken before; `known` is asked for the
 * highest so far when the directory does not tell. Throws KugetsuError when the directory cannot be written.
 */
export function takeNumber(directory: string, atLeast: number, known: () => number): number {
  ensureDirectory(directory)
  for (;;) {
    const number = Math.max(atLeast, (highest(numbersIn(directory)) ?? known()) + 1)
    if (!claimName(path.join(directory, `${number}`))) continue
    const numbers = numbersIn(directory)
    if (highest(numbers) !== number) continue
    for (const each of numbers) if (each < number) removeFile(path.join(directory, `${each}`))
    return number
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
