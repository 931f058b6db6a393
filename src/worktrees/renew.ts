/** A worktree that was made and that nobody has worked in yet is as good as a new one, once it begins where that would. */
import { isAsCheckedOut } from './as-checked-out.ts'
import type { AddWorktreeOptions } from './worktrees.ts'
import type { WorktreeEntry } from './entries.ts'
import { askGit, inMirror, inWorktree, runGit } from './git.ts'
import { chooseStart, followRemote, type Start } from './start-point.ts'
import { readStatus } from './at-risk/status.ts'
import { operationIn } from './at-risk/operations.ts'

/**
 * Moves the worktree of `entry` up to where a new one would begin, when it is on its branch, has no change of its own, no untracked
 * file and no operation under way, and its branch no commit that no branch of the remote has (or is where it was made).
 * Returns that start and whether it was elsewhere before; undefined when somebody has worked in it or it cannot be told:
 * it was not touched then. The caller holds the mirror's lock. Throws KugetsuError `unknown_base`, `no_default_branch`.
 */
export async function renewUntouched(
  options: AddWorktreeOptions,
  entry: WorktreeEntry,
): Promise<(Start & { moved: boolean }) | undefined> {
  const { mirror, branch, path } = options
  if (entry.branch !== branch || operationIn(entry.directory) !== undefined) return undefined
  const here = inWorktree({ ...options, path }, entry.directory)
  const own = ['rev-list', '--count', `refs/heads/${branch}`, '--not', '--remotes=origin']
  const [count, status, head] = await Promise.all([
    runGit(own, inMirror({ ...options, path: mirror })).catch(() => undefined),
    readStatus(here).catch(() => undefined),
    askGit(['rev-parse', '--verify', '--quiet', 'HEAD'], here).then((text) => text?.trim()),
  ])
  options.signal?.throwIfAborted()
  // The remote may have dropped the commit meanwhile: a branch that was merged, a base that was rewritten.
  const isAsMade = options.madeAt !== undefined && head === options.madeAt
  if ((count?.trim() !== '0' && !isAsMade) || status === undefined) return undefined
  if (status.untracked.length + status.submodules.length > 0) return undefined
  const isClean = status.uncommitted.length === 0
  // Git calls some changed that it has just written, and would never move those up.
  if (!isClean && !(await isAsCheckedOut(here).catch(() => false))) return undefined
  options.signal?.throwIfAborted()
  const start = await chooseStart({ ...options, path: mirror, ownCommits: false })
  // --keep refuses where a file was changed since, and where git calls one changed.
  const how = isClean ? '--keep' : '--hard'
  if (start.kind === 'at commit') await runGit(['reset', how, '--quiet', start.commit], here)
  if (start.onRemote) await followRemote({ ...options, path: mirror })
  return { ...start, moved: start.commit !== head }
}
