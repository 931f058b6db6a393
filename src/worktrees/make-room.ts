/** Makes room for a worktree: nothing else may be at its path or on its branch. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { KugetsuError } from '../core/errors.ts'
import { isAt, sweepEntry, type WorktreeEntry } from '../git/worktree-entries.ts'
import { sweepLeftovers } from './leftovers.ts'
import { isNothing } from '../git/place.ts'
import { sweepTemporary } from '../git/temporary.ts'
import type { IssueWorktree, WorktreePlace } from './issue-worktree.ts'

/**
 * Clears away leftovers of earlier worktrees. Throws when something else has the path or the branch. Returns the entries of
 * the other worktrees.
 */
export async function makeRoom(options: WorktreePlace, branch: string): Promise<WorktreeEntry[]> {
  await sweepTemporary(options.path)
  await sweepEntry(options.mirror.path, options.path)
  const others = await sweepLeftovers({ ...options, branch })
  requireFree({ ...options, branch }, others)
  removeDirectories(options.path)
  return others
}

/** Removes a directory that holds only directories. A file written there meanwhile stays, and git then refuses. */
function removeDirectories(place: string): void {
  try {
    for (const name of fs.readdirSync(place)) removeDirectories(path.join(place, name))
    fs.rmdirSync(place)
  } catch {
    // Nothing is there, or not only directories.
  }
}

/** Throws when the path or the branch is taken, before git is asked. */
function requireFree(options: IssueWorktree, entries: readonly WorktreeEntry[]): void {
  const taken = entries.find((entry) => entry.branch === options.branch)
  if (taken !== undefined) {
    throw new KugetsuError(`branch ${options.branch} is checked out in ${taken.path ?? taken.directory}`, {
      hint: taken.present
        ? 'Switch that worktree to another branch, or remove it, and try again.'
        : `That directory is gone, but its entry is ${taken.locked === undefined ? 'not' : 'locked'}: see "git worktree list".`,
      code: 'branch_in_use',
    })
  }
  const isHere = isAt(options.path)
  const entry = entries.find((each) => isHere(each.path))
  if (entry !== undefined && !entry.present && entry.locked !== undefined) {
    throw new KugetsuError(`the worktree ${options.path} is missing and locked: ${entry.locked}`, {
      hint: 'Bring its directory back, or remove the entry with "git worktree remove --force --force".',
      code: 'worktree_locked',
    })
  }
  if (isNothing(options.path)) return
  throw new KugetsuError(`${options.path} exists and is not a worktree of ${options.mirror.path}`, {
    hint: 'Move it away and try again; nothing in it was touched.',
    code: 'path_taken',
  })
}
