/** Which sessions have a run, and which slots of runs no session names: from files only, without asking a server. */
import type { Home } from '../../config/home.ts'
import { KugetsuError } from '../../core/errors.ts'
import type { Run } from '../file/session-file.ts'
import { rescueFor } from '../file/put-back.ts'
import { releaseSlot, setSlotAside, slotHolders } from '../slots/slots.ts'
import { readSession, readSessions, type StoredSession } from '../file/store.ts'

/** A session with a run. */
export type AtWork = StoredSession & { record: { run: Run } }

/** Frees the slots in phase `run` that no session names. */
export function freeForgottenSlots(home: Home): void {
  for (const holder of slotHolders(home)) {
    if (holder.phase !== 'run') continue
    if (mayName(home, holder.session, holder.id)) continue
    if (namedBySome(home, holder.id)) continue // the reservation may be spoiled while the run goes on
    if (rescueFor(home, holder) !== undefined) continue
    if (holder.owner === undefined) setSlotAside(home, holder.id)
    else releaseSlot(home, holder.id)
  }
}

/** The sessions with a run. */
export function sessionsAtWork(home: Home, sessions = readSessions(home)): AtWork[] {
  return sessions.filter((stored): stored is AtWork => Boolean(stored.record.run))
}

/** A session file that cannot be read may name the slot: unknown never means free. */
function mayName(home: Home, session: string, slot: string): boolean {
  try {
    return readSession(home, session)?.run?.slot === slot
  } catch (error) {
    if (error instanceof KugetsuError) return true
    throw error
  }
}

function namedBySome(home: Home, slot: string): boolean {
  return sessionsAtWork(home).some(({ record }) => record.run.slot === slot)
}
