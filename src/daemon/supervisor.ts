/** Looks after the sessions: one look (`tick`) reads the files and acts on them. run-keeper.ts looks after the runs. */
import type { Home } from '../config/home.ts'
import { freeAbandonedSlots, settleAbandonedStarts } from '../sessions/runs/abandoned-starts.ts'
import { tellUntold } from '../sessions/runs/announce.ts'
import { freeForgottenSlots, sessionsAtWork } from '../sessions/runs/at-work.ts'
import type { Run } from '../sessions/file/session-file.ts'
import { rescueSessions } from '../sessions/file/put-back.ts'
import { readSessions, type StoredSession } from '../sessions/file/store.ts'
import { completeTranscripts } from './following/late-transcripts.ts'
import { createRunKeeper, type RunKeeper } from './following/run-keeper.ts'

/** Every change is announced to the daemon; this is for lost announcements. */
const fallbackMs = 60_000

export interface Supervisor {
  /** One look at everything. Returns the sessions with a run and how soon to look again, in milliseconds. */
  tick: () => Promise<{ atWork: StoredSession[]; againInMs: number }>
  close: () => void
}

/** `changed` is called when a look is worthwhile, `ended` once for each run that ended here. */
export function createSupervisor(
  home: Home,
  changed: () => void,
  ended: (session: string, run: Run) => void,
): Supervisor {
  let runs: RunKeeper | undefined

  async function tick(): Promise<{ atWork: StoredSession[]; againInMs: number }> {
    let sessions = readSessions(home)
    if (await rescueSessions(home)) sessions = readSessions(home)
    await settleAbandonedStarts(home, sessions)
    freeForgottenSlots(home)
    await freeAbandonedSlots(home)
    await tellUntold(home, sessions, 'again')
    const unwritten = sessions.filter(({ record }) => record.unwritten && record.unwritten.length > 0)
    // Before the next run of such a session is followed: its parts belong after these.
    if (unwritten.length > 0) await completeTranscripts(home, unwritten)
    const atWork = sessionsAtWork(home, sessions)
    if (atWork.length === 0) {
      runs?.rest()
      return { atWork, againInMs: fallbackMs }
    }
    runs ??= createRunKeeper(home, changed, ended)
    return { atWork, againInMs: await runs.look(atWork) }
  }

  return { tick, close: () => runs?.rest() }
}
