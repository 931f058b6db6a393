import { permissionRules } from '../agents/permissions.ts'
import type { Home } from '../config/home.ts'
import { driverFor } from '../driver/choose.ts'
import { baseName, readSessions } from '../sessions/file/store.ts'

export interface PermissionsFixed {
  /** The opencode ids of the sessions that have their rules now. */
  fixed: string[]
  /** The ids of sessions that opencode does not know any more. */
  unknown: string[]
}

/**
 * Stores the permission rules with the sessions of all issues and of the PM agent, in opencode's database. The base
 * session gets none: no agent works in it, and a person who adds context to it can be asked.
 * Throws KugetsuError `no_opencode_database`.
 */
export function fixSessionPermissions(home: Home): PermissionsFixed {
  const sessions = readSessions(home).flatMap(({ name, record }) =>
    record.opencode_session_id && name !== baseName
      ? [{ id: record.opencode_session_id, rules: permissionRules() }]
      : [],
  )
  const fixed = driverFor(home).storeRules(home, sessions)
  return { fixed, unknown: sessions.map(({ id }) => id).filter((id) => !fixed.includes(id)) }
}
