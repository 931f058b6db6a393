/** The handle of a worktree, for everything that works on it. */
import type { GitRepository } from '../git/repository.ts'

export interface WorktreePlace {
  /** The mirror of the worktree's repository. */
  mirror: GitRepository
  /** Where the worktree is or will be. */
  path: string
}

export interface IssueWorktree extends WorktreePlace {
  /** The branch of the issue, `fix/issue-14`. A new worktree gets another one when that name has no room (branch-name.ts). */
  branch: string
}

export interface AddWorktreeOptions extends IssueWorktree {
  /** The remote's branch to begin at; the remote's default branch when absent. */
  base?: string | undefined
  /**
   * The remote's commit at which this call just made the existing worktree. If HEAD is still there, the worktree is
   * untouched.
   */
  madeAt?: string | undefined
}

/** The same worktree for calls that an abort must not stop: to undo earlier steps. */
export function unaborted<T extends WorktreePlace>(worktree: T): T {
  return { ...worktree, mirror: worktree.mirror.with({ signal: undefined }) }
}
