/** An unused worktree is as good as a new one, once it is moved to where a new one would begin. */
import { type ByteName, charactersOf, namesIn } from '../platform/byte-names.ts'
import { isAsCheckedOut } from './as-checked-out.ts'
import type { AddWorktreeOptions } from './issue-worktree.ts'
import type { WorktreeEntry } from '../git/worktree-entries.ts'
import type { GitRepository } from '../git/repository.ts'
import { chooseStart, followRemote, isAncestor, type Start } from './start-point.ts'
import { readStatus } from './at-risk/status.ts'
import { operationIn } from './at-risk/operations.ts'

/**
 * Moves the worktree of `entry` to where a new one would begin, if it is unused: it is on its branch, has no change but
 * opencode's own, no untracked file and no operation in progress, and all commits of its branch are behind that start
 * (or the branch is where it was made just now). So no commit leaves the branch, and no ignored file is overwritten.
 * Returns that start and whether the worktree was elsewhere before. Returns undefined, without touching the worktree,
 * when it has been used or may have been. The caller holds the mirror's lock. Throws KugetsuError `unknown_base`,
 * `no_default_branch`.
 */
export async function renewUntouched(
  options: AddWorktreeOptions,
  entry: WorktreeEntry,
): Promise<(Start & { moved: boolean }) | undefined> {
  const { mirror, branch, path } = options
  if (entry.branch !== branch || operationIn(entry.directory) !== undefined) return undefined
  const here = mirror.worktree(path, entry.directory)
  const own = ['rev-list', '--count', `refs/heads/${branch}`, '--not', '--remotes=origin']
  const [count, status, head] = await Promise.all([
    mirror.git(own).catch(() => undefined),
    readStatus(here).catch(() => undefined),
    here.ask(['rev-parse', '--verify', '--quiet', 'HEAD']).then((text) => text?.trim()),
  ])
  mirror.signal?.throwIfAborted()
  // The remote may have dropped the commit meanwhile: the branch was merged, or the base was rewritten.
  const isAsMade = options.madeAt !== undefined && head === options.madeAt
  if ((count?.trim() !== '0' && !isAsMade) || status === undefined) return undefined
  if (status.untracked.length + status.submodules.length + status.hidden.length > 0) return undefined
  const isClean = status.uncommitted.length === 0
  // Git reports some files as changed that it has just written. Their worktrees would otherwise never be moved up.
  if (!isClean && !(await isAsCheckedOut(here, status.byOpencode).catch(() => false))) return undefined
  mirror.signal?.throwIfAborted()
  const start = await chooseStart({ ...options, ownCommits: false })
  // The branch may have commits that the remote has on another branch.
  const isBehind = () => isAncestor(mirror, `refs/heads/${branch}`, start.commit)
  if (start.commit !== head && !isAsMade && !(await isBehind())) return undefined
  // git reset overwrites ignored files.
  if (await hasInTheWay(here, start.commit, status.ignored)) return undefined
  // --keep refuses when a file was changed since the check, and when git only reports one as changed.
  const how = isClean && status.byOpencode.length === 0 ? '--keep' : '--hard'
  if (start.kind === 'at commit') await here.git(['reset', how, '--quiet', start.commit])
  if (start.onRemote) await followRemote(options)
  return { ...start, moved: start.commit !== head }
}

/** Whether the commit has files that HEAD does not have, at paths where ignored files are. */
async function hasInTheWay(here: GitRepository, commit: string, ignored: readonly ByteName[]): Promise<boolean> {
  if (ignored.length === 0) return false
  const args = ['diff-tree', '-r', '-z', '--name-only', '--no-renames', '--diff-filter=A', 'HEAD', commit, '--']
  const added = namesIn(await here.bytes(args)).map(charactersOf)
  // The name of a directory ends in `/`.
  const there = ignored.map(charactersOf)
  return added.some((name) =>
    there.some((each) => each === name || each.startsWith(`${name}/`) || (each.endsWith('/') && name.startsWith(each))),
  )
}
