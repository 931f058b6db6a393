/** An inventory in words. */
import { counted, sample } from '../../core/wording.ts'
import { type ByteName, displayName } from '../../platform/byte-names.ts'
import type { Inventory } from './inventory.ts'

/** Why something stays, as lines for a person; it may go when there are none. */
export interface Keeping {
  reasons: string[]
  /** It cannot be told what would be lost. */
  isUnclear: boolean
}

/** What to do about a directory that git knows nothing about. */
export const moveItAway = 'Move that directory away and try again: its files stay as they are.'

/**
 * Whether removing the worktree could lose anything without being told to. What is saved by itself (see Inventory) does not
 * count; what is unknown does.
 */
export function isAtRisk(found: Inventory): boolean {
  return (
    found.unknown.length + found.unsavable.length > 0 ||
    found.unasked !== undefined ||
    found.inProgress !== undefined ||
    found.uncommitted.length + found.untracked.length + found.unpushed.count + found.stashes.length > 0 ||
    found.ignored.left.length > 0
  )
}

/** Whether something about the worktree could not be found out. */
export function isUnclear(found: Inventory): boolean {
  return found.unknown.length > 0 || found.unasked !== undefined
}

/** What would be lost, a line for each kind; nothing for a clean worktree. */
export function describeInventory(found: Inventory): string[] {
  const lines = found.unknown.map((reason) => `cannot tell what would be lost: ${reason}`)
  if (found.unasked !== undefined) lines.push(`cannot tell what the remote has: ${found.unasked}`)
  lines.push(...found.unsavable, ...describeSavable(found))
  const { left } = found.ignored
  if (left.length > 0) {
    lines.push(`${counted(left.length, 'ignored file')} that cannot be saved: ${sample(left)}`)
  }
  return lines
}

/** The part that saveWork() can save, but only when a command asks for it. */
export function describeSavable(found: Inventory): string[] {
  const lines: string[] = []
  const { inProgress, uncommitted, untracked, unpushed, stashes } = found
  if (inProgress !== undefined) lines.push(`${inProgress} is in progress`)
  if (uncommitted.length > 0) lines.push(named(uncommitted, 'uncommitted change'))
  if (untracked.length > 0) lines.push(named(untracked, 'untracked file'))
  if (unpushed.count > 0) {
    lines.push(`${counted(unpushed.count, 'unpushed commit')}: ${sample(unpushed.subjects, unpushed.count)}`)
  }
  if (stashes.length > 0) lines.push(counted(stashes.length, 'stash', 'stashes'))
  return lines
}

/** What saveWork() saves without being asked, a line for each kind. */
export function describeSavedByItself({ ignored, parked }: Inventory): string[] {
  const files = ignored.kept.length === 0 ? [] : [named(ignored.kept, 'ignored file')]
  const commits = parked.length === 0 ? [] : [`${counted(parked.length, 'commit')} of no branch`]
  return [...files, ...commits]
}

/** What goes with the worktree without being saved, a line each. The user must see it before the removal. */
export function describeLost({ ignored }: Inventory): string[] {
  return [...ignored.left, ...ignored.output]
}

function named(names: ByteName[], what: string): string {
  return `${counted(names.length, what)}: ${sample(names.slice(0, 5).map(displayName), names.length)}`
}
