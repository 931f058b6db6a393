/** The whole way to the worktree of an issue: clones or fetches the mirror, and makes the worktree meanwhile. */
import { nameWithRoom } from './branch-name.ts'
import { entryOf, isBeingSetUp } from '../git/worktree-entries.ts'
import type { GitOptions } from '../git/git.ts'
import { openMirror } from './mirror/mirror.ts'
import type { AddWorktreeOptions } from './options.ts'
import { askRefs, readRefs, sameRefs } from '../git/refs.ts'
import { remoteStartRefs, startRefs } from './start-point.ts'
import { type AddedWorktree, addWorktree, beginWorktree, completeWorktree, discardWorktree } from './worktrees.ts'

export interface PlaceWorktreeOptions extends Omit<AddWorktreeOptions, 'madeAt'> {
  /** The clone URL. */
  url: string
  /** How the remote is reached, where that differs from the other calls. */
  access?: Partial<Pick<GitOptions, 'env' | 'loginHint'>>
  /** Gets what git says while it clones or fetches, a line at a time. */
  onProgress?: ((text: string) => void) | undefined
  /** Called with the parts of the mirror that were lost and are now mended. */
  onMended?: ((parts: string[]) => void) | undefined
  /** Called with removed settings (`name=value`) that belonged to one worktree but applied to all. */
  onStray?: ((settings: string[]) => void) | undefined
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
 * addWorktree() in a mirror that is at least as new as the start of this call. While the remote is asked, the worktree is
 * made from what the mirror has. Usually nothing is left to do when the answer comes, because no ref that the start depends
 * on has changed. Otherwise the worktree is moved, like any worktree in which nobody has worked. If the call fails, what it
 * made is removed, unless onPlaced was called.
 *
 * Throws what openMirror and addWorktree throw.
 */
export async function placeWorktree(options: PlaceWorktreeOptions): Promise<PlacedWorktree> {
  const { mirror } = options
  const read = () => readRefs(mirror, startRefs(options))
  const failing = new AbortController()
  const signal = options.signal === undefined ? failing.signal : AbortSignal.any([options.signal, failing.signal])
  let told = false
  let isStill = () => false
  let early = Promise.resolve<AddedWorktree | undefined>(undefined)

  const beginEarly = async () => {
    const existing = entryOf(mirror, options.path)
    if (existing?.present === true && !isBeingSetUp(existing)) return
    // When the branch needs another name, ask the remote first: it may have work on the usual one.
    if (nameWithRoom(mirror, options.branch) !== options.branch) return
    const before = read() ?? (await askRefs({ ...options, path: mirror }, startRefs(options)))
    isStill = () => sameRefs(before, read(), remoteStartRefs(options))
    const begun = await beginWorktree(options, before)
    const complete = async () => {
      const made = await completeWorktree({ ...options, signal }, begun)
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
    await openMirror({ ...options, ...options.access, path: mirror, beforeFetch })
    options.onAnswered?.()
    const made = await early
    options.signal?.throwIfAborted()
    if (made?.isOfRemote === true && isStill()) return { ...made, told }
    const late = await addWorktree({ ...options, madeAt: made?.isOfRemote === true ? made.head : undefined })
    return made === undefined
      ? { ...late, told }
      : { ...late, created: true, branchCreated: made.branchCreated || late.branchCreated, told }
  } catch (error) {
    failing.abort()
    const made = await early
    if (made !== undefined && !told) {
      const undo = { ...options, branch: made.branch, signal: undefined, deleteBranch: made.branchCreated }
      await discardWorktree(undo).catch(() => {})
    }
    throw error
  }
}
