/** The working directory of an issue: a worktree of its repository's mirror, on its own branch. */
import * as fs from 'node:fs'
import { KugetsuError } from '../core/errors.ts'
import { namesFor, nameWithRoom } from './branch-name.ts'
import {
  dropEntry,
  entryOf,
  isBeingSetUp,
  sweepEntry,
  unlockEntry,
  type WorktreeEntry,
} from '../git/worktree-entries.ts'
import { makeRoom } from './make-room.ts'
import { placeOf } from '../git/place.ts'
import type { GitRepository } from '../git/repository.ts'
import type { Refs } from '../git/refs.ts'
import { register } from './register.ts'
import { renewUntouched } from './renew.ts'
import { type AddWorktreeOptions, unaborted, type WorktreePlace } from './issue-worktree.ts'
import { baseOf, chooseStart, followRemote, type Start } from './start-point.ts'
import { removeTree, sweepTemporary, temporarySibling } from '../git/temporary.ts'

export interface AddedWorktree {
  /** False when a good worktree was there already. It was not touched then, unless it was unused. */
  created: boolean
  /** An existing worktree was moved to another commit. */
  moved: boolean
  /** `head` is a commit of the remote, as of the mirror's last fetch. */
  isOfRemote: boolean
  /** The branch has no work, neither here nor at the remote. */
  isUntouched: boolean
  /** The branch did not exist before, neither here nor at the remote. */
  branchCreated: boolean
  /** The branch that it is on; the wanted branch when it is on none. */
  branch: string
  baseBranch: string
  /** The commit checked out; empty on a branch without a commit. */
  head: string
}

/** A registered worktree without files yet. */
interface BegunWorktree extends Start {
  branch: string
}

const none = { created: false, moved: false, isOfRemote: false, isUntouched: false, branchCreated: false }

/**
 * Makes the worktree at `path` if it is missing: on `branch` if this mirror or the remote has it, else on a new branch
 * at the base. A local branch keeps its commits. A branch without any of its own is moved up to its start, also in an
 * existing worktree (prepared ahead, or left by a killed start) if it is unused. If the call fails, what it made is
 * removed.
 *
 * Throws KugetsuError `path_taken`, `branch_in_use`, `unknown_base`, `no_default_branch`, `worktree_locked`,
 * `worktree_failed`, `checkout_failed`, `interrupted`.
 */
export async function addWorktree(options: AddWorktreeOptions): Promise<AddedWorktree> {
  const { mirror } = options
  const result = await mirror.exclusively(async () => {
    const existing = entryOf(mirror.path, options.path)
    if (existing?.present === true && !isBeingSetUp(existing)) {
      const branch = existing.branch ?? options.branch
      const isOurs = namesFor(options.branch).includes(branch)
      const renewed = isOurs ? await renewUntouched({ ...options, branch }, existing) : undefined
      if (renewed !== undefined) {
        const { baseBranch, commit, onRemote, moved } = renewed
        return { ...none, moved, isOfRemote: true, isUntouched: !onRemote, branch, baseBranch, head: commit }
      }
      const here = mirror.worktree(options.path, existing.directory)
      const head = await here.ask(['rev-parse', '--verify', '--quiet', 'HEAD'])
      const baseBranch = await baseOf(options)
      return { ...none, branch, baseBranch, head: head?.trim() ?? '' }
    }
    return await beginWorktree(options)
  })
  return 'kind' in result ? await completeWorktree(options, result) : result
}

/**
 * The first half of making a missing worktree: registers it without any files, locked as unfinished. Its start follows from
 * `refs` (startRefs), if given. The caller holds the mirror's lock. Throws as addWorktree.
 */
export async function beginWorktree(options: AddWorktreeOptions, refs?: Refs): Promise<BegunWorktree> {
  const branch = nameWithRoom(options.mirror.path, options.branch)
  const others = await makeRoom(options, branch)
  const known = branch === options.branch ? refs : undefined
  const start = await chooseStart({ ...options, branch, refs: known })
  const target = start.kind === 'existing' ? { branch } : { branch, commit: start.commit }
  try {
    await register(options, target, others)
  } catch (error) {
    // git undoes the worktree, but not the branch that it made first
    const undo = ['update-ref', '-d', `refs/heads/${branch}`, start.commit]
    if (start.isNew)
      await unaborted(options)
        .mirror.git(undo)
        .catch(() => {})
    throw error
  }
  return { ...start, branch }
}

/**
 * The second half: checks out the files, which needs no lock. If that fails, the worktree is removed. Throws as addWorktree.
 */
export async function completeWorktree(wanted: AddWorktreeOptions, start: BegunWorktree): Promise<AddedWorktree> {
  const { kind, isNew, onRemote, branch, baseBranch, commit } = start
  const options = { ...wanted, branch }
  try {
    await checkOut(options, start)
  } catch (error) {
    await discardWorktree({ ...options, deleteBranch: isNew }).catch(() => {})
    throw error
  }
  const isOfRemote = kind === 'at commit'
  const isUntouched = isOfRemote && !onRemote
  return { ...none, created: true, isOfRemote, isUntouched, branchCreated: isNew, branch, baseBranch, head: commit }
}

/**
 * Registers a worktree at a free `path`, on an existing branch or detached at a commit, without any files. It stays locked
 * as unfinished. The caller holds the mirror's lock. Throws KugetsuError `path_taken`, `branch_in_use`, `worktree_locked`,
 * `worktree_failed`.
 */
export async function registerWorktree(
  options: WorktreePlace,
  target: { branch: string } | { commit: string },
): Promise<void> {
  await register(options, target, await makeRoom(options, 'branch' in target ? target.branch : ''))
}

export interface RemoveWorktreeOptions extends WorktreePlace {
  branch?: string | undefined
  deleteBranch: boolean
}

export interface RemovedWorktree {
  /** There was a worktree, or leftovers of one. */
  removed: boolean
  branchDeleted: boolean
  /** A directory with files that could not be deleted (of another user), moved out of the way. */
  leftBehind: string | undefined
}

/**
 * Undoes an addWorktree of the same call, even when that was aborted. Deletes the branch only with `deleteBranch`, and only
 * when all of its commits are on the remote. The worktree is deleted whatever is in it.
 */
export async function discardWorktree(options: RemoveWorktreeOptions): Promise<RemovedWorktree> {
  return await takeDown(unaborted(options), options.deleteBranch ? 'when pushed' : 'never')
}

/**
 * Removes a worktree with everything in it, even a locked one; the caller has checked (takeInventory) and saved
 * (saveWork). The branch goes too when all of its commits are on the remote, or always with `deleteBranch`. Does
 * nothing when the worktree is already gone. Throws KugetsuError `unremovable` when the directory cannot be moved.
 */
export async function removeWorktree(options: RemoveWorktreeOptions): Promise<RemovedWorktree> {
  return await takeDown(options, options.deleteBranch ? 'always' : 'when pushed')
}

async function takeDown(
  options: RemoveWorktreeOptions,
  deletion: 'never' | 'when pushed' | 'always',
): Promise<RemovedWorktree> {
  const { mirror, branch } = options
  const place = placeOf(options.path, mirror.path)
  const isOwn = place.kind === 'clone' || place.kind === 'elsewhere'
  const { removed, branchDeleted, trash } = await mirror.exclusively(async () => {
    // Removes what a killed call had moved away.
    await sweepTemporary(options.path)
    await sweepEntry(mirror.path, options.path)
    // A single rename: a kill from here on leaves no half worktree that looks like a whole one.
    const moved = moveAway(options.path)
    const entry = entryOf(mirror.path, options.path)
    if (entry !== undefined) dropEntry(entry)
    if (place.kind === 'elsewhere') dropEntry(place.entry)
    // A clone, or a worktree of another repository, was not on the mirror's branch.
    const unwanted =
      branch !== undefined &&
      !isOwn &&
      deletion !== 'never' &&
      (deletion === 'always' || (await isPushed(mirror, branch)))
    const deleted = unwanted ? await deleteBranch(mirror, branch) : false
    return { removed: moved !== undefined || entry !== undefined, branchDeleted: deleted, trash: moved }
  })
  const cleared = trash === undefined || (await removeTree(trash))
  return { removed, branchDeleted, leftBehind: cleared ? undefined : trash }
}

/** Checks out the files. Also makes or moves the branch. */
async function checkOut(options: AddWorktreeOptions, start: Start): Promise<void> {
  const entry = ownEntry(options)
  const failure = { message: `cannot check out ${options.path}`, code: 'checkout_failed' }
  const reset = ['reset', '--hard', '--quiet', ...(start.kind === 'existing' ? [] : [start.commit])]
  const here = options.mirror.worktree(options.path, entry.directory).with({ failure })
  await here.despiteLocks(() => here.git(reset))
  if (start.onRemote) await followRemote(options)
  unlockEntry(entry)
}

function ownEntry(options: WorktreePlace): WorktreeEntry {
  const entry = entryOf(options.mirror.path, options.path)
  if (entry?.present === true) return entry
  throw new KugetsuError(`the worktree ${options.path} vanished while it was made`, {
    hint: 'Try again.',
    code: 'worktree_failed',
  })
}

async function isPushed(mirror: GitRepository, branch: string): Promise<boolean> {
  const args = ['rev-list', '--count', `refs/heads/${branch}`, '--not', '--remotes=origin']
  const count = await mirror.git(args).catch(() => 'unknown')
  return count.trim() === '0'
}

/** False when there is no such branch, or when another worktree is on it, which git refuses. */
async function deleteBranch(mirror: GitRepository, branch: string): Promise<boolean> {
  const args = ['branch', '--delete', '--force', '--quiet', '--', branch]
  return await mirror
    .despiteLocks(() => mirror.git(args))
    .then(
      () => true,
      () => false,
    )
}

function moveAway(place: string): string | undefined {
  if (fs.lstatSync(place, { throwIfNoEntry: false }) === undefined) return undefined
  const trash = temporarySibling(place)
  try {
    fs.renameSync(place, trash)
    return trash
  } catch (cause) {
    throw new KugetsuError(`cannot remove ${place}`, {
      hint: 'Check who owns it and that nothing is mounted there.',
      code: 'unremovable',
      cause,
    })
  }
}
