/**
 * Work that a person gives an agent in opencode itself (`kugetsu attach`). No run is on file for it, so only opencode can
 * say whether it goes on.
 */
import type { Home } from '../../config/home.ts'
import { findServer } from '../../server/server.ts'
import type { SessionRecord } from '../file/session-file.ts'
import { sessionOn } from '../file/session-of-kind.ts'

/** Whether a session without a run is at work. Throws what opencode's client throws where opencode does not say. */
export async function isAtWorkByHand(home: Home, record: SessionRecord): Promise<boolean> {
  return (await workByHand(home, record)) !== undefined
}

/** Stops that work; returns whether there was any. Throws as isAtWorkByHand(). */
export async function stopWorkByHand(home: Home, record: SessionRecord): Promise<boolean> {
  const work = await workByHand(home, record)
  await work?.stop()
  return work !== undefined
}

async function workByHand(home: Home, record: SessionRecord): Promise<{ stop: () => Promise<unknown> } | undefined> {
  const directory = record.worktree_path
  const server = findServer(home)
  const id = server && sessionOn(server.driver, record)
  if (server === undefined || !id || !directory || record.run) return undefined
  const { client } = server
  // Asked with the base directory: opencode would first load a directory that it has not open.
  const isAtWork = await client.isAtWork(id, { directory, near: home.paths.base })
  return isAtWork ? { stop: () => client.interrupt(id, directory) } : undefined
}
