/** opencode's database: the one way to move a forked session to another directory that works on every version. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { KugetsuError } from '../core/errors.ts'
import { openSqlite, type Value } from '../platform/sqlite.ts'

/** A rule of what an agent may do; opencode applies the last one that matches. */
export interface PermissionRule {
  permission: string
  /** `*` stands for anything, `?` for one character. */
  pattern: string
  action: 'allow' | 'deny' | 'ask'
}

/** Where opencode keeps its database, as `opencode db path` would say: `OPENCODE_DB`, else under the XDG data directory. */
export function databasePath(env: NodeJS.ProcessEnv, userHome: string): string {
  const data = path.join(env['XDG_DATA_HOME'] || path.join(userHome, '.local', 'share'), 'opencode')
  const chosen = env['OPENCODE_DB']
  return chosen ? path.resolve(data, chosen) : path.join(data, 'opencode.db')
}

/**
 * Makes session `id` work in `directory` of project `projectId` under `rules`. The running server reads the row afresh.
 * Throws KugetsuError when the database or the session is not there.
 */
export function retargetSession(
  file: string,
  id: string,
  target: { directory: string; projectId: string; rules: PermissionRule[] },
): void {
  if (!fs.existsSync(file)) {
    throw new KugetsuError(`opencode database not found at ${file}`, {
      hint: 'Set OPENCODE_DB to what "opencode db path" prints.',
      code: 'no_opencode_database',
    })
  }
  const database = openSqlite(file, { timeoutMs: 10_000, mustExist: true })
  try {
    const columns = new Set(database.all('PRAGMA table_info(session)').map((column) => column['name']))
    const values: Record<string, Value> = {
      directory: target.directory,
      project_id: target.projectId,
      permission: JSON.stringify(target.rules),
      // Newer versions keep the old relative path here, which would no longer be true.
      ...(columns.has('path') ? { path: '' } : {}),
    }
    const changes = Object.keys(values).map((column) => `${column} = ?`)
    const changed = database.run(`UPDATE session SET ${changes.join(', ')} WHERE id = ?`, ...Object.values(values), id)
    if (changed !== 1) throw new KugetsuError(`opencode's database has no session ${id}`, { code: 'session_missing' })
  } finally {
    database.close()
  }
}

/** Which of these sessions opencode has; undefined when it cannot be told. */
export function knownSessions(file: string, ids: readonly string[]): Set<string> | undefined {
  if (!fs.existsSync(file)) return undefined
  try {
    const database = openSqlite(file, { timeoutMs: 2_000, readonly: true, mustExist: true })
    try {
      const known = (id: string) => database.all('SELECT 1 FROM session WHERE id = ?', id).length > 0
      return new Set(ids.filter(known))
    } finally {
      database.close()
    }
  } catch {
    return undefined
  }
}
