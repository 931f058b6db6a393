import * as fs from 'node:fs'
import * as path from 'node:path'
import { cloneUrlOf } from '../../config/repositories.ts'
import type { Home } from '../../config/home.ts'
import { withoutCredentials } from '../../config/remote-url.ts'
import { messageOf } from '../../core/errors.ts'
import { branchOf, formatRef, type IssueRef } from '../../core/issue-ref.ts'
import { branchAt } from '../../git/head.ts'
import { entryOf, isBeingSetUp } from '../../git/worktree-entries.ts'
import { placeWorktree } from '../../worktrees/place-worktree.ts'
import { moveOldSaved } from '../../worktrees/mirror/saved-repository.ts'
import type { IssueWorktree } from '../../worktrees/issue-worktree.ts'
import { type AddedWorktree, discardWorktree } from '../../worktrees/worktrees.ts'
import type { SessionRecord } from '../file/session-file.ts'
import { mirrorOf } from '../file/worktree-handles.ts'
import { mendIfBroken } from '../../worktrees/mend.ts'
import type { Undo } from './undo.ts'

const cloneTimeoutMs = 30 * 60_000

export interface ReadyWorktree extends IssueWorktree {
  baseBranch: string | undefined
  /** The branch has work on it already, from an earlier worktree or on the remote. */
  workExists: boolean
}

export interface WorktreeRequest {
  ref: IssueRef
  name: string
  base?: string | undefined
  existing: SessionRecord | undefined
  /**
   * Called with the worktree's directory as soon as its files are there, maybe before the remote has answered, so that
   * the caller can load the directory meanwhile. If the remote has other commits, the worktree is moved to those.
   */
  onPlaced?: (directory: string) => void
  /** Called when an existing or announced worktree was moved to another commit: what was loaded for it is outdated. */
  onMoved?: (directory: string) => Promise<void>
  /** Called when the remote at this address, without credentials, is being asked. */
  onAsking?: ((remote: string) => void) | undefined
  /** Called when the remote has answered. */
  onAnswered?: (() => void) | undefined
}

/** The making of a worktree was cut off: its files may be missing. */
function isHalfMade(mirror: string, place: string): boolean {
  const entry = entryOf(mirror, place)
  return entry !== undefined && isBeingSetUp(entry)
}

/** The worktree of an issue: its existing one, unchanged, else a new one on its branch from a fresh mirror. */
export async function ensureIssueWorktree(home: Home, request: WorktreeRequest, undo: Undo): Promise<ReadyWorktree> {
  const recorded = request.existing?.worktree_path
  const branch = request.existing?.branch_name ?? branchOf(request.ref)
  const mirror = mirrorOf(home, request.ref).with({ timeoutMs: cloneTimeoutMs })
  // The bash tool may have put it elsewhere, or made it a clone of its own.
  if (recorded) await mendIfBroken(home, { mirror, path: recorded, branch })
  await moveOldSaved(mirror).catch((error: unknown) => {
    home.signal.throwIfAborted()
    home.warn(`work that an older kugetsu saved stays in the mirror, from which agents push: ${messageOf(error)}`)
  })
  if (recorded && fs.existsSync(path.join(recorded, '.git')) && !isHalfMade(mirror.path, recorded)) {
    const baseBranch = request.existing?.base_branch ?? undefined
    return { mirror, path: recorded, branch: branchAt(recorded) ?? branch, baseBranch, workExists: true }
  }
  const url = cloneUrlOf(home, request.ref)
  if (!fs.existsSync(mirror.path)) home.progress(`cloning ${withoutCredentials(url)}`)
  const place = path.join(home.paths.worktrees, request.name)
  const wanted = { mirror, path: place, branch, base: request.base ?? home.settings(formatRef(request.ref)).baseBranch }
  const undoIt = (made: AddedWorktree) =>
    undo.add(`the worktree ${place}`, () =>
      discardWorktree({ ...wanted, branch: made.branch, deleteBranch: made.branchCreated }),
    )
  request.onAsking?.(withoutCredentials(url))
  const made = await placeWorktree({
    ...wanted,
    onAnswered: request.onAnswered,
    url,
    onProgress: (text) => home.progress(text, 'passing'),
    onMended: (parts) => home.warn(`git did not work in ${mirror.path}; repaired: ${parts.join(', ')}`),
    onStray: (settings) =>
      home.warn(`undid what an agent had set for all worktrees of ${mirror.path}: ${settings.join(', ')}`),
    onPlaced: (early) => {
      undoIt(early)
      request.onPlaced?.(place)
    },
  })
  if (made.created && !made.told) undoIt(made)
  if (made.moved && (made.told || !made.created)) await request.onMoved?.(place)
  if (made.created && made.branch !== branch)
    home.warn(`there is no room for a branch ${branch} beside others: the worktree is on ${made.branch}`)
  return { mirror, path: place, branch: made.branch, baseBranch: made.baseBranch, workExists: !made.isUntouched }
}
