import { permissionRules } from '../agents/permissions.ts'
import type { Home } from '../config/home.ts'
import { driverFor } from '../driver/choose.ts'
import { sessionOn } from '../sessions/file/session-of-kind.ts'
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
  const driver = driverFor(home)
  const sessions = readSessions(home).flatMap(({ name, record }) => {
    const id = sessionOn(driver, record)
    return id !== undefined && name !== baseName ? [{ id, rules: permissionRules() }] : []
  })
  const fixed = driver.storeRules(home, sessions)
  return { fixed, unknown: sessions.map(({ id }) => id).filter((id) => !fixed.includes(id)) }
}
