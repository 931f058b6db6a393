/** A copy on disk of bytes that are about to be run: the system loads libraries only from files. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { builtins } from '../core/builtins.ts'
import { messageOf } from '../core/errors.ts'
import { ensureDirectory } from './files.ts'

/** Files that an older version left are removed after this time. */
const unusedMs = 7 * 24 * 3_600_000
const writableByOthers = 0o022

/**
 * Hands `use` a file that holds exactly `bytes`, in the first of the directories (absolute; made 0700) that works, and
 * returns what it returns. The file is the user's own, and no other user can write to it. It is compared as a whole
 * through a descriptor, and `use` gets it by that descriptor, so replacing it in between has no effect. Anything else
 * in its place is replaced. If `use` throws, as where nothing may be run, the next directory is tried. Throws an Error
 * that says of each directory why it did not work.
 */
export function withPrivateFile<T>(
  directories: readonly string[],
  name: string,
  bytes: Uint8Array,
  use: (file: string) => T,
): T {
  const reasons: string[] = []
  for (const directory of directories) {
    let descriptor: number | undefined
    try {
      ensureDirectory(directory)
      assertPrivate(directory)
      const file = path.join(directory, name)
      descriptor = openSame(file, bytes)
      if (descriptor === undefined) {
        put(file, bytes)
        descriptor = openSame(file, bytes)
      }
      if (descriptor === undefined) throw new Error('the file is not what was just written')
      return use(pathOf(descriptor, file))
    } catch (error) {
      reasons.push(`${directory}: ${messageOf(error)}`)
    } finally {
      if (descriptor !== undefined) fs.closeSync(descriptor)
    }
  }
  throw new Error(reasons.join('; '))
}

function assertPrivate(directory: string): void {
  const stat = fs.lstatSync(directory)
  if (!stat.isDirectory() || stat.uid !== process.getuid?.() || (stat.mode & writableByOthers) !== 0) {
    throw new Error('not a directory that only you can write to')
  }
}

/** The open file, if it is the wanted one. */
function openSame(file: string, bytes: Uint8Array): number | undefined {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants
  let descriptor: number
  try {
    descriptor = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch {
    return undefined
  }
  const stat = fs.fstatSync(descriptor)
  const isOurs = stat.isFile() && stat.uid === process.getuid?.() && (stat.mode & writableByOthers) === 0
  if (isOurs && stat.size === bytes.length && fs.readFileSync(descriptor).equals(bytes)) return descriptor
  fs.closeSync(descriptor)
  return undefined
}

/** The path of the very file that was checked, whatever its name leads to now. Only Linux has such a path. */
function pathOf(descriptor: number, file: string): string {
  const exact = `/proc/self/fd/${descriptor}`
  return fs.existsSync(exact) ? exact : file
}

function put(file: string, bytes: Uint8Array): void {
  const temporary = `${file}.${builtins.crypto.randomBytes(6).toString('hex')}`
  try {
    fs.writeFileSync(temporary, bytes, { flag: 'wx', mode: 0o500 })
    fs.renameSync(temporary, file)
  } finally {
    fs.rmSync(temporary, { force: true })
  }
  sweep(file)
}

/** Removes files of other versions, and the half-written files of killed processes. */
function sweep(file: string): void {
  const directory = path.dirname(file)
  const kind = path.basename(file).split('-')[0] ?? ''
  for (const name of fs.readdirSync(directory)) {
    const other = path.join(directory, name)
    const stat = fs.lstatSync(other, { throwIfNoEntry: false })
    const isOld = stat?.isFile() === true && Date.now() - stat.mtimeMs > unusedMs
    if (isOld && other !== file && name.startsWith(`${kind}-`)) fs.rmSync(other, { force: true })
  }
}
