/** What a killed `git worktree add` leaves behind, which `git worktree prune` never clears because it is locked. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import {
  dropEntry,
  isAt,
  isBeingSetUp,
  isSamePlace,
  linkOf,
  listEntries,
  type WorktreeEntry,
} from '../git/worktree-entries.ts'
import type { GitOptions } from '../git/git.ts'
import { withPlainRepository } from '../git/throwaway-repository.ts'
import { recoveryRef } from './mirror/recovery-refs.ts'
import { lend, storeSaved } from './mirror/saved-repository.ts'
import { removeTree } from '../git/temporary.ts'

/**
 * Clears the way for a worktree at `path` on `branch`. The caller holds the mirror's lock, so nothing that is half made
 * is still being made, except a checkout, which goes on outside the lock but only at a path of its own.
 *
 * Removed: entries of worktrees that were never finished and have no directory, or are at the very path; entries whose
 * directory is gone and which hold this path or this branch; a directory here that has nothing but a `.git` file
 * pointing nowhere. A detached HEAD among them is kept under a recovery ref.
 *
 * Returns the entries that stay.
 */
export async function sweepLeftovers(
  options: GitOptions & { mirror: string; path: string; branch: string },
): Promise<WorktreeEntry[]> {
  const isHere = isAt(options.path)
  const staying: WorktreeEntry[] = []
  for (const entry of listEntries(options.mirror)) {
    const here = isHere(entry.path)
    if (isBeingSetUp(entry) || isBarelyBegun(entry)) {
      if (here) await removeTree(options.path)
      if (here || isCutOff(entry)) dropEntry(entry)
      else staying.push(entry)
      continue
    }
    const inTheWay = here || entry.branch === options.branch
    if (!inTheWay || entry.locked !== undefined || entry.path === undefined || fs.existsSync(entry.path)) {
      staying.push(entry)
      continue
    }
    await keepDetached(options, entry)
    dropEntry(entry)
  }
  const link = linkOf(options.path)
  const pointsNowhere =
    link !== undefined && isSamePlace(path.dirname(path.dirname(link)), options.mirror) && !fs.existsSync(link)
  if (pointsNowhere && fs.readdirSync(options.path).length === 1) await removeTree(options.path)
  return staying
}

/** Cut off before it said where its worktree is, or even that it is locked: there is no index yet, so nothing to lose. */
function isBarelyBegun(entry: WorktreeEntry): boolean {
  return entry.path === undefined && !fs.existsSync(path.join(entry.directory, 'index'))
}

/** An entry of a `git worktree add` that was killed, in which nothing can be yet. */
export function isUnfinished(entry: WorktreeEntry): boolean {
  return isBarelyBegun(entry) || (isBeingSetUp(entry) && isCutOff(entry))
}

/** `initializing` and without a directory. One that kugetsu is checking out has its directory from the beginning. */
function isCutOff(entry: WorktreeEntry): boolean {
  return entry.path === undefined || (entry.locked === 'initializing' && !fs.existsSync(entry.path))
}

async function keepDetached(options: GitOptions & { mirror: string }, entry: WorktreeEntry): Promise<void> {
  const { detached: commit, directory } = entry
  if (commit === undefined) return
  const ref = recoveryRef(path.basename(entry.path ?? directory), new Date())
  const failure = { message: `cannot save the detached HEAD of ${entry.path ?? directory}`, code: 'save_failed' }
  const { mirror } = options
  await withPlainRepository({ ...options, beside: mirror, sha256: commit.length === 64, failure }, async (plain) => {
    lend(plain, [mirror])
    await storeSaved({ ...options, failure }, { ref, commit, plain })
  })
}
