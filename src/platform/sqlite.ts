import { createRequire } from 'node:module'
import * as os from 'node:os'
import * as path from 'node:path'
import * as vm from 'node:vm'
import type { default as Addon, Database, Options } from 'better-sqlite3'
import { KugetsuError, messageOf } from '../core/errors.ts'
import { once } from '../core/once.ts'
import { isPacked, packedBytes, packedText } from './packed.ts'
import { withPrivateFile } from './private-file.ts'

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
  const open = openWithAddon()
  if (typeof open === 'function') {
    const database = open(file, {
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
  const database = new (builtIn(open.failure).DatabaseSync)(file, { readOnly: options.readonly ?? false })
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

type Open = (file: string, options: Options) => Database

/** Opens a file with better-sqlite3, or why that cannot be. */
function openWithAddon(): Open | { failure: unknown } {
  try {
    return isPacked ? packed() : installed()
  } catch (failure) {
    return { failure }
  }
}

function installed(): Open {
  const Driver = createRequire(import.meta.url)('better-sqlite3') as typeof Addon
  new Driver(':memory:').close() // the addon itself is loaded by the first database, not by require
  return (file, options) => new Driver(file, options)
}

/** Out of the executable: its JavaScript as it is, the addon by way of a file (see withPrivateFile). */
const packed = once((): Open => {
  const script = vm.compileFunction(packedText('better-sqlite3.cjs') ?? '', ['module', 'exports', 'require'])
  const driver = { exports: {} }
  script(driver, driver.exports, process.getBuiltinModule)
  const Driver = driver.exports as typeof Addon
  const nativeBinding = withPrivateFile(
    addonDirectories(),
    packedText('better_sqlite3.name') ?? '',
    packedBytes('better_sqlite3.node'),
    (file) => {
      const addon = { exports: {} }
      process.dlopen(addon, file)
      return addon.exports
    },
  )
  return (file, options) => new Driver(file, { ...options, nativeBinding } as Options)
})

/** The user's cache, else a directory of the user's under the temporary one. */
function addonDirectories(): string[] {
  const caches = process.env['XDG_CACHE_HOME'] ?? ''
  return [
    path.join(path.isAbsolute(caches) ? caches : path.join(os.homedir(), '.cache'), 'kugetsu'),
    path.join(os.tmpdir(), `kugetsu-${os.userInfo().uid}`),
  ]
}

function builtIn(failure: unknown): BuiltIn {
  const module = withoutWarning(() => process.getBuiltinModule('node:sqlite') as BuiltIn | undefined)
  if (module !== undefined) return module
  if (isPacked) {
    throw new KugetsuError(`the SQLite driver does not load: ${messageOf(failure)}`, {
      hint: 'Set XDG_CACHE_HOME to a directory of yours from which programs may be run.',
      cause: failure,
    })
  }
  throw new KugetsuError('no SQLite driver loads: the addon of better-sqlite3 was not built for this Node', {
    hint: `Run: npm rebuild --prefix '${path.join(import.meta.dirname, '..')}' better-sqlite3 (or use Node 22.13 or newer).`,
    cause: failure,
  })
}

/** Node says of its SQLite, in every process that loads it, that it is experimental. */
function withoutWarning<T>(load: () => T): T {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return load()
  } finally {
    process.emitWarning = emitWarning
  }
}
