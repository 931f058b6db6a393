import * as fs from 'node:fs'
import * as os from 'node:os'

const { O_NONBLOCK, O_WRONLY } = fs.constants
const againMs = 200

/** Whether `file` is, or leads to, a device other than the null device: reading it may never end. */
export function isDevice(file: string): boolean {
  try {
    const stat = fs.statSync(file)
    return stat.isBlockDevice() || (stat.isCharacterDevice() && stat.rdev !== fs.statSync(os.devNull).rdev)
  } catch {
    return false
  }
}

/** Whether reading or writing `file` may wait for another process forever: it is, or leads to, a pipe or a device. */
export function mayBlock(file: string): boolean {
  try {
    const stat = fs.statSync(file)
    return stat.isFIFO() || stat.isSocket() || isDevice(file)
  } catch {
    return false
  }
}

/**
 * Gives each process that waits for a writer at one of these pipes an end of file, so that it reads an empty file. Goes on
 * for `forMs` milliseconds, or until none of the files is a pipe any more. Does nothing for files that are not pipes. A
 * further call with the same files extends the time.
 */
export function letReadersThrough(files: readonly string[], forMs = Infinity): void {
  if (!files.some(isPipe)) return
  const key = files.join('\0')
  const isWatched = until.has(key)
  until.set(key, Math.max(until.get(key) ?? 0, performance.now() + forMs))
  if (isWatched) return
  const timer = setInterval(() => {
    const isOver = performance.now() > (until.get(key) ?? 0)
    const pipes = isOver ? [] : files.filter(isPipe)
    pipes.forEach(openAndClose)
    if (pipes.length > 0) return
    clearInterval(timer)
    until.delete(key)
  }, againMs)
  timer.unref()
}

/** Until when each list of files is watched, in milliseconds of performance.now(). */
const until = new Map<string, number>()

function isPipe(file: string): boolean {
  try {
    return fs.statSync(file).isFIFO()
  } catch {
    return false
  }
}

/** Opening fails at once when the pipe has no reader. */
function openAndClose(pipe: string): void {
  try {
    fs.closeSync(fs.openSync(pipe, O_WRONLY | O_NONBLOCK))
  } catch {
    // no reader waits there, or the pipe is gone
  }
}
