/** The leftovers of a killed `git worktree add`. `git worktree prune` never clears them, because they are locked. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { dropEntry, isAt, isBeingSetUp, isSamePlace, listEntries, type WorktreeEntry } from '../git/worktree-entries.ts'
import { linkOf } from '../git/head.ts'
import type { GitRepository } from '../git/repository.ts'
import { recoveryRef } from './mirror/recovery-refs.ts'
import { storeOwn } from './mirror/saved-repository.ts'
import { removeTree } from '../git/temporary.ts'
import type { IssueWorktree } from './issue-worktree.ts'

/**
 * Clears the way for a worktree at `path` on `branch`. The caller holds the mirror's lock, so nothing half made is
 * still being made. A checkout is the exception: it goes on outside the lock, but only at a path of its own.
 *
 * Removed: entries of unfinished worktrees that have no directory or are at `path`; entries without a directory that
 * hold this path or this branch; a directory at `path` that has nothing but a `.git` file pointing nowhere. A detached
 * HEAD among them is kept under a recovery ref.
 *
 * Returns the entries that stay.
 */
export async function sweepLeftovers(options: IssueWorktree): Promise<WorktreeEntry[]> {
  const isHere = isAt(options.path)
  const staying: WorktreeEntry[] = []
  for (const entry of listEntries(options.mirror.path)) {
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
    await keepDetached(options.mirror, entry)
    dropEntry(entry)
  }
  const link = linkOf(options.path)
  const pointsNowhere =
    link !== undefined && isSamePlace(path.dirname(path.dirname(link)), options.mirror.path) && !fs.existsSync(link)
  if (pointsNowhere && fs.readdirSync(options.path).length === 1) await removeTree(options.path)
  return staying
}

/**
 * `git worktree add` was cut off before it recorded the path or even the lock. There is no index yet, so nothing can be
 * lost.
 */
function isBarelyBegun(entry: WorktreeEntry): boolean {
  return entry.path === undefined && !fs.existsSync(path.join(entry.directory, 'index'))
}

/** An entry of a killed `git worktree add`. Nothing can be in it yet. */
export function isUnfinished(entry: WorktreeEntry): boolean {
  return isBarelyBegun(entry) || (isBeingSetUp(entry) && isCutOff(entry))
}

/**
 * No path, or `initializing` without a directory. A worktree that kugetsu is checking out has its directory from the start.
 */
function isCutOff(entry: WorktreeEntry): boolean {
  return entry.path === undefined || (entry.locked === 'initializing' && !fs.existsSync(entry.path))
}

async function keepDetached(mirror: GitRepository, entry: WorktreeEntry): Promise<void> {
  const { detached: commit, directory } = entry
  if (commit === undefined) return
  const ref = recoveryRef(path.basename(entry.path ?? directory), new Date())
  const failure = { message: `cannot save the detached HEAD of ${entry.path ?? directory}`, code: 'save_failed' }
  await storeOwn(mirror.with({ failure }), ref, commit)
}
