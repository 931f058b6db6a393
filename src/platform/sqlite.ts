import { createRequire } from 'node:module'
import { KugetsuError } from '../core/errors.ts'

/** The little of SQLite that kugetsu uses, the same over both drivers. */
export interface Sqlite {
  exec(sql: string): void
  all(sql: string, ...values: Value[]): Record<string, unknown>[]
  /** Runs one statement; the number of changed rows. */
  run(sql: string, ...values: Value[]): number
  close(): void
}

export type Value = string | number | null

/**
 * Opens a SQLite file: better-sqlite3 where its addon loads, Node's own `node:sqlite` (22.13 and newer) where it
 * does not, as after an install that blocked install scripts. `timeoutMs` is SQLite's busy timeout.
 * Throws KugetsuError when neither is there; SQLite's own errors otherwise.
 */
export function openSqlite(
  file: string,
  options: { timeoutMs: number; readonly?: boolean; mustExist?: boolean },
): Sqlite {
  const require = createRequire(import.meta.url)
  const addon = loadAddon(require)
  if (addon !== undefined) {
    const database = new addon(file, {
      timeout: options.timeoutMs,
      readonly: options.readonly ?? false,
      fileMustExist: options.mustExist ?? false,
    })
    return {
      exec: (sql) => void database.exec(sql),
      all: (sql, ...values) => database.prepare(sql).all(...values) as Record<string, unknown>[],
      run: (sql, ...values) => database.prepare(sql).run(...values).changes,
      close: () => void database.close(),
    }
  }
  const database = new (builtIn(require).DatabaseSync)(file, { readOnly: options.readonly ?? false })
  database.exec(`PRAGMA busy_timeout = ${options.timeoutMs}`)
  return {
    exec: (sql) => database.exec(sql),
    all: (sql, ...values) => database.prepare(sql).all(...values),
    run: (sql, ...values) => Number(database.prepare(sql).run(...values).changes),
    close: () => database.close(),
  }
}

interface BuiltInDatabase {
  exec(sql: string): void
  prepare(sql: string): {
    all(...values: Value[]): Record<string, unknown>[]
    run(...values: Value[]): { changes: number | bigint }
  }
  close(): void
}

type BuiltIn = { DatabaseSync: new (file: string, options: { readOnly: boolean }) => BuiltInDatabase }

function loadAddon(require: NodeJS.Require): typeof import('better-sqlite3') | undefined {
  try {
    const addon = require('better-sqlite3') as typeof import('better-sqlite3')
    new addon(':memory:').close() // the addon itself is loaded by the first database, not by require
    return addon
  } catch {
    return undefined
  }
}

function builtIn(require: NodeJS.Require): BuiltIn {
  try {
    return require('node:sqlite') as BuiltIn
  } catch (cause) {
    throw new KugetsuError('no SQLite driver loads: the addon of better-sqlite3 was not built', {
      hint: 'Run "npm rebuild better-sqlite3" where kugetsu is installed, or use Node 22.13 or newer.',
      cause,
    })
  }
}
