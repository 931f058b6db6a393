/** The commits that go with a worktree (HEAD, branches, stashes), and which of them no remote has. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { readText } from '../../platform/files.ts'
import { gitDirectories } from '../../git/git.ts'
import type { GitRepository } from '../../git/repository.ts'
import { type Place, recordsDirectory } from '../../git/place.ts'
import { isSaved } from '../mirror/recovery-refs.ts'

export type KnownPlace = Exclude<Place, { kind: 'unknown' }>

export interface Heads {
  /** The commit of HEAD; undefined before the first commit, and without a worktree. */
  head: string | undefined
  /** The branch HEAD is on, without `refs/heads/`; undefined when it is detached. */
  on: string | undefined
  /** The branches that go with the worktree, and their commits. */
  branches: Map<string, string>
  /** The commits that a merge, cherry-pick or revert in progress brings in. */
  incoming: string[]
}

export interface Stash {
  commit: string
  message: string
}

export interface Unpushed {
  count: number
  commits: ReadonlySet<string>
  /** The subjects of the same commits, newest first. */
  subjects: string[]
}

/** What is looked at: a mirror, the branch of an issue, and the merged commits of the mirror. */
export interface Looked {
  mirror: GitRepository
  branch: string
  merged?: readonly string[] | undefined
}

/** The branch in a full ref name. */
const ofBranch = /^refs\/heads\/(.+)$/

/** Reads where HEAD and the branches are; `branch` is the issue's. Throws KugetsuError when git fails. */
export async function headsOf(options: Looked, place: KnownPlace): Promise<Heads> {
  const gitDirectory = place.kind === 'missing' ? wholeDirectory(place.entry?.directory) : place.gitDirectory
  const repository = options.mirror.at(place.repository)
  const own = gitDirectory === undefined ? undefined : repository.with({ variables: gitDirectories(gitDirectory) })
  const ask = async (args: string[], from = own) => (await from?.ask(args))?.trim() || undefined
  const commitOf = (name: string, from = own) => ask(['rev-parse', '--verify', '--quiet', `${name}^{commit}`], from)
  const [head, on, branch] = await Promise.all([
    commitOf('HEAD'),
    // Asks for the full name: git makes the short one longer when a tag has the same name.
    ask(['symbolic-ref', '--quiet', 'HEAD']),
    place.kind === 'elsewhere' || place.kind === 'clone'
      ? undefined
      : commitOf(`refs/heads/${options.branch}`, repository),
  ])
  const branches = place.kind === 'clone' ? await localBranches(repository) : new Map<string, string>()
  if (branch !== undefined) branches.set(options.branch, branch)
  const incoming = ['MERGE_HEAD', 'CHERRY_PICK_HEAD', 'REVERT_HEAD'].flatMap((name) =>
    gitDirectory === undefined ? [] : commitsIn(path.join(gitDirectory, name)),
  )
  return { head, on: ofBranch.exec(on ?? '')?.[1], branches, incoming }
}

/** An entry without HEAD is the leftover of a killed removal by git. */
function wholeDirectory(entry: string | undefined): string | undefined {
  return entry !== undefined && fs.existsSync(path.join(entry, 'HEAD')) ? entry : undefined
}

/**
 * The commits that no remote has and that were not merged (`merged`, with all before them), newest first. For a worktree of
 * another repository, commits that any branch has are left out too.
 */
export async function unpushedOf(options: Looked, place: KnownPlace, heads: Heads): Promise<Unpushed> {
  const tips = [...new Set([...(heads.head === undefined ? [] : [heads.head]), ...heads.branches.values()])]
  if (tips.length === 0) return { count: 0, commits: new Set(), subjects: [] }
  const args = ['log', '-z', '--format=%H %s', ...tips, '--not', ...pushedAt(options, place), '--']
  const text = await options.mirror.at(place.repository).git(args)
  const lines = text === '' ? [] : text.replace(/\0$/, '').split('\0')
  const commits = new Set(lines.map((line) => line.slice(0, line.indexOf(' '))))
  return { count: lines.length, commits, subjects: lines.map((line) => line.slice(line.indexOf(' ') + 1)) }
}

/** Whether all commits of the heads are in `merged` or before it. Throws KugetsuError when git fails. */
export async function isMerged(options: Looked, place: KnownPlace, heads: Heads): Promise<boolean> {
  const tips = [heads.head, ...heads.branches.values()].filter((tip) => tip !== undefined)
  const { merged = [] } = options
  if (merged.length === 0 || tips.length === 0 || place.kind === 'clone' || place.kind === 'elsewhere') return false
  const args = ['rev-list', '--count', ...tips, '--not', ...merged, '--']
  return (await options.mirror.at(place.repository).git(args)).trim() === '0'
}

/** What git should leave out of a log because it is on a remote, or merged. */
export function pushedAt(options: Looked, place: KnownPlace): string[] {
  if (place.kind === 'elsewhere') return ['--remotes', '--branches']
  if (place.kind === 'clone') return ['--remotes']
  // The merged commits are commits of the mirror.
  return ['--remotes=origin', ...(options.merged ?? [])]
}

/**
 * The stashes that count as this worktree's, newest first. The worktrees of a mirror share one list, which outlives them
 * all. A worktree's own stashes are those made on its branch (or on a detached HEAD, if it has one), except those already
 * behind a recovery ref. In a clone, all stashes are its own. Stashes that a rebase or merge made automatically are
 * included.
 */
export async function stashesOf(options: Looked, place: KnownPlace, heads: Heads): Promise<Stash[]> {
  const gitDirectory = recordsDirectory(place)
  const putBy = ['rebase-merge/autostash', 'rebase-apply/autostash', 'MERGE_AUTOSTASH'].flatMap((name) =>
    gitDirectory === undefined ? [] : commitsIn(path.join(gitDirectory, name)),
  )
  const own = putBy.map((commit) => ({ commit, message: 'put by for an operation in progress' }))
  if (place.kind === 'elsewhere') return own
  const repository = options.mirror.at(place.repository)
  const tip = (await repository.ask(['rev-parse', '--verify', '--quiet', 'refs/stash']))?.trim()
  if (!tip) return own
  const listed = await listStashes(repository)
  if (place.kind === 'clone') {
    return [...own, ...(listed.length === 0 ? [{ commit: tip, message: 'a stash' }] : listed)]
  }
  const hasDetached = gitDirectory !== undefined && heads.on === undefined
  const places = new Set([options.branch, heads.on ?? options.branch, ...(hasDetached ? ['(no branch)'] : [])])
  const mine = listed.filter(({ message }) =>
    places.has(/^(?:WIP on|On) (\(no branch\)|[^:]+): /.exec(message)?.[1] ?? ''),
  )
  const saved = await Promise.all(mine.map(({ commit }) => isSaved(repository, commit)))
  return [...own, ...mine.filter((_, index) => saved[index] === false)]
}

/** All stashes of a repository with their messages, newest first. */
export async function listStashes(repository: GitRepository): Promise<Stash[]> {
  const text = await repository.git(['log', '--walk-reflogs', '-z', '--format=%H %gs', 'refs/stash', '--'])
  return text
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => ({ commit: line.slice(0, line.indexOf(' ')), message: line.slice(line.indexOf(' ') + 1) }))
}

async function localBranches(repository: GitRepository): Promise<Map<string, string>> {
  const text = await repository.git(['for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads'])
  const lines = text.split('\n').filter((line) => line !== '')
  return new Map(
    lines.map((line) => {
      const space = line.indexOf(' ')
      return [line.slice(space + 1 + 'refs/heads/'.length), line.slice(0, space)]
    }),
  )
}

function commitsIn(file: string): string[] {
  return (readText(file) ?? '').split('\n').filter((line) => /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(line))
}
