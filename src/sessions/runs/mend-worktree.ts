import type { Home } from '../../config/home.ts'
import type { IssueRef } from '../../core/issue-ref.ts'
import { localGitMs } from '../../git/git.ts'
import { exclusively } from '../../platform/locks.ts'
import { lostParts, mendWorktree } from '../../worktrees/mend.ts'
import { mirrorLockWaitMs } from '../../worktrees/mirror/mirror.ts'

/**
 * Repairs a worktree in which git does not work because git's own files are gone or empty, with a warning. Returns what
 * was repaired. Throws KugetsuError `worktree_broken` where it cannot be repaired.
 */
export async function mendIfBroken(
  home: Home,
  ref: IssueRef,
  worktree: { path: string; branch: string },
): Promise<string[]> {
  const options = { ...worktree, mirror: home.paths.mirror(ref) }
  if (lostParts(options).length === 0) return []
  const { env, signal } = home
  const wait = { timeoutMs: mirrorLockWaitMs, signal }
  const mended = await exclusively(home.paths.mirrorLock(ref), wait, () =>
    mendWorktree({ ...options, env, timeoutMs: localGitMs, signal }),
  )
  if (mended.length > 0) home.warn(`git did not work in ${worktree.path}; repaired: ${mended.join(', ')}`)
  return mended
}
