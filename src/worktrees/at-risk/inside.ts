/** All repositories inside a worktree, and what would be lost with them. */
import { messageOf } from '../../core/errors.ts'
import { type GitCall, type GitOptions, inWorktree, runGitForBytes } from '../git.ts'
import { lostWith } from './inner-repository.ts'
import { findRepositories, type InnerRepository } from './repositories.ts'

export interface Inside {
  /** A line for each repository that has something which is nowhere else. */
  lost: string[]
  /** A line for each that it could not be told of. */
  unknown: string[]
  /** Those that have nothing. */
  clean: InnerRepository[]
}

/** Looks into the repositories inside the worktree at `root`, which may be gone. Throws only when interrupted. */
export async function inside(options: GitOptions, root: string, gitDirectory: string): Promise<Inside> {
  const { repositories, unknown } = findRepositories(root, gitDirectory)
  const found: Inside = { lost: [], unknown, clean: [] }
  for (const inner of repositories) {
    try {
      if (await isCommitted(inWorktree({ ...options, path: root }, gitDirectory), inner)) continue
      const lost = await lostWith(options, root, inner)
      if (lost.length === 0) found.clean.push(inner)
      else found.lost.push(`${inner.name} is a repository of its own, with ${lost.join(', ')}`)
    } catch (error) {
      options.signal?.throwIfAborted()
      found.unknown.push(`${inner.name}: ${messageOf(error)}`)
    }
  }
  return found
}

/** A bare one may be nothing but files that the worktree has committed as files. */
async function isCommitted(call: GitCall, { bare }: InnerRepository): Promise<boolean> {
  if (bare === undefined) return false
  const variables = { ...call.variables, GIT_LITERAL_PATHSPECS: '1' }
  return (await runGitForBytes(['ls-files', '--cached', '-z', '--', `${bare}/HEAD`], { ...call, variables })) !== ''
}
