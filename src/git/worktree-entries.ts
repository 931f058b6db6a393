/**
 * A mirror's records of its worktrees, read from its files (gitrepository-layout(5), "worktrees/"). This takes no
 * process, and sees the half-made entries that `git worktree list` leaves out.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { codeOf } from '../core/errors.ts'
import { listDirectory, readText } from '../platform/files.ts'
import { linkOf } from './head.ts'
import { sweepTemporary, temporarySibling } from './temporary.ts'

export interface WorktreeEntry {
  /** The worktree's own git directory, `<mirror>/worktrees/<id>`. */
  directory: string
  /** Where the worktree is, or was; undefined when the entry was cut off before that was written. */
  path: string | undefined
  /** The branch it is on, without `refs/heads/`; undefined when HEAD is detached. */
  branch: string | undefined
  /** The commit of a detached HEAD. */
  detached: string | undefined
  /** Why it is locked, or undefined when it is not. */
  locked: string | undefined
  /** Its directory exists and is a worktree of this entry, at the moment of reading. */
  readonly present: boolean
}

/** All entries of a mirror; none when there is no mirror. */
export function listEntries(mirror: string): WorktreeEntry[] {
  return listDirectory(path.join(mirror, 'worktrees')).map((id) => readEntry(path.join(mirror, 'worktrees', id)))
}

/** The entry of the worktree at `place`, whether or not that directory still exists. */
export function entryOf(mirror: string, place: string): WorktreeEntry | undefined {
  const isHere = isAt(place)
  const usual = path.basename(place)
  const ids = listDirectory(path.join(mirror, 'worktrees'))
  // The usual name comes first: mostly no other entry has to be read.
  const inOrder = ids.includes(usual) ? [usual, ...ids.filter((id) => id !== usual)] : ids
  const id = inOrder.find((each) => isHere(placeIn(path.join(mirror, 'worktrees', each))))
  return id === undefined ? undefined : readEntry(path.join(mirror, 'worktrees', id))
}

/** Why a worktree is locked until its files are there. */
export const lockedByAdd = 'added with --lock'

/** `git worktree add` writes the first reason while it works, and the second when told to leave the worktree locked. */
export function isBeingSetUp(entry: WorktreeEntry): boolean {
  return entry.locked === 'initializing' || entry.locked === lockedByAdd
}

/**
 * Removes an entry, its lock and its index; branches and commits stay. By one rename: a kill during a deletion file by file
 * would leave a part that git cannot handle.
 */
export function dropEntry(entry: WorktreeEntry): void {
  const trash = temporarySibling(placeOfDropped(entry.directory))
  try {
    fs.renameSync(entry.directory, trash)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  fs.rmSync(trash, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 })
}

/** Where a worktree's dropped entry lies for a moment: in the repository, but not among its entries. */
export function placeOfDropped(directory: string): string {
  return path.join(path.dirname(path.dirname(directory)), `dropped-${path.basename(directory)}`)
}

/** Where entries are made, also not among the entries. One at a time, since the mirror's lock is held. */
export function placeOfAdded(mirror: string): string {
  return path.join(mirror, 'added')
}

/** Deletes the leftovers of dead processes of the entry of the worktree at `place`. The caller holds the mirror's lock. */
export async function sweepEntry(mirror: string, place: string): Promise<void> {
  await sweepTemporary(placeOfDropped(path.join(mirror, 'worktrees', path.basename(place))))
  await sweepTemporary(placeOfAdded(mirror))
}

export function unlockEntry(entry: WorktreeEntry): void {
  fs.rmSync(path.join(entry.directory, 'locked'), { force: true })
}

/** Whether two paths are the same place, with links resolved as far as the paths exist. */
export function isSamePlace(one: string, other: string): boolean {
  return one === other || realPlace(one) === realPlace(other)
}

/** The same for many paths and one place. */
export function isAt(place: string): (other: string | undefined) => boolean {
  let real: string | undefined
  return (other) => other === place || (other !== undefined && realPlace(other) === (real ??= realPlace(place)))
}

function placeIn(directory: string): string | undefined {
  const gitFile = readText(path.join(directory, 'gitdir'))?.trim()
  return gitFile === undefined || gitFile === '' ? undefined : path.dirname(path.resolve(directory, gitFile))
}

function readEntry(directory: string): WorktreeEntry {
  const place = placeIn(directory)
  const head = readText(path.join(directory, 'HEAD'))?.trim() ?? ''
  return {
    directory,
    path: place,
    branch: head.startsWith('ref: refs/heads/') ? head.slice('ref: refs/heads/'.length) : undefined,
    detached: /^[0-9a-f]{40,64}$/.test(head) && !/^0+$/.test(head) ? head : undefined,
    locked: readText(path.join(directory, 'locked'))?.trim(),
    // Checked only when read: most callers never need it.
    get present() {
      const link = place === undefined ? undefined : linkOf(place)
      const mirror = path.dirname(path.dirname(directory))
      return link !== undefined && isSamePlace(link, directory) && belongsTo(mirror, directory)
    },
  }
}

/**
 * Whether the entry's `commondir` names this mirror. With another one, git would read that repository's branches and
 * settings.
 */
function belongsTo(mirror: string, directory: string): boolean {
  const common = readText(path.join(directory, 'commondir'))?.trim()
  return common === undefined || isSamePlace(path.resolve(directory, common), mirror)
}

function realPlace(place: string): string {
  try {
    return fs.realpathSync.native(place)
  } catch {
    const parent = path.dirname(place)
    return parent === place ? place : path.join(realPlace(parent), path.basename(place))
  }
}
