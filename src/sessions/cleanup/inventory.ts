/** What would be lost with the worktree of an issue, according to its session file. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { cloneUrlOf } from '../../config/repositories.ts'
import type { Home } from '../../config/home.ts'
import { KugetsuError } from '../../core/errors.ts'
import type { IssueRef } from '../../core/issue-ref.ts'
import { lazy } from '../../core/lazy.ts'
import { askAhead, type Inventory, takeInventory } from '../../worktrees/at-risk/inventory.ts'
import { createRemotes, type Remotes } from '../../worktrees/at-risk/remotes.ts'
import { isSamePlace } from '../../git/worktree-entries.ts'
import { fetchMirror, hasCommit, openMirror } from '../../worktrees/mirror/mirror.ts'
import { placeOf } from '../../git/place.ts'
import { noPullRequests, type PullRequests } from '../file/pull-requests.ts'
import type { SessionRecord } from '../file/session-file.ts'
import { type SessionWorktree, worktreeOf } from '../file/worktree-handles.ts'
import type { GitRepository } from '../../git/repository.ts'

/** The worktree of an issue, and the questions about it. */
export interface IssueWork extends SessionWorktree {
  /** Takes the inventory of the present state, but reuses the first answers of the remotes and the forge. */
  inventory: () => Promise<Inventory>
  /** Asks the remotes that the inventory will ask. If a remote does not answer, the inventory says so. */
  askAhead: () => Promise<void>
}

/**
 * The worktree that a session names; undefined when it names none, or when both worktree and mirror are gone.
 * `pullRequests` are the issue's: all commits up to the head of a merged pull request are safe, even if no branch has
 * them. Throws KugetsuError `foreign_worktree` for a worktree outside this home.
 */
export function workOf(
  home: Home,
  record: SessionRecord,
  given: { pullRequests?: PullRequests | undefined; remotes?: Remotes | undefined } = {},
): IssueWork | undefined {
  const { pullRequests = noPullRequests, remotes = createRemotes() } = given
  const worktree = worktreeOf(home, record)
  if (worktree === undefined) return undefined
  const { ref, mirror, path: place } = worktree
  if (!fs.existsSync(place) && !fs.existsSync(mirror.path)) return undefined
  requireOwn(home, place, mirror.path)
  const merged = lazy(() => mergedOf(mirror, pullRequests))
  const asked = { ...worktree, askRemote: remoteOf(home, ref, mirror), remotes }
  const inventory = async () => takeInventory({ ...asked, merged: await merged() })
  return { ...worktree, inventory, askAhead: () => askAhead(asked) }
}

/** A function that asks the remote of a mirror for its branches once; later calls get the same answer. */
export function remoteOf(home: Home, ref: IssueRef, mirror: GitRepository): () => Promise<void> {
  return lazy(async () => {
    const url = urlOf(home, ref)
    // Use the address that kugetsu knows: an agent may have changed the one in the mirror.
    if (url !== undefined) await openMirror(mirror, { url })
    else await fetchMirror(mirror)
  })
}

/** The commits that the forge says were merged and that the mirror has or can fetch. */
async function mergedOf(mirror: GitRepository, { found }: PullRequests): Promise<string[]> {
  const merged: string[] = []
  for (const { state, headSha: commit, headRef } of found) {
    if (state !== 'merged' || commit === undefined || !fs.existsSync(mirror.path)) continue
    if (await hasCommit(mirror, { commit, ref: headRef })) merged.push(commit)
  }
  return merged
}

/** A session file may be a copy from another home, which owns the worktree. The bash tool put clones beside its home. */
function requireOwn(home: Home, worktree: string, mirror: string): void {
  const parent = path.dirname(worktree)
  if (isSamePlace(parent, home.paths.worktrees)) return
  const isOfBashTool = path.basename(parent) === '.kugetsu-worktrees' && placeOf(worktree, mirror).kind === 'clone'
  if (isOfBashTool) return
  throw new KugetsuError(`the worktree ${worktree} is outside of this home`, {
    hint: `It may be of another home, of which this is a copy. Remove it there, or move it to ${home.paths.worktrees}.`,
    code: 'foreign_worktree',
  })
}

function urlOf(home: Home, ref: IssueRef): string | undefined {
  try {
    return cloneUrlOf(home, ref)
  } catch (error) {
    if (error instanceof KugetsuError) return undefined
    throw error
  }
}
