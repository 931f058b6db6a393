/**
 * Restores a session file that becomes unreadable while its agent works. The state of the run is unknown then, and
 * unknown never ends a run: the agent keeps its slot and its task. The file is put back as it was when the run began,
 * from the copy that lies with the slot. The copy lacks later prompts, but the opencode session has them.
 */
import type { Home } from '../../config/home.ts'
import { listDirectory } from '../../platform/files.ts'
import { parseRecord, type SessionRecord } from './session-file.ts'
import { handedOver, slotHolders, type Holder } from '../slots/slots.ts'
import { changeSession } from './store.ts'

/** Puts back the session files that were set aside while their agent works. Returns whether there were any. */
export async function rescueSessions(home: Home): Promise<boolean> {
  let any = false
  for (const holder of slotHolders(home)) {
    const copy = rescueFor(home, holder)
    if (copy === undefined) continue
    let isBack = false
    await changeSession(home, holder.session, (current) => {
      isBack = current === undefined
      return isBack ? { ...copy, state: 'running' } : undefined
    })
    if (!isBack) continue
    any = true
    home.warn(`${holder.issueRef}: its agent may be at work, so its session is put back as it was at the start`)
  }
  return any
}

/**
 * The content to restore the session file of a slot to; undefined when the file is there, was not set aside, or has no
 * usable copy.
 */
export function rescueFor(home: Home, holder: Holder): SessionRecord | undefined {
  if (holder.phase !== 'run' || holder.session === '') return undefined
  const names = listDirectory(home.paths.sessions)
  const file = `${holder.session}.json`
  if (names.includes(file) || !names.some((name) => name.startsWith(`${file}.unreadable-`))) return undefined
  const read = parseRecord(handedOver(home, holder.id))
  return read?.run?.slot === holder.id ? read : undefined
}
