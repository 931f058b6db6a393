/** The whole way to the worktree of an issue: its mirror is cloned or fetched, and the worktree made meanwhile. */
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
  /** How the remote is reached, where that is not as everything else. */
  access?: Partial<Pick<GitOptions, 'env' | 'loginHint'>>
  /** Gets what git says while it clones or fetches, a line at a time. */
  onProgress?: ((text: string) => void) | undefined
  /** Told what of the mirror was lost and is mended. */
  onMended?: ((parts: string[]) => void) | undefined
  /** Told of settings, as `name=value`, that held for all worktrees, were one worktree's, and are gone. */
  onStray?: ((settings: string[]) => void) | undefined
  /**
   * Called when all files of a worktree that this call made are there, maybe before the remote has answered: it is moved
   * then where that says otherwise. From here on it is the caller's to undo.
   */
  onPlaced?: ((made: AddedWorktree) => void) | undefined
  /** Called when the remote has answered: what is left to do waits for nobody else. */
  onAnswered?: (() => void) | undefined
}

export interface PlacedWorktree extends AddedWorktree {
  /** onPlaced was called. */
  told: boolean
}

/**
 * addWorktree() in a mirror that is as the remote was after this call began. While the remote is asked, the worktree is
 * made from what the mirror has; in the usual case nothing else is to be done when the answer has come, since nothing has
 * changed that its start follows from. Else it is moved, as one in which nobody has worked. What it made is gone again
 * when it fails, unless onPlaced was called.
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
    // With another name the remote is to be asked first: it may have work on the usual one.
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
    // Outside of the lock. What is wrong with a mirror that may be old, the fetch mends or tells.
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
