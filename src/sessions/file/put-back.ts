/**
 * What becomes of an agent whose session file is spoiled while it works. Nothing is known of its run then, and unknown
 * ends nothing: its slot stays taken, its task stays its, and the file is put back as it was when the run began, from
 * the copy that lies with the slot. Prompts since then are missing in it, which the session itself makes up for.
 */
import type { Home } from '../../config/home.ts'
import { listDirectory } from '../../platform/files.ts'
import { sessionRecord, type SessionRecord } from './session-file.ts'
import { handedOver, slotHolders, type Holder } from '../slots/slots.ts'
import { changeSession } from './store.ts'

/** Puts back the session files that were set aside while an agent works on them; whether there were any. */
export async function rescueSessions(home: Home): Promise<boolean> {
  let any = false
  for (const holder of slotHolders(home)) {
    const copy = rescueFor(home, holder)
    if (copy === undefined) continue
    await changeSession(home, holder.session, (current) => {
      if (current !== undefined) return undefined
      any = true
      return { ...copy, state: 'running' }
    })
    if (any)
      home.warn(`${holder.issueRef}: its agent may be at work, so its session is put back as it was at the start`)
  }
  return any
}

/** What the session file of a slot is to be put back to; undefined when it is there, or was not spoiled, or nothing is known. */
export function rescueFor(home: Home, holder: Holder): SessionRecord | undefined {
  if (holder.phase !== 'run' || holder.session === '') return undefined
  const names = listDirectory(home.paths.sessions)
  const file = `${holder.session}.json`
  if (names.includes(file) || !names.some((name) => name.startsWith(`${file}.unreadable-`))) return undefined
  const read = sessionRecord().safeParse(handedOver(home, holder.id))
  return read.success && read.data.run?.slot === holder.id ? read.data : undefined
}
