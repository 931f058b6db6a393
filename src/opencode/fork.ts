import { awaitedLater } from '../core/awaited-later.ts'
import { KugetsuError } from '../core/errors.ts'
import type { Placement } from '../driver/client.ts'
import type { Routes } from './api/routes.ts'
import { retargetSession } from './database.ts'

/**
 * Forks session `base`; the fork still works in the base's directory. `near` is any directory of the home, to ask from.
 * Throws KugetsuError `base_session_missing` when opencode does not have it any more.
 */
export async function forkBase(routes: Routes, base: string, near: string): Promise<string> {
  const session = await routes.session(base, near)
  if (session === undefined) {
    throw new KugetsuError('opencode does not know the base session any more', {
      hint: 'Make a new one with "kugetsu init --force"; issue sessions and worktrees stay.',
      code: 'base_session_missing',
    })
  }
  return (await routes.fork(base, session.directory)).id
}

/**
 * Makes a session work in `directory`, and checks that it does, before any prompt is sent: a prompt always works in the
 * session's directory, and the base's directory must stay untouched. Throws KugetsuError `wrong_directory` otherwise.
 */
export async function moveSession(routes: Routes, id: string, target: Placement, database: string): Promise<void> {
  const { directory, rules } = target
  const { id: projectId } = await routes.project(directory)
  retargetSession(database, id, { directory, projectId, rules })
  const named = awaitedLater(routes.rename(id, directory, target.title)) // a wrong directory is reported first
  const session = await routes.session(id, directory)
  if (session?.directory !== directory) {
    throw new KugetsuError(
      `opencode's session ${id} works in ${session?.directory ?? 'no directory'}, not in ${directory}`,
      {
        hint: 'Another opencode may use another database: see "opencode db path" and OPENCODE_DB.',
        code: 'wrong_directory',
      },
    )
  }
  await named
}
