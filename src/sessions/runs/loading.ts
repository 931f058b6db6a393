/** What the opencode server reads of a directory, and keeps, for the first prompt there. None is started for it. */
import type { Home } from '../../config/home.ts'
import type { Client } from '../../opencode/api/client.ts'
import { isChangedByReading } from '../../opencode/project-files.ts'
import { findServer } from '../../opencode/server/server.ts'

/**
 * Has it read that now, as far as it can; never rejects. Not where it would write at it: the worktree is to be moved to
 * another commit yet, maybe at that moment, and counts as one in which nobody has worked. Resolves once it has ended to
 * read, whatever becomes of the call: what is read in a directory that is then removed has to be forgotten after that.
 */
export async function loadAhead(home: Home, directory: string): Promise<void> {
  if (isChangedByReading(directory)) return
  try {
    await clientOf(home)?.warmUp(directory)
  } catch {
    // Whatever is wrong, the start meets it and says so.
  }
}

/** Has it forget that, because the files are others now, or will be gone. Throws KugetsuError when it cannot be asked. */
export async function unload(home: Home, directory: string): Promise<void> {
  await clientOf(home)?.disposeInstance(directory)
}

function clientOf(home: Home): Client | undefined {
  return findServer(home)?.connect(undefined)
}
