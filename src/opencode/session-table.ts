import * as fs from 'node:fs'
import type { StoreLook } from '../driver/driver.ts'
import { openSqlite } from '../platform/sqlite.ts'

/**
 * Reads the table of sessions in an opencode's database, changing nothing; undefined when there is no database. `needed` are
 * the columns that kugetsu uses. Throws SQLite's own errors.
 */
export function lookAtTable(file: string, table: string, needed: readonly string[]): StoreLook | undefined {
  if (!fs.existsSync(file)) return undefined
  const database = openSqlite(file, { timeoutMs: 2_000, readonly: true, mustExist: true })
  try {
    const columns = new Set(database.all(`PRAGMA table_info(${table})`).map((column) => column['name']))
    const missing = needed.filter((column) => !columns.has(column))
    const rows = columns.has('id') ? database.all(`SELECT id FROM ${table}`) : []
    return { missing, sessions: new Set(rows.map(({ id }) => String(id))) }
  } finally {
    database.close()
  }
}
