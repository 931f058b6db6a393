/**
 * Where the PM agent may read: in worktrees and in its own directory, after following links, but no files with secrets.
 * For its shell and for opencode's own tools. Part of the plugin inside opencode: plain JavaScript only.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { isWithin } from '../../platform/within.ts'

/** The directories of a home that the PM agent may read. */
const rooms = ['worktrees', 'base']

/** Names of files with secrets; also a repository's `.git`, which may have a login in an address. */
const secret = /\.env(?:\.|$)|^\.git$|^\.ssh$|^\.netrc$|^\.npmrc$|^id_(?:rsa|ed25519|ecdsa|dsa)/i

/** The files that `grep -r` must leave out, as grep patterns. */
export const leftOut = ['*.env', '*.env.*', '.netrc', '.npmrc', 'id_rsa*', 'id_ed25519*', 'id_ecdsa*', 'id_dsa*']
export const directoriesLeftOut = ['.git', '.ssh']

/**
 * Why the PM agent may not read `file` (relative to `directory`), as a sentence; undefined when it may. A missing file is
 * judged by the directories that exist.
 */
export function unreadable(home: string, file: string, directory: string): string | undefined {
  const asked = path.resolve(directory, file)
  const there = realPath(asked)
  const room = rooms.map((each) => realPath(path.join(home, each))).find((each) => isWithin(each, there))
  if (room === undefined) {
    return `${JSON.stringify(file)} is outside of the worktrees, where you may read (below ${path.join(home, 'worktrees')})`
  }
  const names = [path.basename(asked), ...path.relative(room, there).split(path.sep)]
  return names.some((name) => secret.test(name)) ? `${JSON.stringify(file)} may hold secrets` : undefined
}

/** The same for a file that a program opens: an ordinary file or, with `recursive`, a directory; no pipe and no device. */
export function unopenable(home: string, file: string, directory: string, recursive: boolean): string | undefined {
  const problem = unreadable(home, file, directory)
  if (problem !== undefined) return problem
  const stats = fs.statSync(path.resolve(directory, file), { throwIfNoEntry: false })
  if (stats === undefined || stats.isFile() || (recursive && stats.isDirectory())) return undefined
  return `${JSON.stringify(file)} is not a file${stats.isDirectory() ? ' but a directory' : ''}`
}

/** The path with all links followed, as far as it exists. */
export function realPath(file: string, links = 0): string {
  try {
    return fs.realpathSync(file)
  } catch {
    const above = path.dirname(file)
    if (above === file || links > 40) return path.parse(file).root
    // Follow a link that leads to nothing yet: its target may exist when the file is opened.
    const target = linkAt(file)
    if (target === undefined) return path.join(realPath(above, links), path.basename(file))
    return realPath(path.resolve(realPath(above, links), target), links + 1)
  }
}

function linkAt(file: string): string | undefined {
  try {
    return fs.readlinkSync(file)
  } catch {
    return undefined
  }
}
