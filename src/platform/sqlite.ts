import * as fs from 'node:fs'
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
 * Opens a SQLite file: by Node's own `node:sqlite` where there is one (22.13 and newer), else by better-sqlite3, whose
 * version for Node 20 aborts the process on Node 24.19 and newer when one of its objects is collected.
 * `timeoutMs` is SQLite's busy timeout. Throws KugetsuError when neither is there; SQLite's own errors otherwise.
 */
export function openSqlite(
  file: string,
  options: { timeoutMs: number; readonly?: boolean; mustExist?: boolean },
): Sqlite {
  const builtIn = loadBuiltIn()
  if (builtIn === undefined) return openByAddon(file, options)
  // Unlike the addon it would make a file that is missing.
  if (options.mustExist === true) fs.accessSync(file)
  const database = new builtIn.DatabaseSync(file, { readOnly: options.readonly ?? false })
  database.exec(`PRAGMA busy_timeout = ${options.timeoutMs}`)
  return {
    exec: (sql) => database.exec(sql),
    all: (sql, ...values) => database.prepare(sql).all(...values),
    run: (sql, ...values) => Number(database.prepare(sql).run(...values).changes),
    close: () => database.close(),
  }
}

function openByAddon(file: string, options: Parameters<typeof openSqlite>[1]): Sqlite {
  const database = new (loadAddon())(file, {
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

interface BuiltInDatabase {
  exec(sql: string): void
  prepare(sql: string): {
    all(...values: Value[]): Record<string, unknown>[]
    run(...values: Value[]): { changes: number | bigint }
  }
  close(): void
}

type BuiltIn = { DatabaseSync: new (file: string, options: { readOnly: boolean }) => BuiltInDatabase }

/** Node 22 calls it experimental, once in each process: nobody who reads a command's output can do anything about that. */
function loadBuiltIn(): BuiltIn | undefined {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return process.getBuiltinModule('node:sqlite') as BuiltIn | undefined
  } finally {
    process.emitWarning = emitWarning
  }
}

function loadAddon(): typeof import('better-sqlite3') {
  try {
    const addon = createRequire(import.meta.url)('better-sqlite3') as typeof import('better-sqlite3')
    new addon(':memory:').close() // the addon itself is loaded by the first database, not by require
    return addon
  } catch (cause) {
    throw new KugetsuError('no SQLite driver loads: the addon of better-sqlite3 was not built', {
      hint: 'Run "npm rebuild better-sqlite3" where kugetsu is installed, or use Node 22.13 or newer.',
      cause,
    })
  }
}
