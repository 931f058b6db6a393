/**
 * The user's logins to providers. opencode 2 keeps them in its database, and the servers of a home have one of their own: so
 * they are copied from the user's. A running server uses the copies at once.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { messageOf } from '../core/errors.ts'
import { recordAt, textAt } from '../core/unknown-data.ts'
import { databasePath } from '../opencode/database.ts'
import { dataDirectory } from '../opencode/directories.ts'
import { readText } from '../platform/files.ts'
import { openSqlite, type Sqlite, type Value } from '../platform/sqlite.ts'
import { parseJson } from '../platform/state-file.ts'
import { storeFile } from './store.ts'

type Row = Record<string, Value>

const columns = ['id', 'integration_id', 'label', 'value', 'method_id', 'active', 'time_created', 'time_updated']
/** What the id of a copy of an API key in auth.json begins with; the name of its provider follows. */
const ofFile = 'cred_kugetsu_'

/**
 * Makes the logins of a home's servers those of the user. A login that a server has renewed since stays; copies of API keys
 * that the user has removed go. Never throws.
 */
export function copyLogins(home: Home): void {
  try {
    const file = storeFile(home)
    if (!fs.existsSync(file)) return
    const stored = storedLogins(home)
    const providers = new Set(stored.map((row) => row['integration_id']))
    const keys = keysOnFile(home).filter((row) => !providers.has(row['integration_id'] ?? ''))
    const database = openSqlite(file, { timeoutMs: 5_000, mustExist: true })
    try {
      for (const row of [...stored, ...keys]) put(database, row)
      const kept = new Set(keys.map((row) => row['id']))
      for (const { id } of database.all(`SELECT id FROM credential WHERE id LIKE '${ofFile}%'`)) {
        if (!kept.has(String(id))) database.run('DELETE FROM credential WHERE id = ?', String(id))
      }
    } finally {
      database.close()
    }
  } catch (error) {
    home.warn(`cannot copy your logins for opencode: ${messageOf(error)}`)
  }
}

/** The providers of auth.json with a login that cannot be copied (OAuth), and none in the home's database. Sorted. */
export function missingLogins(home: Home): string[] {
  const file = storeFile(home)
  const held = new Set<string>()
  if (fs.existsSync(file)) {
    const database = openSqlite(file, { timeoutMs: 2_000, readonly: true, mustExist: true })
    try {
      for (const { integration_id: id } of database.all('SELECT integration_id FROM credential')) held.add(String(id))
    } finally {
      database.close()
    }
  }
  const logins = loginsOnFile(home)
  const isKey = (provider: string) => textAt(recordAt(logins, provider), 'type') === 'api'
  return Object.keys(logins)
    .filter((provider) => !isKey(provider) && !held.has(provider))
    .toSorted()
}

function put(database: Sqlite, row: Row): void {
  const [ours] = database.all('SELECT time_updated FROM credential WHERE id = ?', row['id'] ?? null)
  if (ours !== undefined && Number(ours['time_updated']) >= Number(row['time_updated'])) return
  const names = columns.join(', ')
  const places = columns.map(() => '?').join(', ')
  const values = columns.map((name) => row[name] ?? null)
  database.run(`INSERT OR REPLACE INTO credential (${names}) VALUES (${places})`, ...values)
}

/** The logins in the user's own database; none when no opencode 2 has made one there. */
function storedLogins(home: Home): Row[] {
  const file = databasePath(home.env, home.userHome)
  if (!fs.existsSync(file) || path.resolve(file) === storeFile(home)) return []
  const database = openSqlite(file, { timeoutMs: 2_000, readonly: true, mustExist: true })
  try {
    const names = new Set(database.all('PRAGMA table_info(credential)').map((column) => column['name']))
    if (!columns.every((name) => names.has(name))) return []
    return database.all(`SELECT ${columns.join(', ')} FROM credential`) as Row[]
  } finally {
    database.close()
  }
}

/** The API keys that opencode 1 keeps in a file, as logins of opencode 2. */
function keysOnFile(home: Home): Row[] {
  const file = loginsFile(home)
  const logins = loginsOnFile(home)
  const at = Math.round(fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)
  return Object.keys(logins).flatMap((provider): Row[] => {
    const login = recordAt(logins, provider)
    const key = textAt(login, 'key')
    if (textAt(login, 'type') !== 'api' || key === undefined) return []
    const value = JSON.stringify({ type: 'key', key })
    const id = ofFile + provider
    return [{ id, integration_id: provider, label: provider, value, active: 1, time_created: at, time_updated: at }]
  })
}

function loginsFile({ env, userHome }: Home): string {
  return path.join(dataDirectory(env, userHome), 'auth.json')
}

/** What opencode 1 keeps of logins, by provider; empty when there is none. */
function loginsOnFile(home: Home): object {
  const logins = parseJson(readText(loginsFile(home)) ?? '{}')
  return typeof logins === 'object' && logins !== null ? logins : {}
}
