import * as fs from 'node:fs'
import { createRequire } from 'node:module'
import * as os from 'node:os'
import * as path from 'node:path'
import type { default as Addon, Database, Options } from 'better-sqlite3'
import { KugetsuError, messageOf } from '../core/errors.ts'
import { lazy } from '../core/lazy.ts'
import { isPacked, packedBytes, packedText } from './single-executable.ts'
import { withPrivateFile } from './private-file.ts'

/** The small part of SQLite that kugetsu uses, the same for both drivers. */
export interface Sqlite {
  exec: (sql: string) => void
  all: (sql: string, ...values: Value[]) => Record<string, unknown>[]
  /** Returns how many rows it changed. */
  run: (sql: string, ...values: Value[]) => number
  close: () => void
}

export type Value = string | number | null

interface OpenOptions {
  /** SQLite's busy timeout, in milliseconds. */
  timeoutMs: number
  readonly?: boolean
  mustExist?: boolean
}

/**
 * Opens a SQLite file: by Node's own `node:sqlite` if there is one (22.13 and newer), else by better-sqlite3. The version of
 * better-sqlite3 for Node 20 aborts the process on Node 24.19 and newer when one of its objects is collected. Throws
 * KugetsuError when neither is there; SQLite's own errors otherwise.
 */
export function openSqlite(file: string, options: OpenOptions): Sqlite {
  const builtIn = loadBuiltIn()
  if (builtIn === undefined) return openByAddon(file, options)
  // Unlike the addon, it would make a missing file.
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

function openByAddon(file: string, options: OpenOptions): Sqlite {
  const database = addon()(file, {
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
    all: (...values: Value[]) => Record<string, unknown>[]
    run: (...values: Value[]) => { changes: number | bigint }
  }
  close(): void
}

type BuiltIn = { DatabaseSync: new (file: string, options: { readOnly: boolean }) => BuiltInDatabase }

/** Node 22 calls it experimental, once in each process. A reader of a command's output can do nothing about that. */
function loadBuiltIn(): BuiltIn | undefined {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return process.getBuiltinModule('node:sqlite') as BuiltIn | undefined
  } finally {
    process.emitWarning = emitWarning
  }
}

type Open = (file: string, options: Options) => Database

const addon = lazy((): Open => {
  try {
    const Driver = driver()
    const nativeBinding = isPacked ? packedBinding() : installedBinding()
    return (file, options) => new Driver(file, { ...options, nativeBinding } as Options)
  } catch (cause) {
    if (isPacked) {
      throw new KugetsuError(`the SQLite driver does not load: ${messageOf(cause)}`, {
        hint: 'Set XDG_CACHE_HOME to a directory of yours that is not mounted noexec.',
        cause,
      })
    }
    // npm leaves an optional package out that it can neither download nor compile.
    if (!isInstalled()) {
      throw new KugetsuError('no SQLite driver loads: npm could neither download nor compile better-sqlite3', {
        hint: 'Use Node 22.13 or newer, which has a SQLite of its own, or install a C++ compiler, make and python3, and then kugetsu again.',
        cause,
      })
    }
    throw new KugetsuError('no SQLite driver loads: the addon of better-sqlite3 was not built for this Node', {
      hint: `Run: npm rebuild --prefix '${path.join(import.meta.dirname, '..')}' better-sqlite3 (or use Node 22.13 or newer).`,
      cause,
    })
  }
})

function isInstalled(): boolean {
  try {
    return createRequire(import.meta.url).resolve('better-sqlite3/package.json') !== ''
  } catch {
    return false
  }
}

let packedDriver: typeof Addon | undefined

/** Sets the driver inside the one executable file (scripts/binary-main.ts), which cannot load packages. */
export function useDriver(driver: typeof Addon): void {
  packedDriver = driver
}

/** Loaded at its first use: most commands need no driver. */
function driver(): typeof Addon {
  return packedDriver ?? (createRequire(import.meta.url)('better-sqlite3') as typeof Addon)
}

/** The addon where npm builds it. The driver itself would search a dozen places, through a package of its own. */
function installedBinding(): unknown {
  return createRequire(import.meta.url)('better-sqlite3/build/Release/better_sqlite3.node')
}

/** The addon inside the executable, loaded through a file (see withPrivateFile). */
function packedBinding(): unknown {
  const name = packedText('better_sqlite3.name') ?? ''
  return withPrivateFile(addonDirectories(), name, packedBytes('better_sqlite3.node'), (file) => {
    const binding = { exports: {} }
    process.dlopen(binding, file)
    return binding.exports
  })
}

/** The user's cache, else a directory of the user's in the temporary directory. */
function addonDirectories(): string[] {
  const caches = process.env['XDG_CACHE_HOME'] ?? ''
  return [
    path.join(path.isAbsolute(caches) ? caches : path.join(os.homedir(), '.cache'), 'kugetsu'),
    path.join(os.tmpdir(), `kugetsu-${os.userInfo().uid}`),
  ]
}
