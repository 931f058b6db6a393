/** The database of the servers of a home: kugetsu's own, so that no other opencode of the user takes over its sessions. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { KugetsuError } from '../core/errors.ts'
import type { PermissionRule } from '../driver/client.ts'
import type { StoreLook } from '../driver/driver.ts'
import { openSqlite } from '../platform/sqlite.ts'
import { asRules } from './rules.ts'

/** What kugetsu reads and writes of a session's row. */
const neededColumns = ['id', 'directory', 'permission']

export function storeFile(home: Home): string {
  return path.join(home.paths.opencode, 'opencode2.db')
}

/** Reads what the database has, changing nothing; undefined when there is none. Throws SQLite's own errors. */
export function lookAtStore(home: Home): StoreLook | undefined {
  const file = storeFile(home)
  if (!fs.existsSync(file)) return undefined
  const database = openSqlite(file, { timeoutMs: 2_000, readonly: true, mustExist: true })
  try {
    const columns = new Set(database.all('PRAGMA table_info(session_v2)').map((column) => column['name']))
    const missing = neededColumns.filter((column) => !columns.has(column))
    const rows = columns.has('id') ? database.all('SELECT id FROM session_v2') : []
    return { missing, sessions: new Set(rows.map(({ id }) => String(id))) }
  } finally {
    database.close()
  }
}

/** Closes the database to other users: it holds logins, and what agents were told and printed. */
export function closeStore(home: Home): void {
  for (const end of ['', '-wal', '-shm']) {
    const file = storeFile(home) + end
    if (fs.existsSync(file)) fs.chmodSync(file, 0o600)
  }
}

/** Which of these sessions it has; undefined when it cannot be told. */
export function knownSessions(home: Home, ids: readonly string[]): Set<string> | undefined {
  try {
    const look = lookAtStore(home)
    return look === undefined || look.missing.includes('id')
      ? undefined
      : new Set(ids.filter((id) => look.sessions.has(id)))
  } catch {
    return undefined
  }
}

/**
 * Stores rules with sessions; returns the ids of those that exist. A running server reads them again. Throws KugetsuError
 * `no_opencode_database`.
 */
export function storeRules(home: Home, sessions: readonly { id: string; rules: PermissionRule[] }[]): string[] {
  const file = storeFile(home)
  if (!fs.existsSync(file)) {
    throw new KugetsuError(`opencode database not found at ${file}`, {
      hint: 'It is made by the first server: start an agent.',
      code: 'no_opencode_database',
    })
  }
  const database = openSqlite(file, { timeoutMs: 10_000, mustExist: true })
  try {
    return sessions.flatMap(({ id, rules }) =>
      database.run('UPDATE session_v2 SET permission = ? WHERE id = ?', JSON.stringify(asRules(rules)), id) === 1
        ? [id]
        : [],
    )
  } finally {
    database.close()
  }
}
