/** Makes the handles of a mirror and of an issue's worktree from a home, for all that works on them. */
import * as path from 'node:path'
import { remoteEnvironment, remoteHint } from '../../agents/remote-access.ts'
import type { Home } from '../../config/home.ts'
import { branchOf, type IssueRef, parseRef, type Repository } from '../../core/issue-ref.ts'
import { type GitOptions, localGitMs } from '../../git/git.ts'
import { type GitRepository, repositoryAt } from '../../git/repository.ts'
import type { IssueWorktree } from '../../worktrees/issue-worktree.ts'
import type { SessionRecord } from './session-file.ts'

/** The mirror of a repository, or of the repository of an issue. It may not exist yet. */
export function mirrorOf(home: Home, of: Repository | IssueRef): GitRepository {
  const ref = 'id' in of ? of : { ...of, id: '0' }
  const loginHint = () => remoteHint(home, ref)
  return repositoryAt(home.paths.mirror(ref), { ...gitOptions(home), loginHint, lockFile: home.paths.mirrorLock(ref) })
}

/** In the place of a mirror, for the worktree `name` that has none. */
export function noMirror(home: Home, name: string): GitRepository {
  const lockFile = home.paths.lock(`worktree-${name}`)
  return repositoryAt(path.join(home.paths.repos, '.none'), { ...gitOptions(home), lockFile })
}

function gitOptions(home: Home): GitOptions {
  return { env: remoteEnvironment(home), timeoutMs: localGitMs, signal: home.signal }
}

export interface SessionWorktree extends IssueWorktree {
  ref: IssueRef
}

/**
 * The worktree that a session names, which may be gone; undefined when it names none. Throws KugetsuError for a bad issue
 * ref.
 */
export function worktreeOf(home: Home, record: SessionRecord): SessionWorktree | undefined {
  const { issue_ref: issue, worktree_path: place, branch_name: branch } = record
  if (!issue || !place) return undefined
  const ref = parseRef(issue, { defaultHost: '' })
  return { ref, mirror: mirrorOf(home, ref), path: place, branch: branch ?? branchOf(ref) }
}
