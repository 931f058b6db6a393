/** The options that name a worktree and say what to make it from. */
import type { GitOptions } from '../git/git.ts'

export interface WorktreeOptions extends GitOptions {
  /** The mirror's directory. */
  mirror: string
  /** The mirror's lock, as for openMirror(). */
  lockFile: string
  /** Where the worktree is or will be. */
  path: string
}

export interface AddWorktreeOptions extends WorktreeOptions {
  /** The branch to work on, `fix/issue-14`. When that name has no room, another one is used (branch-name.ts). */
  branch: string
  /** The remote's branch to begin at; the remote's default branch when absent. */
  base?: string | undefined
  /**
   * The remote's commit at which this call just made the existing worktree. If HEAD is still there, the worktree is
   * untouched.
   */
  madeAt?: string | undefined
}
