import * as fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const lookMs = 100
/** How many of the bytes before a place in a log are compared to find the place again. */
const tailBytes = 256

/**
 * Hands over the last lines of a log, and then each whole line as it is added. The log may be missing at first. It may
 * be rotated to `<name>.1`: moved, or copied and emptied. This ends only with the signal, as an AbortError.
 */
export async function followLines(
  file: string,
  options: { last: number; signal: AbortSignal },
  print: (lines: string[]) => void,
): Promise<void> {
  let at: Place = { offset: 0, before: Buffer.alloc(0) }
  let rest = Buffer.alloc(0)
  const take = (bytes: Buffer) => {
    const before = Buffer.concat([at.before, bytes]).subarray(-tailBytes)
    at = { offset: at.offset + bytes.length, before }
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
    const lines: string[] = []
    let bytes = readOn(file, at)
    if (bytes === undefined) {
      // What was written to the previous file until it was moved away.
      lines.push(...take(readOn(`${file}.1`, at) ?? Buffer.alloc(0)))
      at = { offset: 0, before: Buffer.alloc(0) }
      rest = Buffer.alloc(0)
      bytes = readFrom(file, 0)
    }
    lines.push(...take(bytes))
    const shown = first ? lines.slice(-options.last) : lines
    if (shown.length > 0) print(shown)
    await sleep(lookMs, undefined, { signal: options.signal })
  }
}

/**
 * How far a log was read, and the bytes before: the inode stays the same when a log is emptied, and can return when it
 * is made anew.
 */
interface Place {
  offset: number
  before: Buffer
}

/** The bytes added to a file since; undefined when it is another file than before. A missing file has nothing new. */
function readOn(file: string, { offset, before }: Place): Buffer | undefined {
  if (offset > 0 && look(file) === undefined) return Buffer.alloc(0)
  const bytes = readFrom(file, offset - before.length)
  return bytes.subarray(0, before.length).equals(before) ? bytes.subarray(before.length) : undefined
}

function look(file: string): fs.Stats | undefined {
  try {
    return fs.statSync(file, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** The bytes of a file from `offset` on; empty when the file is missing. Never waits for a pipe. */
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
