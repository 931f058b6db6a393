import type { Home } from '../../config/home.ts'
import type { IssueWorktree } from '../../worktrees/issue-worktree.ts'
import { lostParts, mendWorktree } from '../../worktrees/mend.ts'

/**
 * Repairs a worktree in which git does not work because git's own files are gone or empty, with a warning. Returns what
 * was repaired. Throws KugetsuError `worktree_broken` where it cannot be repaired.
 */
export async function mendIfBroken(home: Pick<Home, 'warn'>, worktree: IssueWorktree): Promise<string[]> {
  if (lostParts(worktree).length === 0) return []
  const mended = await worktree.mirror.exclusively(() => mendWorktree(worktree))
  if (mended.length > 0) home.warn(`git did not work in ${worktree.path}; repaired: ${mended.join(', ')}`)
  return mended
}
