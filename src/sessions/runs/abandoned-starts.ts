import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { unlessTaken } from '../../platform/locks.ts'
import { isOutOfSight } from '../../platform/processes.ts'
import { releaseSlot, slotHolders, type Holder } from '../slots/slots.ts'
import { changeSession, type StoredSession } from '../file/store.ts'

/** Marks sessions as failed that are still `starting` because the command that set them up was killed. */
export async function settleAbandonedStarts(home: Home, sessions: StoredSession[]): Promise<void> {
  for (const { name, record } of sessions) {
    if (record.state !== 'starting' || record.run) continue
    // If the lock is taken, a command is still starting this agent.
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
 * Frees the slots of commands that were starting an agent in a container that has ended since. Another container cannot
 * see whether such a command lives. But while it lives it holds its issue's lock, and the kernel keeps locks across
 * containers.
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
