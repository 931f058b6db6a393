/** opencode's database: the one way to move a forked session to another directory that works on every version. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { KugetsuError } from '../core/errors.ts'
import type { PermissionRule } from '../driver/client.ts'
import type { StoreLook } from '../driver/driver.ts'
import { openSqlite, type Sqlite, type Value } from '../platform/sqlite.ts'
import { dataDirectory } from './directories.ts'
import { lookAtTable } from './session-table.ts'

/** What a person can do about a missing or unreadable database. */
export const databaseHint = 'Set OPENCODE_DB to what "opencode db path" prints.'

/** Where opencode keeps its database, as `opencode db path` would say: `OPENCODE_DB`, else under the XDG data directory. */
export function databasePath(env: NodeJS.ProcessEnv, userHome: string): string {
  const data = dataDirectory(env, userHome)
  const chosen = env['OPENCODE_DB']
  return chosen ? path.resolve(data, chosen) : path.join(data, 'opencode.db')
}

/**
 * Makes session `id` work in `directory` of project `projectId` under `rules`. The running server reads the row again.
 * Throws KugetsuError when the database or the session is not there.
 */
export function retargetSession(
  file: string,
  id: string,
  target: { directory: string; projectId: string; rules: PermissionRule[] },
): void {
  const database = openDatabase(file)
  try {
    const columns = new Set(database.all('PRAGMA table_info(session)').map((column) => column['name']))
    const values: Record<string, Value> = {
      directory: target.directory,
      project_id: target.projectId,
      permission: JSON.stringify(target.rules),
      // Newer versions keep the old relative path here, which would be wrong now.
      ...(columns.has('path') ? { path: '' } : {}),
    }
    const changes = Object.keys(values).map((column) => `${column} = ?`)
    const changed = database.run(`UPDATE session SET ${changes.join(', ')} WHERE id = ?`, ...Object.values(values), id)
    if (changed !== 1) throw new KugetsuError(`opencode's database has no session ${id}`, { code: 'session_missing' })
  } finally {
    database.close()
  }
}

/** What kugetsu reads and writes of a session's row. */
const neededColumns = ['id', 'directory', 'project_id', 'permission']

export function lookAtDatabase(file: string): StoreLook | undefined {
  return lookAtTable(file, 'session', neededColumns)
}

/**
 * Stores permission rules with sessions; returns the ids of the sessions that exist. A running server reads them again.
 * Throws KugetsuError `no_opencode_database`.
 */
export function storePermissions(file: string, sessions: readonly { id: string; rules: PermissionRule[] }[]): string[] {
  const database = openDatabase(file)
  try {
    return sessions.flatMap(({ id, rules }) =>
      database.run('UPDATE session SET permission = ? WHERE id = ?', JSON.stringify(rules), id) === 1 ? [id] : [],
    )
  } finally {
    database.close()
  }
}

/**
 * When a session has a message from after `now`, dates all messages of the session back, so that the newest is from `now`
 * and the next message sorts last: opencode sorts by these times. Only for when no server runs. Returns the ids of the
 * changed sessions. Throws SQLite's own errors.
 */
export function dateBack(file: string, sessions: readonly string[], now: Date): string[] {
  if (!fs.existsSync(file)) return []
  const database = openSqlite(file, { timeoutMs: 10_000, mustExist: true })
  try {
    if (database.all("SELECT 1 FROM sqlite_master WHERE name = 'message'").length === 0) return []
    return sessions.filter((id) => {
      const [row] = database.all('SELECT max(time_created) AS latest FROM message WHERE session_id = ?', id)
      const excess = Number(row?.['latest'] ?? 0) - now.getTime()
      if (excess <= 0) return false
      const earlier = (field: string) =>
        `data = json_set(data, '$.time.${field}', json_extract(data, '$.time.${field}') - ${excess})`
      const isCompleted = `json_extract(data, '$.time.completed') IS NOT NULL`
      database.run(`UPDATE message SET ${earlier('completed')} WHERE session_id = ? AND ${isCompleted}`, id)
      database.run(
        `UPDATE message SET time_created = time_created - ${excess}, ${earlier('created')} WHERE session_id = ?`,
        id,
      )
      return true
    })
  } finally {
    database.close()
  }
}

function openDatabase(file: string): Sqlite {
  if (!fs.existsSync(file)) {
    throw new KugetsuError(`opencode database not found at ${file}`, {
      hint: databaseHint,
      code: 'no_opencode_database',
    })
  }
  return openSqlite(file, { timeoutMs: 10_000, mustExist: true })
}
