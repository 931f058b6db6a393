/** Where a secret has left traces. */
import * as fs from 'node:fs'
import * as path from 'node:path'

/** The files below a directory that have `text` in them, relative to it. */
export function filesWith(directory: string, text: string): string[] {
  return fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => readIfThere(file).includes(text))
    .map((file) => path.relative(directory, file))
}

/** The command lines with `text` in them, of all processes that this one may see. */
export function commandLinesWith(text: string): string[] {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => readIfThere(`/proc/${pid}/cmdline`).toString('utf8'))
    .filter((line) => line.includes(text))
}

function readIfThere(file: string): Buffer {
  try {
    return fs.readFileSync(file)
  } catch {
    return Buffer.alloc(0) // gone since it was listed
  }
}
