/** Which sessions have a run, and the slots of runs that no session has: all that files tell, without asking a server. */
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
    if (namedBySome(home, holder.id)) continue // the reservation may be spoiled, and the run goes on
    if (rescueFor(home, holder) !== undefined) continue
    if (holder.owner === undefined) setSlotAside(home, holder.id)
    else releaseSlot(home, holder.id)
  }
}

/** The sessions with a run, whoever has to look after it. */
export function sessionsAtWork(home: Home, sessions = readSessions(home)): AtWork[] {
  return sessions.filter((stored): stored is AtWork => Boolean(stored.record.run))
}

/** A session file that cannot be read may name it: unknown never means free. */
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
