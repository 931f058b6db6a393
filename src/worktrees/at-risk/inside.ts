/** All repositories inside a worktree, and what would be lost with them. */
import { messageOf } from '../../core/errors.ts'
import { createGate } from '../../platform/gate.ts'
import type { GitRepository } from '../../git/repository.ts'
import type { LookOptions } from './inner-commits.ts'
import { lostWith } from './inner-repository.ts'
import { findRepositories, type InnerRepository, type Walked } from './repositories.ts'

/** How many are inspected at a time: each may wait for a remote. */
const atATime = 4

export interface Inside {
  /** A line for each repository that has something found nowhere else. */
  lost: string[]
  /** A line for each repository that could not be inspected. */
  unknown: string[]
  /** The repositories with nothing to lose. */
  clean: InnerRepository[]
}

/**
 * Inspects the repositories inside the worktree, which may be gone. `walked` is the result of an earlier walk. Throws only
 * when interrupted.
 */
export async function inside(options: LookOptions, walked?: Walked): Promise<Inside> {
  const { root, gitDirectory } = options
  const { repositories, unknown } = walked ?? findRepositories(root, gitDirectory)
  const found: Inside = { lost: [], unknown, clean: [] }
  const look = createGate(atATime)
  const looked = repositories.map((inner) => look(() => lookInto(options, inner)))
  for (const [at, { lost, trouble }] of (await Promise.all(looked)).entries()) {
    const inner = repositories[at]
    if (inner === undefined || lost === undefined) continue
    if (trouble !== undefined) found.unknown.push(`${inner.name}: ${trouble}`)
    else if (lost.length === 0) found.clean.push(inner)
    else found.lost.push(`${inner.name} is a repository of its own, with ${lost.join(', ')}`)
  }
  return found
}

/** What would be lost with a repository, or why this is unknown; neither when the worktree has committed its files. */
async function lookInto(options: LookOptions, inner: InnerRepository): Promise<{ lost?: string[]; trouble?: string }> {
  const { root, mirror, gitDirectory } = options
  try {
    if (await isCommitted(mirror.worktree(root, gitDirectory), inner)) return {}
    return { lost: await lostWith(options, inner) }
  } catch (error) {
    mirror.signal?.throwIfAborted()
    return { lost: [], trouble: messageOf(error) }
  }
}

/** A bare repository may be nothing but files that the worktree has committed as files. */
async function isCommitted(worktree: GitRepository, { bare }: InnerRepository): Promise<boolean> {
  if (bare === undefined) return false
  const literally = worktree.with({ variables: { GIT_LITERAL_PATHSPECS: '1' } })
  return (await literally.bytes(['ls-files', '--cached', '-z', '--', `${bare}/HEAD`])) !== ''
}
