/** The files, the index and the ignored files of a worktree as trees, byte for byte. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { KugetsuError } from '../../core/errors.ts'
import { type ByteName, charactersOf, displayName, nameIn, namesIn, writeNames } from '../../platform/byte-names.ts'
import { copyRegular } from '../../platform/regular-file.ts'
import { type GitCall, runGit, runGitForBytes } from '../../git/git.ts'
import { gitFailure } from '../../git/failure.ts'
import { type Place, recordsDirectory } from '../../git/place.ts'

export interface SnapshotOptions {
  /** A call in a plain repository (withPlainRepository), which is at `directory`. */
  call: GitCall
  directory: string
  place: Exclude<Place, { kind: 'unknown' }>
  /** The worktree. */
  path: string
  head: string | undefined
  /** Whether to take the files; of a worktree that is missing, what its index has. */
  files: boolean
  /** Files and directories (ending in `/`) that git does not know, all of which are to be among the files. */
  untracked: readonly ByteName[]
  /** The files and directories to take whatever git makes of them: ignored, hidden from it, private. */
  ignored: readonly ByteName[]
  /** The user's own exclude file of the repository. */
  exclude: string
  /** What the worktree's settings have for `core.excludesFile`, where they have any. */
  excludesFile: string | undefined
}

export interface Snapshot {
  files: string | undefined
  /** Undefined when it has conflicts, which no tree can hold, or when files were not wanted. */
  index: string | undefined
  ignored: string | undefined
}

/**
 * Writes the trees by way of an index and a git directory of our own: the worktree's are not touched.
 * Throws KugetsuError `unsavable` for a repository inside the worktree.
 */
export async function takeSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const { call, directory, place } = options
  const inside: GitCall = { ...call, cwd: options.path, variables: { ...call.variables, GIT_WORK_TREE: options.path } }
  const gitDirectory = recordsDirectory(place)
  copyRegular(options.exclude, path.join(directory, 'info', 'exclude'))
  if (options.excludesFile !== undefined) {
    await ask(['config', '--file', path.join(directory, 'config'), 'core.excludesFile', options.excludesFile], call)
  }
  let files: string | undefined
  let index: string | undefined
  if (options.files && gitDirectory !== undefined) {
    for (const name of fs.readdirSync(gitDirectory)) {
      if (name === 'index' || name.startsWith('sharedindex.'))
        copyWithTime(path.join(gitDirectory, name), path.join(directory, name))
    }
    // From a copy: to write a tree may write the index, and that must keep its time.
    const copy = path.join(directory, 'index-as-it-is')
    copyRegular(path.join(gitDirectory, 'index'), copy)
    const asItIs = { ...call, variables: { ...call.variables, GIT_INDEX_FILE: copy } }
    index = await ask(['write-tree'], asItIs).catch(unlessUnmerged)
    files = index
    if (place.kind !== 'missing') {
      await ask(['add', '--all', '--', '.'], inside)
      await refuseNested(inside, options.head)
      await requireTaken(inside, options.untracked)
      files = await ask(['write-tree'], inside)
    }
  }
  return { files, index, ignored: await takeIgnored(options, inside) }
}

async function takeIgnored(options: SnapshotOptions, inside: GitCall): Promise<string | undefined> {
  if (options.ignored.length === 0) return undefined
  const list = path.join(options.directory, 'ignored')
  writeNames(list, options.ignored)
  const call = { ...inside, variables: { ...inside.variables, GIT_LITERAL_PATHSPECS: '1' } }
  await ask(['read-tree', '--empty'], call)
  await ask(['add', '--force', `--pathspec-from-file=${list}`, '--pathspec-file-nul'], call)
  return await ask(['write-tree'], call)
}

/** A repository inside the worktree goes into a tree as a mere commit id; its files would be lost. */
async function refuseNested(call: GitCall, head: string | undefined): Promise<void> {
  const base =
    head === undefined
      ? await ask(['hash-object', '-w', '-t', 'tree', '/dev/null'], call)
      : await ask(['rev-parse', `${head}^{tree}`], call)
  const args = ['diff-index', '--cached', '--raw', '-z', '--no-renames', '--ignore-submodules=none', base, '--']
  const fields = (await runGitForBytes(args, call)).split('\0')
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

/** What git's status told of and its `add` left out, for whatever reason, would be lost. */
async function requireTaken(call: GitCall, untracked: readonly ByteName[]): Promise<void> {
  if (untracked.length === 0) return
  const taken = namesIn(await runGitForBytes(['ls-files', '-z'], call)).map(charactersOf)
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

async function ask(args: string[], call: GitCall): Promise<string> {
  return (await runGit(args, call)).trim()
}

function unlessUnmerged(error: unknown): undefined {
  if (/unmerged|error building trees/.test(gitFailure(error)?.stderr ?? '')) return undefined
  throw error
}

/**
 * Git compares the contents of files that were changed within the second in which the index was written, and by the
 * time of the index it knows which: with a new time it would take such a change for none.
 */
function copyWithTime(from: string, to: string): void {
  copyRegular(from, to)
  const seconds = Math.floor(fs.statSync(from).mtimeMs / 1000)
  fs.utimesSync(to, seconds, seconds)
}
