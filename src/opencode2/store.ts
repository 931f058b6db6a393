/** The database of the servers of a home: kugetsu's own, so that no other opencode of the user takes over its sessions. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { KugetsuError } from '../core/errors.ts'
import type { PermissionRule } from '../driver/client.ts'
import type { StoreLook } from '../driver/driver.ts'
import { lookAtTable } from '../opencode/session-table.ts'
import { openSqlite } from '../platform/sqlite.ts'
import { asRules } from './rules.ts'

/** What kugetsu reads and writes of a session's row. */
const neededColumns = ['id', 'directory', 'permission']

export function storeFile(home: Home): string {
  return path.join(home.paths.opencode, 'opencode2.db')
}

export function storeHint(home: Home): string {
  return `Move ${storeFile(home)} away and run "kugetsu init --force": each issue then goes on in a new session.`
}

export function lookAtStore(home: Home): StoreLook | undefined {
  return lookAtTable(storeFile(home), 'session_v2', neededColumns)
}

/** Closes the database to other users: it holds logins, and the prompts and output of agents. */
export function closeStore(home: Home): void {
  for (const end of ['', '-wal', '-shm']) {
    const file = storeFile(home) + end
    if (fs.existsSync(file)) fs.chmodSync(file, 0o600)
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
