/**
 * Files that git reports as changed although git itself wrote them: their contents do not survive the repository's own
 * line-end conversion, filters or git-lfs, or the file system takes two names for one.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { type ByteName, byteName } from '../platform/byte-names.ts'
import { ensureDirectory } from '../platform/files.ts'
import { copyRegular } from '../platform/regular-file.ts'
import type { GitRepository } from '../git/repository.ts'
import { removeTree, sweepTemporary, temporarySibling } from '../git/temporary.ts'

/**
 * Whether nothing is staged, and each tracked file of the worktree that git reports as changed is byte for byte what a checkout of the index writes. The files are checked out again beside the worktree and compared.
 * Untracked files, submodules and the files in `except` are not checked. Throws KugetsuError when git fails.
 */
export async function isAsCheckedOut(worktree: GitRepository, except: readonly ByteName[] = []): Promise<boolean> {
  if ((await worktree.ask(['diff-index', '--cached', '--quiet', 'HEAD', '--'])) === undefined) return false
  const place = `${worktree.path}.again` // in the same file system, which may fold names
  const directory = temporarySibling(place)
  const [list, index, again] = ['list', 'index', 'files'].map((name) => path.join(directory, name)) as [
    string,
    string,
    string,
  ]
  try {
    await sweepTemporary(place, 'ofTheDead')
    ensureDirectory(again)
    // git writes the list to a file, not to its output, because names are bytes.
    await worktree.git(['diff-files', '--name-only', '-z', `--output=${list}`])
    const names = namesIn(fs.readFileSync(list)).filter((name) => !except.includes(byteName(name)))
    fs.writeFileSync(list, Buffer.concat(names.flatMap((name) => [name, Buffer.from([0])])))
    if (names.length === 0) return true
    copyRegular(path.join(worktree.call.variables?.['GIT_DIR'] ?? '', 'index'), index)
    const variables = { GIT_WORK_TREE: again, GIT_INDEX_FILE: index, GIT_LITERAL_PATHSPECS: '1' }
    const checkout = ['checkout', '--quiet', `--pathspec-from-file=${list}`, '--pathspec-file-nul']
    await worktree.with({ cwd: again, variables }).git(checkout)
    for (const name of names) if (!(await isSame(within(worktree.path, name), within(again, name)))) return false
    return true
  } finally {
    await removeTree(directory)
  }
}

function namesIn(list: Buffer): Buffer[] {
  const names: Buffer[] = []
  for (let from = 0, end: number; (end = list.indexOf(0, from)) !== -1; from = end + 1)
    names.push(list.subarray(from, end))
  return names
}

function within(directory: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${directory}${path.sep}`), name])
}

/** A path that was a file a moment ago may be a pipe now: opening it must not block. */
const withoutWaiting = fs.constants.O_RDONLY | fs.constants.O_NONBLOCK | fs.constants.O_NOFOLLOW

/** Both are the same link, or files with the same bytes and the same executable bit. */
async function isSame(one: Buffer, other: Buffer): Promise<boolean> {
  const [here, there] = [one, other].map((file) => fs.lstatSync(file, { throwIfNoEntry: false }))
  if (here?.isSymbolicLink() === true && there?.isSymbolicLink() === true) {
    return fs.readlinkSync(one, 'buffer').equals(fs.readlinkSync(other, 'buffer'))
  }
  if (here?.isFile() !== true || there?.isFile() !== true) return false
  if (here.size !== there.size || ((here.mode ^ there.mode) & 0o100) !== 0) return false
  const files = await Promise.all([one, other].map((file) => fs.promises.open(file, withoutWaiting)))
  try {
    const buffers = [Buffer.alloc(65_536), Buffer.alloc(65_536)] as const
    for (;;) {
      const [read, more] = await Promise.all(files.map((file, at) => fill(file, buffers[at === 0 ? 0 : 1])))
      if (read === undefined || more === undefined || !read.equals(more)) return false
      if (read.length === 0) return true
    }
  } finally {
    await Promise.all(files.map((file) => file.close()))
  }
}

/** Reads the next bytes of a file. Returns less than a full buffer only at the end of the file. */
async function fill(file: fs.promises.FileHandle, buffer: Buffer): Promise<Buffer> {
  let filled = 0
  for (;;) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled)
    filled += bytesRead
    if (bytesRead === 0 || filled === buffer.length) return buffer.subarray(0, filled)
  }
}
