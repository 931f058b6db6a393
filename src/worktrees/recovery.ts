/**
 * Work that is about to be deleted, kept in the mirror as a commit under a ref of its own. The commit holds the working
 * files as they are, byte for byte, and has as parents what they were based on: HEAD, the index where that differs, the
 * branch where HEAD is elsewhere, the stashes.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { KugetsuError } from '../core/errors.ts'
import { entryOf, type WorktreeEntry } from './entries.ts'
import { type GitCall, type GitOptions, inMirror, inWorktree, runGit } from './git.ts'
import { gitFailure } from './git-failure.ts'
import { recoveryPrefix, recoveryRef } from './recovery-refs.ts'
import { readStatus } from './status.ts'
import { removeTree, temporarySibling } from './temporary.ts'
import { describeWork, inspectWork, listStashes, tipsOf, type WorkAtRisk } from './work-at-risk.ts'

export interface SaveOptions extends GitOptions {
  /** The worktree; it may be missing, then its commits are saved. */
  path: string
  mirror: string
  branch: string
  /** Names the ref: the file name form of the issue ref. */
  name: string
  now: Date
}

export interface SavedWork {
  ref: string
  /** What was saved, one line. */
  summary: string
}

/**
 * Saves what inspectWork() finds at risk; undefined when that is nothing. Ignored files are not saved. The worktree and
 * its index are not touched.
 *
 * Throws KugetsuError `unsavable` where it could not save all (a nested repository, changes inside a submodule, a
 * directory that is not a worktree of the mirror), `save_failed` when git fails.
 */
export async function saveWork(options: SaveOptions): Promise<SavedWork | undefined> {
  const work = await inspectWork(options)
  const entry = entryOf(options.mirror, options.path)
  const present = entry?.present === true
  if (!present && fs.existsSync(options.path)) {
    throw unsavable(`${options.path} is not a worktree of ${options.mirror}`, 'Move it away yourself.')
  }
  const [tips, stashes] = await Promise.all([tipsOf(options, entry), listStashes(options, entry)])
  const changed = work.uncommitted.length + work.untracked.length > 0 || work.inProgress !== undefined
  const files = present && (changed || work.unknown !== undefined) ? await snapshot(options, entry, tips[0]) : undefined
  if (files === undefined && work.unpushed.count === 0 && stashes.length === 0) return undefined
  const tree = files?.tree ?? (await ask(['rev-parse', `${tips[0] ?? ''}^{tree}`], saving(options)))
  const summary = summaryOf(options, work)
  const [head, ...others] = tips
  const index =
    files?.index === undefined ? [] : [await commit(options, files.index, head === undefined ? [] : [head], 'index')]
  const parents = [...(head === undefined ? [] : [head]), ...index, ...others, ...stashes]
  const saved = await commit(options, tree, [...new Set(parents)], summary)
  const ref = recoveryRef(options.name, options.now)
  // The empty old value: it never replaces what was saved before.
  await ask(
    ['update-ref', '-m', 'kugetsu: saved before removal', ref, saved, '0'.repeat(saved.length)],
    saving(options),
  )
  return { ref, summary }
}

export interface RecoveryPoint {
  ref: string
  commit: string
  /** When it was saved, ISO 8601. */
  savedAt: string
  summary: string
}

/** What is saved in a mirror, newest first. */
export async function listRecovery(options: GitOptions & { mirror: string }): Promise<RecoveryPoint[]> {
  const format = '--format=%(refname)%00%(objectname)%00%(committerdate:iso-strict)%00%(contents:subject)'
  const args = ['for-each-ref', '--sort=-committerdate', format, recoveryPrefix]
  const text = await runGit(args, inMirror({ ...options, path: options.mirror }))
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [ref = '', commit = '', savedAt = '', summary = ''] = line.split('\0')
      return { ref, commit, savedAt, summary }
    })
}

/**
 * The commands that bring saved work back into `directory`, to be run one after the other in any shell: a worktree on a
 * new branch, with the uncommitted changes uncommitted again.
 */
export function recoveryCommands(ref: string, mirror: string, directory = 'recovered'): string[] {
  const branch = `recovered/${ref.slice(recoveryPrefix.length)}`
  return [
    `git --git-dir=${quoted(mirror)} worktree add -b ${quoted(branch)} ${quoted(directory)} ${quoted(ref)}`,
    `git -C ${quoted(directory)} reset --mixed ${quoted('HEAD^')}`,
  ]
}

interface Snapshot {
  tree: string
  /** The tree of the index, where it is neither HEAD's nor that of the files. */
  index: string | undefined
}

/** Writes the working files into the mirror as a tree, by way of an index and a git directory of our own. */
async function snapshot(options: SaveOptions, entry: WorktreeEntry, head: string | undefined): Promise<Snapshot> {
  const { submodules } = await readStatus(inWorktree(options, entry.directory))
  if (submodules.length > 0) {
    throw unsavable(`changes inside submodules cannot be saved: ${submodules.join(', ')}`, 'Push or move them first.')
  }
  const temporary = temporarySibling(options.mirror)
  try {
    await makeGitDirectory(options, temporary, entry, head)
    const call = saving(options, {
      GIT_DIR: temporary,
      GIT_WORK_TREE: options.path,
      GIT_OBJECT_DIRECTORY: path.join(options.mirror, 'objects'),
    })
    const inside = { ...call, cwd: options.path }
    const headTree = head === undefined ? undefined : await ask(['rev-parse', `${head}^{tree}`], inside)
    const index = await ask(['write-tree'], inside).catch(unlessUnmerged)
    await ask(['add', '--all', '--', '.'], inside)
    await refuseNested(inside, headTree)
    const tree = await ask(['write-tree'], inside)
    return { tree, index: index === headTree || index === tree ? undefined : index }
  } finally {
    await removeTree(temporary)
  }
}

/**
 * Attributes are switched off, which only `info/attributes` of the git directory can do, and that is shared by all
 * worktrees of the mirror: hence a git directory of our own. Without them no filter runs, and no line end changes.
 */
async function makeGitDirectory(
  options: SaveOptions,
  directory: string,
  entry: WorktreeEntry,
  head: string | undefined,
): Promise<void> {
  const format = head?.length === 64 ? ['--object-format=sha256'] : []
  await ask(['init', '--bare', '--quiet', '--template=', ...format, directory], saving(options, {}))
  fs.mkdirSync(path.join(directory, 'info'), { recursive: true })
  fs.writeFileSync(
    path.join(directory, 'info', 'attributes'),
    '* -text -eol -crlf -filter -ident -working-tree-encoding\n',
  )
  copyIfThere(path.join(options.mirror, 'info', 'exclude'), path.join(directory, 'info', 'exclude'))
  for (const name of fs.readdirSync(entry.directory)) {
    if (name === 'index' || name.startsWith('sharedindex.'))
      copyIfThere(path.join(entry.directory, name), path.join(directory, name))
  }
}

/** A repository inside the worktree goes into a tree as a mere commit id; its files would be lost. */
async function refuseNested(call: GitCall, headTree: string | undefined): Promise<void> {
  const base = headTree ?? (await ask(['hash-object', '-t', 'tree', '/dev/null'], call))
  const args = ['diff-index', '--cached', '--raw', '-z', '--no-renames', '--ignore-submodules=none', base, '--']
  const fields = (await runGit(args, call)).split('\0')
  const nested = fields.filter((_, at) => /^:\d{6} 160000 /.test(fields[at - 1] ?? ''))
  if (nested.length > 0) {
    throw unsavable(`repositories inside the worktree cannot be saved: ${nested.join(', ')}`, 'Move them away first.')
  }
}

async function commit(options: SaveOptions, tree: string, parents: string[], message: string): Promise<string> {
  const date = options.now.toISOString()
  const call = saving(options, {
    GIT_DIR: options.mirror,
    GIT_AUTHOR_NAME: 'kugetsu',
    GIT_AUTHOR_EMAIL: 'kugetsu@localhost',
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: 'kugetsu',
    GIT_COMMITTER_EMAIL: 'kugetsu@localhost',
    GIT_COMMITTER_DATE: date,
  })
  return await ask(['commit-tree', '-m', message, ...parents.flatMap((parent) => ['-p', parent]), tree], call)
}

function saving(options: SaveOptions, variables?: Record<string, string>): GitCall {
  const call = inMirror({ ...options, path: options.mirror })
  const failure = { message: `cannot save the work in ${options.path}`, code: 'save_failed' }
  return { ...call, failure, ...(variables === undefined ? {} : { variables }) }
}

async function ask(args: string[], call: GitCall): Promise<string> {
  return (await runGit(args, call)).trim()
}

function unlessUnmerged(error: unknown): undefined {
  if (/unmerged|error building trees/.test(gitFailure(error)?.stderr ?? '')) return undefined
  throw error
}

function summaryOf(options: SaveOptions, work: WorkAtRisk): string {
  const { unknown: _, ...known } = work
  const lines = describeWork(known)
  const what = lines.length === 0 ? 'files' : lines.map((line) => line.replace(/:.*/, '')).join(', ')
  return `${what} of ${options.branch}`
}

function copyIfThere(from: string, to: string): void {
  if (fs.existsSync(from)) fs.copyFileSync(from, to)
}

function unsavable(message: string, hint: string): KugetsuError {
  return new KugetsuError(message, { hint, code: 'unsavable' })
}

function quoted(word: string): string {
  return /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
