/** A worktree that was made and that nobody has worked in yet is as good as a new one, once it begins where that would. */
import type { AddWorktreeOptions } from './worktrees.ts'
import type { WorktreeEntry } from './entries.ts'
import { inMirror, inWorktree, runGit } from './git.ts'
import { chooseStart, type Start } from './start-point.ts'
import { readStatus } from './status.ts'
import { operationIn } from './work-at-risk.ts'

/**
 * Moves the worktree of `entry` up to where a new one would begin, when it is on its branch, has no change, no untracked
 * file and no operation under way, and its branch no commit that no branch of the remote has. Returns that start;
 * undefined when somebody has worked in it or it cannot be told: it was not touched then. The caller holds the mirror's
 * lock. Throws KugetsuError `unknown_base`, `no_default_branch`.
 */
export async function renewUntouched(options: AddWorktreeOptions, entry: WorktreeEntry): Promise<Start | undefined> {
  const { mirror, branch, path } = options
  if (entry.branch !== branch || operationIn(entry.directory) !== undefined) return undefined
  const here = inWorktree({ ...options, path }, entry.directory)
  const own = ['rev-list', '--count', `refs/heads/${branch}`, '--not', '--remotes=origin']
  const [count, status] = await Promise.all([
    runGit(own, inMirror({ ...options, path: mirror })).catch(() => undefined),
    readStatus(here).catch(() => undefined),
  ])
  options.signal?.throwIfAborted()
  if (count?.trim() !== '0' || status === undefined) return undefined
  if (status.uncommitted.length + status.untracked.length > 0) return undefined
  const start = await chooseStart({ ...options, path: mirror, ownCommits: false })
  // --keep refuses where a file was changed since.
  if (start.kind === 'at commit') await runGit(['reset', '--keep', '--quiet', start.commit], here)
  return start
}
