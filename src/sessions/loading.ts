/** What the opencode server reads of a directory, and keeps, for the first prompt there. None is started for it. */
import type { Home } from '../config/home.ts'
import { isChangedByReading } from '../opencode/project-files.ts'
import { findServer } from '../opencode/server.ts'

/**
 * Has it read that now, as far as it can; never rejects. Not where it would write at it: the worktree is to be moved to
 * another commit yet, maybe at that moment, and counts as one in which nobody has worked.
 */
export async function loadAhead(home: Home, directory: string): Promise<void> {
  if (isChangedByReading(directory)) return
  await findServer(home)?.client.warmUp(directory)
}

/** Has it forget that, because the files are others now. Throws KugetsuError when it cannot be asked. */
export async function unload(home: Home, directory: string): Promise<void> {
  await findServer(home)?.client.disposeInstance(directory)
}
