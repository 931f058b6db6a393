/** The whole way to the worktree of an issue: clones or fetches the mirror, and makes the worktree meanwhile. */
import { nameWithRoom } from './branch-name.ts'
import { entryOf, isBeingSetUp } from '../git/worktree-entries.ts'
import { type MirrorOptions, openMirror } from './mirror/mirror.ts'
import type { AddWorktreeOptions } from './issue-worktree.ts'
import { askRefs, readRefs, sameRefs } from '../git/refs.ts'
import { remoteStartRefs, startRefs } from './start-point.ts'
import { type AddedWorktree, addWorktree, beginWorktree, completeWorktree, discardWorktree } from './worktrees.ts'

type Sources = Omit<AddWorktreeOptions, 'madeAt'> & Omit<MirrorOptions, 'beforeFetch'>

export interface PlaceWorktreeOptions extends Sources {
  /**
   * Called when all files of a worktree that this call made are there, possibly before the remote has answered. If the
   * answer differs, the worktree is moved afterwards. From here on, undoing it is up to the caller.
   */
  onPlaced?: ((made: AddedWorktree) => void) | undefined
  /** Called when the remote has answered. The rest of the work waits for no one else. */
  onAnswered?: (() => void) | undefined
}

export interface PlacedWorktree extends AddedWorktree {
  /** onPlaced was called. */
  told: boolean
}

/**
 * addWorktree() in a mirror at least as new as the start of this call. While the remote is asked, the worktree is made
 * from what the mirror has. Usually nothing is left to do when the answer comes, because no ref that the start depends
 * on has changed. Otherwise the worktree is moved, like any unused worktree. If the call fails, what it made is
 * removed, unless onPlaced was called.
 *
 * Throws what openMirror and addWorktree throw.
 */
export async function placeWorktree(options: PlaceWorktreeOptions): Promise<PlacedWorktree> {
  const { mirror } = options
  const { path: repository, signal } = mirror
  const read = () => readRefs(repository, startRefs(options))
  const failing = new AbortController()
  const either = signal === undefined ? failing.signal : AbortSignal.any([signal, failing.signal])
  let told = false
  let isStill = () => false
  let early = Promise.resolve<AddedWorktree | undefined>(undefined)

  const beginEarly = async () => {
    const existing = entryOf(repository, options.path)
    if (existing?.present === true && !isBeingSetUp(existing)) return
    // When the branch needs another name, ask the remote first: it may have work on the usual one.
    if (nameWithRoom(repository, options.branch) !== options.branch) return
    const before = read() ?? (await askRefs(mirror, startRefs(options)))
    isStill = () => sameRefs(before, read(), remoteStartRefs(options))
    const begun = await beginWorktree(options, before)
    const complete = async () => {
      const made = await completeWorktree({ ...options, mirror: mirror.with({ signal: either }) }, begun)
      if (options.onPlaced === undefined || !isStill()) return made
      told = true
      options.onPlaced(made)
      return made
    }
    // Outside the lock. An outdated mirror can make this fail; the fetch then mends or reports the problem.
    early = complete().catch(() => undefined)
  }

  try {
    const beforeFetch = () => beginEarly().catch(() => {})
    await openMirror(mirror, { ...options, beforeFetch })
    options.onAnswered?.()
    const made = await early
    signal?.throwIfAborted()
    if (made?.isOfRemote === true && isStill()) return { ...made, told }
    const late = await addWorktree({ ...options, madeAt: made?.isOfRemote === true ? made.head : undefined })
    return made === undefined
      ? { ...late, told }
      : { ...late, created: true, branchCreated: made.branchCreated || late.branchCreated, told }
  } catch (error) {
    failing.abort()
    const made = await early
    if (made !== undefined && !told) {
      const undo = { ...options, branch: made.branch, deleteBranch: made.branchCreated }
      await discardWorktree(undo).catch(() => {})
    }
    throw error
  }
}
