import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { unlessTaken } from '../../platform/locks.ts'
import { isOutOfSight } from '../../platform/processes.ts'
import { releaseSlot, slotHolders, type Holder } from '../slots/slots.ts'
import { changeSession, type StoredSession } from '../file/store.ts'

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

/**
 * Frees what commands hold that were setting an agent up in a container which has ended since: whether they live cannot
 * be seen from another one, but while they do they have their issue's lock, which the kernel keeps across containers.
 */
export async function freeAbandonedSlots(home: Home): Promise<void> {
  for (const { id, session } of slotHolders(home).filter(isAbandoned)) {
    await unlessTaken(home.paths.lock(`issue-${session}`), () => {
      // It may have been handed over to its run just before.
      if (slotHolders(home).some((each) => each.id === id && isAbandoned(each))) releaseSlot(home, id)
    })
  }
}

function isAbandoned({ phase, owner, session }: Holder): boolean {
  const isName = session !== '' && path.basename(session) === session
  return phase !== 'run' && owner !== undefined && isName && isOutOfSight(owner)
}
