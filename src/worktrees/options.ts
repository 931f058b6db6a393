/** What names a worktree, and what one is made of. */
import type { GitOptions } from '../git/git.ts'

export interface WorktreeOptions extends GitOptions {
  /** The mirror's directory. */
  mirror: string
  /** The mirror's lock, as for openMirror(). */
  lockFile: string
  /** Where the worktree is or shall be. */
  path: string
}

export interface AddWorktreeOptions extends WorktreeOptions {
  /** The branch to work on, `fix/issue-14`; where there is no room for that name another one (branch-name.ts). */
  branch: string
  /** The branch of the remote to begin at; the remote's default branch when absent. */
  base?: string | undefined
  /** The commit of the remote that the worktree which is there was made at just now: still there, it is untouched. */
  madeAt?: string | undefined
}
