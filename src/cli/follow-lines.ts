import * as fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const lookMs = 100

/**
 * Hands over the last lines of a log and then those that are added, whole ones, also when the log is rotated to
 * `<name>.1` or is not there yet. It ends only with the signal, as an AbortError.
 */
export async function followLines(
  file: string,
  options: { last: number; signal: AbortSignal },
  print: (lines: string[]) => void,
): Promise<void> {
  let at = { inode: 0, offset: 0 }
  let rest = Buffer.alloc(0)
  const take = (bytes: Buffer) => {
    const all = Buffer.concat([rest, bytes])
    const end = all.lastIndexOf(10) + 1
    rest = all.subarray(end)
    return end === 0
      ? []
      : all
          .subarray(0, end - 1)
          .toString('utf8')
          .split('\n')
  }
  for (let first = true; ; first = false) {
    const stat = look(file)
    const lines: string[] = []
    if (stat !== undefined && (stat.ino !== at.inode || stat.size < at.offset)) {
      // What was written to the one before until it was moved away.
      if (look(`${file}.1`)?.ino === at.inode) {
        lines.push(...take(readFrom(`${file}.1`, at.offset)))
      }
      at = { inode: stat.ino, offset: 0 }
      rest = Buffer.alloc(0)
    }
    const bytes = readFrom(file, at.offset)
    at.offset += bytes.length
    lines.push(...take(bytes))
    const shown = first ? lines.slice(-options.last) : lines
    if (shown.length > 0) print(shown)
    await sleep(lookMs, undefined, { signal: options.signal })
  }
}

function look(file: string): fs.Stats | undefined {
  try {
    return fs.statSync(file, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** What is in a file from `offset` on; nothing when there is none. A pipe is never waited for. */
export function readFrom(file: string, offset: number): Buffer {
  let descriptor: number
  try {
    descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  } catch {
    return Buffer.alloc(0)
  }
  try {
    const stat = fs.fstatSync(descriptor)
    if (!stat.isFile()) return Buffer.alloc(0)
    const buffer = Buffer.alloc(Math.max(0, stat.size - offset))
    return buffer.subarray(0, fs.readSync(descriptor, buffer, 0, buffer.length, offset))
  } finally {
    fs.closeSync(descriptor)
  }
}
