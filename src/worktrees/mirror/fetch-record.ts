/**
 * How many fetches of a mirror were begun, and which one was completed last. These are numbers, not times: a clock that
 * jumps must not make an old fetch look new. They serve calls that overlap, so they need not survive a reboot. A record that
 * a power cut lost or cut off lets no fetch be skipped.
 */
import { isNoText, readText, setAside, writeAtomic } from '../../platform/files.ts'

export interface Fetches {
  begun: number
  completed: number
}

/** The record beside the lock. A record that cannot be parsed never lets a fetch be skipped. */
export function fetchesSoFar(lockFile: string): Fetches {
  const text = recorded(recordOf(lockFile))
  if (text === undefined) return { begun: 0, completed: 0 }
  const numbers = /^(\d{1,15}) (\d{1,15})\n$/.exec(text)
  return numbers === null
    ? { begun: Infinity, completed: 0 }
    : { begun: Number(numbers[1]), completed: Number(numbers[2]) }
}

/** Records the beginning of a fetch; returns its number. The caller holds the lock. */
export function beginFetch(lockFile: string): number {
  const { begun, completed } = fetchesSoFar(lockFile)
  const number = Number.isFinite(begun) ? begun + 1 : 1
  writeAtomic(recordOf(lockFile), `${number} ${completed}\n`, 'unsynced')
  return number
}

export function completeFetch(lockFile: string, number: number): void {
  writeAtomic(recordOf(lockFile), `${number} ${number}\n`, 'unsynced')
}

function recorded(file: string): string | undefined {
  try {
    return readText(file)
  } catch (error) {
    if (!isNoText(error)) throw error
    setAside(file, new Date())
    return ''
  }
}

function recordOf(lockFile: string): string {
  return lockFile.replace(/(\.lock)?$/, '.fetches')
}
