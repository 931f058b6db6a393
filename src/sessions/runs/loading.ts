/** What the opencode server reads of a directory, and keeps, for the first prompt there. No server is started for this. */
import type { Home } from '../../config/home.ts'
import { driverFor } from '../../driver/choose.ts'
import type { Client } from '../../driver/client.ts'
import { findServer } from '../../server/server.ts'

/**
 * Has the server read the directory now, as far as it can; never rejects. Not used where reading would change files:
 * the worktree may still be moved to another commit, maybe at that moment, and has to count as unused. Resolves only
 * once the server has stopped reading, even if the start fails: a directory must be unloaded after that before it is
 * removed.
 */
export async function loadAhead(home: Home, directory: string): Promise<void> {
  if (driverFor(home).isChangedByReading(directory)) return
  try {
    await clientOf(home)?.warmUp(directory)
  } catch {
    // The start meets the same problem and reports it.
  }
}

/** Has the server forget a directory because its files change or go away. Throws KugetsuError when it cannot be asked. */
export async function unload(home: Home, directory: string): Promise<void> {
  await clientOf(home)?.close(directory)
}

function clientOf(home: Home): Client | undefined {
  return findServer(home)?.connect(undefined)
}
