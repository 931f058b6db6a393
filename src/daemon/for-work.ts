import type { Home } from '../config/home.ts'
import type { Server } from '../opencode/server.ts'
import { readServer } from '../opencode/server-record.ts'
import { optimise } from '../platform/optimiser.ts'

let loaded: Promise<typeof import('./work.ts')> | undefined

/**
 * Loads what a daemon needs once there is something to do. Most of the time there is not, and what is not loaded takes
 * no memory: what an idle look runs imports none of it.
 */
export function loadForWork(): Promise<typeof import('./work.ts')> {
  if (loaded === undefined) optimise(true)
  return (loaded ??= import('./work.ts'))
}

/** findServer(), which is loaded only where there is one on file. */
export async function serverOnFile(home: Home): Promise<Server | undefined> {
  return readServer(home) === undefined ? undefined : (await loadForWork()).findServer(home)
}
