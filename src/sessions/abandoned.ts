import type { Home } from '../config/home.ts'
import { unlessTaken } from '../platform/locks.ts'
import { changeSession, type StoredSession } from './store.ts'

/** Sessions left in `starting` by a command that was killed while it set them up: they say so from now on. */
export async function settleAbandonedStarts(home: Home, sessions: StoredSession[]): Promise<void> {
  for (const { name, record } of sessions) {
    if (record.state !== 'starting' || record.run) continue
    // Who holds it is at it.
    await unlessTaken(home.paths.lock(`issue-${name}`), () =>
      changeSession(home, name, (current) =>
        current?.state === 'starting' && !current.run
          ? { ...current, state: 'error', last_error: 'the command that started it was killed before the agent began' }
          : undefined,
      ),
    )
  }
}
