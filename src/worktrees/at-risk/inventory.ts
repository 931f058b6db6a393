/**
 * The losses with a worktree: the one answer that destroying, starting over, pruning and saving rely on. Everything is
 * on a remote that was asked (then it is not listed), can be saved (saveWork), or is listed as something that cannot be
 * saved. Anything unknown is listed too; it never means that nothing would be lost.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { messageOf } from '../../core/errors.ts'
import { type ByteName, charactersOf, displayName, namesIn } from '../../platform/byte-names.ts'
import { isBeingSetUp, listEntries } from '../../git/worktree-entries.ts'
import { gitDirectories } from '../../git/git.ts'
import type { GitRepository } from '../../git/repository.ts'
import { placeOf, type Place, recordsDirectory } from '../../git/place.ts'
import type { IssueWorktree } from '../issue-worktree.ts'
import { isAsMade } from './as-made.ts'
import { type Heads, headsOf, isMerged, type Stash, stashesOf, type Unpushed, unpushedOf } from './commits.ts'
import { type IgnoredFiles, noIgnoredFiles, sortIgnored, unreadable } from './ignored-files.ts'
import { type Inside, inside } from './inside.ts'
import { operationIn } from './operations.ts'
import { type Parked, parkedOf } from './parked.ts'
import { createRemotes, type Remotes } from './remotes.ts'
import type { InnerRepository, Walked } from './repositories.ts'
import { specialAmong, walkOf } from './special-files.ts'
import { readStatus, type WholeStatus } from './status.ts'

export interface Inventory {
  place: Place
  /** Where HEAD and the branches are. Saved whenever anything is. */
  heads: Heads
  /** Changed, staged, deleted or conflicted files. Saved. */
  uncommitted: ByteName[]
  /** The uncommitted files that git was told not to look at. */
  hidden: ByteName[]
  /** Files and whole directories (ending in `/`) that git does not know. Saved. */
  untracked: ByteName[]
  /** A merge, rebase, cherry-pick, revert or bisect in progress. Its files are saved. */
  inProgress: string | undefined
  /** Commits of HEAD and of the branches that no branch of the remote has, and that were not merged; newest first. Saved. */
  unpushed: Unpushed
  /**
   * Commits that neither HEAD nor a branch has, only the worktree's own records (reflogs, ORIG_HEAD, refs/worktree). Lists
   * only the last ones, behind which are all the others. Saved, and no reason to keep the worktree.
   */
  parked: Parked[]
  /** Stashes made on the branch (the worktrees of a mirror share the list) and not saved before. Saved. */
  stashes: Stash[]
  /**
   * `kept` files are saved, and no reason to keep the worktree. `left` and `output` are lost with it and must be named
   * before; `left` files are a reason to keep it.
   */
  ignored: IgnoredFiles
  /**
   * Why the remote could not be asked. Commits not in `unpushed` were pushed as of the last fetch, and are to be saved
   * with the rest.
   */
  unasked: string | undefined
  /** What cannot be saved and must not be lost, a line each that names it. The worktree has to stay. */
  unsavable: string[]
  /** What could not be found out, a line each. There may be more than is listed, so the worktree has to stay. */
  unknown: string[]
}

/** The branch of the issue goes with the worktree. */
export interface InventoryOptions extends IssueWorktree {
  /**
   * Brings the remote's branches up to date in the mirror; rejects when the remote cannot be asked. Without it, commits
   * count as pushed as of the last fetch.
   */
  askRemote?: (() => Promise<void>) | undefined
  /** What the remotes of repositories inside the worktree answer, shared within one command. */
  remotes?: Remotes | undefined
  /** Commits of the mirror that are known to be merged, with all before them, even if no branch has them. */
  merged?: readonly string[] | undefined
}

/** Inspects a worktree, or what its mirror still has of a missing one. Throws only when interrupted. */
export async function takeInventory(options: InventoryOptions): Promise<Inventory> {
  const { path: worktree, mirror } = options
  const place = placeOf(worktree, mirror.path)
  const found: Inventory = {
    place,
    heads: { head: undefined, on: undefined, branches: new Map(), incoming: [] },
    uncommitted: [],
    hidden: [],
    untracked: [],
    inProgress: undefined,
    unpushed: { count: 0, commits: new Set(), subjects: [] },
    parked: [],
    stashes: [],
    ignored: noIgnoredFiles(),
    unasked: undefined,
    unsavable: [],
    unknown: [],
  }
  const attempt = async (step: () => Promise<void>, failed = (reason: string) => void found.unknown.push(reason)) => {
    await step().catch((error: unknown) => {
      mirror.signal?.throwIfAborted()
      failed(messageOf(error))
    })
  }
  const hasMirror = fs.existsSync(mirror.path)
  if (!hasMirror && (place.kind === 'unknown' || place.kind === 'missing')) {
    return { ...found, unknown: [`the mirror ${mirror.path} is missing`] }
  }
  if (place.kind === 'unknown') {
    return { ...found, unknown: [`${worktree} is not a worktree of ${mirror.path}`] }
  }
  const walked = walkOf(worktree, place)
  if (walked !== undefined && walked.waiting.length > 0) return { ...found, unknown: walked.waiting }
  const asks = asksRemote(options, place)
  if (asks !== undefined) await attempt(asks, (reason) => void (found.unasked = reason))

  await Promise.all([
    attempt(async () => {
      const status = await filesOf(options, place, (warning) => found.unknown.push(warning))
      found.uncommitted = status.uncommitted
      found.hidden = status.hidden
      found.unsavable.push(...specialAmong(worktree, [...new Set([...status.uncommitted, ...status.hidden])]))
      found.untracked = status.untracked
      found.ignored = sortIgnored(worktree, status.ignored)
      const { kept } = found.ignored
      found.unknown.push(...unreadable(worktree, kept).map((name) => `${displayName(name)} cannot be read`))
    }),
    attempt(async () => {
      found.heads = await headsOf(options, place)
      const [unpushed, stashes] = await Promise.all([
        unpushedOf(options, place, found.heads),
        stashesOf(options, place, found.heads),
      ])
      Object.assign(found, { unpushed, stashes })
      // What the forge now reports as merged is safe, whatever the remote would say.
      if (found.unasked !== undefined && (await isMerged(options, place, found.heads))) found.unasked = undefined
      found.parked = await parkedOf(options, place, found.heads, stashes)
    }),
  ])
  await attempt(() =>
    lookInside(options, found, { walked, isAsked: asks !== undefined && found.unasked === undefined }),
  )
  const gitDirectory = recordsDirectory(place)
  if (gitDirectory !== undefined) found.inProgress = operationIn(gitDirectory)
  found.unsavable.push(...lockOf(place))
  const others = place.kind === 'clone' ? listEntries(place.repository).filter(({ present }) => present) : []
  if (others.length > 0) found.unsavable.push(`${others[0]?.path ?? 'another directory'} is a worktree of that clone`)
  return found
}

/**
 * Asks the remotes that takeInventory() will ask with the same options. takeInventory() then gets the same answers, and
 * reports what could not be asked. Throws only when interrupted.
 */
export async function askAhead(options: InventoryOptions): Promise<void> {
  const place = placeOf(options.path, options.mirror.path)
  const walked = walkOf(options.path, place)
  if (walked !== undefined && walked.waiting.length > 0) return
  const asks = asksRemote(options, place)
  const answered = await asks?.().then(
    () => true,
    () => options.mirror.signal?.throwIfAborted(),
  )
  await insideOf(options, place, { walked, isAsked: answered === true })
}

/** How to ask the remote; undefined when there is no need. */
function asksRemote({ askRemote, mirror }: InventoryOptions, place: Place): (() => Promise<void>) | undefined {
  return fs.existsSync(mirror.path) && !isAsMade(place) ? askRemote : undefined
}

interface Known {
  /** What a walk through the worktree found. */
  walked: Walked | undefined
  /** The mirror has what its remote has now. */
  isAsked: boolean
}

/** The repositories inside the worktree. */
async function insideOf(options: InventoryOptions, place: Place, known: Known): Promise<Inside | undefined> {
  const gitDirectory = recordsDirectory(place)
  if (gitDirectory === undefined) return undefined
  const { path: root, mirror, remotes = createRemotes() } = options
  const pushed = known.isAsked ? await remoteBranches(mirror) : []
  return await inside({ root, mirror, gitDirectory, remotes, pushed }, known.walked)
}

async function remoteBranches(mirror: GitRepository): Promise<string[]> {
  const text = await mirror.git(['for-each-ref', '--format=%(objectname)', 'refs/remotes/origin'])
  return [...new Set(text.split('\n').filter(Boolean))]
}

/** Looks at the repositories inside the worktree. */
async function lookInside(options: InventoryOptions, found: Inventory, known: Known): Promise<void> {
  const looked = await insideOf(options, found.place, known)
  if (looked === undefined) return
  const { lost, unknown, clean } = looked
  found.unknown.push(...unknown)
  const added = clean.filter((inner) => isAdded(inner, found))
  found.unsavable.push(...lost, ...added.map(({ name }) => `${name} is a repository of its own, which cannot be saved`))
}

/** Whether the repository is not committed here. A save would hold only a pointer to it. */
function isAdded({ at }: InnerRepository, { uncommitted, untracked }: Inventory): boolean {
  if (at === undefined) return false
  const here = `${charactersOf(at)}/`
  return (
    uncommitted.includes(at) ||
    untracked.some((name) => here.startsWith(charactersOf(name)) && charactersOf(name).endsWith('/'))
  )
}

/** A lock that somebody put there, as opposed to the lock under which a worktree is made. */
function lockOf(place: Place): string[] {
  const entry = place.kind === 'unknown' || place.kind === 'clone' ? undefined : place.entry
  if (entry?.locked === undefined || isBeingSetUp(entry)) return []
  return [`it is locked: ${entry.locked || 'no reason given'}`]
}

/** The state of the files; for a missing worktree, what only its index still has. */
async function filesOf(
  { path: worktree, mirror }: InventoryOptions,
  place: Exclude<Place, { kind: 'unknown' }>,
  onWarning: (text: string) => void,
): Promise<Pick<WholeStatus, 'uncommitted' | 'hidden' | 'untracked' | 'ignored'>> {
  if (place.kind !== 'missing') return readStatus(mirror.worktree(worktree, place.gitDirectory).with({ onWarning }))
  const none = { uncommitted: [], hidden: [], untracked: [], ignored: [] }
  const directory = place.entry?.directory
  if (directory === undefined || !fs.existsSync(path.join(directory, 'index'))) return none
  const own = mirror.with({ variables: gitDirectories(directory) })
  const args = ['diff-index', '--cached', '--name-only', '-z', '--no-renames', 'HEAD', '--']
  return { ...none, uncommitted: namesIn(await own.bytes(args)) }
}
