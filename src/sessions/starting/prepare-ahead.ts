/**
 * Does ahead the slow parts of a start that need no slot: the worktree of a waiting task, and what the opencode server
 * loads before its first prompt there. No file records this. A start finds the worktree and treats it as unused
 * (worktrees/renew.ts). If the daemon is killed, the worktree stays as one that no session names.
 */
import type { Home } from '../../config/home.ts'
import type { IssueRef } from '../../core/issue-ref.ts'
import { displayName } from '../../platform/byte-names.ts'
import { driverFor } from '../../driver/choose.ts'
import { unlessTaken } from '../../platform/locks.ts'
import { isAtRisk } from '../../worktrees/at-risk/describe.ts'
import { takeInventory } from '../../worktrees/at-risk/inventory.ts'
import { unaborted } from '../../worktrees/issue-worktree.ts'
import { ensureIssueWorktree, type ReadyWorktree } from './ensure-worktree.ts'
import { loadAhead, unload } from '../runs/loading.ts'
import { nameOf } from '../file/session-name.ts'
import { slotHolders } from '../slots/slots.ts'
import { readSession } from '../file/store.ts'
import { createUndo, type Undo } from './undo.ts'

export interface Prepared {
  name: string
  worktree: ReadyWorktree
  /** Empty when the worktree was there before. */
  undo: Undo
}

/**
 * Prepares the start of an agent. Undefined when another command or an agent works on the issue. Throws what making a
 * worktree throws; the start would meet the same error.
 */
export async function prepareStart(
  home: Home,
  request: { ref: IssueRef; base?: string | undefined },
): Promise<Prepared | undefined> {
  const name = nameOf(home, request.ref)
  const undo = createUndo(home.warn)
  const worktree = await unlessTaken(home.paths.lock(`issue-${name}`), async () => {
    const existing = readSession(home, name)
    if (existing?.run || slotHolders(home).some(({ session }) => session === name)) return undefined
    const onMoved = (directory: string) => unload(home, directory)
    return ensureIssueWorktree(home, { ...request, name, existing, onMoved }, undo)
  })
  if (worktree === undefined) return undefined
  await loadAhead(home, worktree.path)
  return { name, worktree, undo }
}

/** Takes back the preparation, unless a session has the worktree by now or there is work in it. */
export async function discardPrepared(home: Home, { name, worktree, undo }: Prepared): Promise<void> {
  await unlessTaken(home.paths.lock(`issue-${name}`), async () => {
    if (readSession(home, name) !== undefined) return
    const found = await takeInventory(unaborted(worktree))
    const { isMadeByReading } = driverFor(home)
    if (isAtRisk(found) || found.parked.length > 0 || !found.ignored.names.map(displayName).every(isMadeByReading))
      return
    await unload(home, worktree.path).catch(() => {}) // a failure only costs memory
    await undo.run()
  })
}
