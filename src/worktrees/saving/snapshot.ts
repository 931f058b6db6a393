/** The files, the index and the ignored files of a worktree as trees, byte for byte. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { KugetsuError } from '../../core/errors.ts'
import { type ByteName, charactersOf, displayName, nameIn, namesIn, writeNames } from '../../platform/byte-names.ts'
import { copyRegular } from '../../platform/regular-file.ts'
import type { GitRepository } from '../../git/repository.ts'
import { gitFailure } from '../../git/failure.ts'
import { type Place, recordsDirectory } from '../../git/place.ts'

export interface SnapshotOptions {
  /** A plain repository (withPlainRepository), with the names for commits. */
  plain: GitRepository
  place: Exclude<Place, { kind: 'unknown' }>
  /** The worktree. */
  path: string
  head: string | undefined
  /** Whether to take the files; for a missing worktree, what its index has. */
  files: boolean
  /** Files and directories (ending in `/`) that git does not know. All of them must end up among the files. */
  untracked: readonly ByteName[]
  /** Files and directories to take no matter what git says of them: ignored, hidden from it, private. */
  ignored: readonly ByteName[]
  /** The user's own exclude file of the repository. */
  exclude: string
  /** The worktree's setting of `core.excludesFile`, if any. */
  excludesFile: string | undefined
}

export interface Snapshot {
  files: string | undefined
  /** Undefined when it has conflicts, which no tree can hold, or when files were not wanted. */
  index: string | undefined
  ignored: string | undefined
}

/**
 * Writes the trees with an index and a git directory of our own; the worktree's are not touched. Throws KugetsuError
 * `unsavable` for a repository inside the worktree, and for files that git does not take.
 */
export async function takeSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const { plain, place } = options
  const directory = plain.path
  const inside = plain.with({ cwd: options.path, variables: { GIT_WORK_TREE: options.path } })
  const gitDirectory = recordsDirectory(place)
  copyRegular(options.exclude, path.join(directory, 'info', 'exclude'))
  if (options.excludesFile !== undefined) {
    await plain.git(['config', '--file', path.join(directory, 'config'), 'core.excludesFile', options.excludesFile])
  }
  let files: string | undefined
  let index: string | undefined
  if (options.files && gitDirectory !== undefined) {
    for (const name of fs.readdirSync(gitDirectory)) {
      if (name === 'index' || name.startsWith('sharedindex.'))
        copyWithTime(path.join(gitDirectory, name), path.join(directory, name))
    }
    // From a copy: writing a tree may write the index and must not change its time.
    const copy = path.join(directory, 'index-as-it-is')
    copyRegular(path.join(gitDirectory, 'index'), copy)
    const asItIs = plain.with({ variables: { GIT_INDEX_FILE: copy } })
    index = await asItIs.line(['write-tree']).catch(unlessUnmerged)
    files = index
    if (place.kind !== 'missing') {
      await inside.git(['add', '--all', '--', '.'])
      await refuseNested(inside, options.head)
      await requireTaken(inside, options.untracked)
      files = await inside.line(['write-tree'])
    }
  }
  return { files, index, ignored: await takeIgnored(options, inside) }
}

async function takeIgnored(options: SnapshotOptions, inside: GitRepository): Promise<string | undefined> {
  if (options.ignored.length === 0) return undefined
  const list = path.join(options.plain.path, 'ignored')
  writeNames(list, options.ignored)
  const literally = inside.with({ variables: { GIT_LITERAL_PATHSPECS: '1' } })
  await literally.git(['read-tree', '--empty'])
  await literally.git(['add', '--force', `--pathspec-from-file=${list}`, '--pathspec-file-nul'])
  return await literally.line(['write-tree'])
}

/** Throws for a repository inside the worktree: the tree would hold only its commit id, and its files would be lost. */
async function refuseNested(inside: GitRepository, head: string | undefined): Promise<void> {
  const base = await (head === undefined ? emptyTree(inside) : inside.line(['rev-parse', `${head}^{tree}`]))
  const args = ['diff-index', '--cached', '--raw', '-z', '--no-renames', '--ignore-submodules=none', base, '--']
  const fields = (await inside.bytes(args)).split('\0')
  const nested = fields
    .filter((_, at) => /^:\d{6} 160000 /.test(fields[at - 1] ?? ''))
    .map(nameIn)
    .map(displayName)
  if (nested.length > 0) {
    throw new KugetsuError(`repositories inside the worktree cannot be saved: ${nested.join(', ')}`, {
      hint: 'Move them away first.',
      code: 'unsavable',
    })
  }
}

/** Throws for files that `git status` reports but `git add` left out for whatever reason: they would be lost. */
async function requireTaken(inside: GitRepository, untracked: readonly ByteName[]): Promise<void> {
  if (untracked.length === 0) return
  const taken = namesIn(await inside.bytes(['ls-files', '-z'])).map(charactersOf)
  const names = new Set(taken)
  const left = untracked.filter((name) => {
    const wanted = charactersOf(name)
    return !names.has(wanted) && !(wanted.endsWith('/') && taken.some((each) => each.startsWith(wanted)))
  })
  if (left.length === 0) return
  throw new KugetsuError(`git cannot save ${left.slice(0, 5).map(displayName).join(', ')}`, {
    hint: 'Move that away first.',
    code: 'unsavable',
  })
}

/** Makes the tree without a file. */
export async function emptyTree(repository: GitRepository): Promise<string> {
  return await repository.line(['hash-object', '-w', '-t', 'tree', '/dev/null'])
}

function unlessUnmerged(error: unknown): undefined {
  if (/unmerged|error building trees/.test(gitFailure(error)?.stderr ?? '')) return undefined
  throw error
}

/**
 * Git compares the contents only of files that were changed within the second in which the index was written. It tells these
 * by the time of the index: with a new time it would miss such a change.
 */
function copyWithTime(from: string, to: string): void {
  copyRegular(from, to)
  const seconds = Math.floor(fs.statSync(from).mtimeMs / 1000)
  fs.utimesSync(to, seconds, seconds)
}
