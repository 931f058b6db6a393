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
/** The beginning of the id of a copy. `kugetsu login` made a login without it. */
const copied = 'cred_kugetsu_'

/**
 * Makes the logins of a home's servers those of the user, except for providers to which they have a login of their own.
 * A copy that a server has renewed since stays; copies of logins that the user has removed go. Never throws.
 */
export function copyLogins(home: Home): void {
  try {
    const file = storeFile(home)
    if (!fs.existsSync(file)) return
    const stored = storedLogins(home)
    const inDatabase = new Set(stored?.map((row) => row['integration_id']))
    const logins = [
      ...(stored ?? []),
      ...keysOnFile(home).filter((row) => !inDatabase.has(row['integration_id'] ?? null)),
    ]
    const database = openSqlite(file, { timeoutMs: 5_000, mustExist: true })
    try {
      const held = database.all('SELECT id, integration_id, time_updated FROM credential')
      const isCopy = ({ id }: Record<string, unknown>) => String(id).startsWith(copied)
      const own = new Set(held.filter((row) => !isCopy(row)).map((row) => row['integration_id']))
      const wanted = logins
        .filter((row) => !own.has(row['integration_id'] ?? null))
        .map((row): Row => ({ ...row, id: `${copied}${row['id']}` }))
      for (const row of wanted) {
        const ours = held.find(({ id }) => id === row['id'])
        if (ours === undefined || Number(ours['time_updated']) < Number(row['time_updated'])) put(database, row)
      }
      for (const row of held.filter(isCopy)) {
        const isKept = wanted.some((each) => each['id'] === row['id'])
        // Without a database of the user's it is not known what has become of the logins in it.
        const isUnknown = stored === undefined && !String(row['id']).startsWith(copied + ofFile)
        if (!isKept && (!isUnknown || own.has(row['integration_id']))) {
          database.run('DELETE FROM credential WHERE id = ?', String(row['id']))
        }
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
  const held = new Set(heldLogins(home).map(({ provider }) => provider))
  const logins = loginsOnFile(home)
  const isKey = (provider: string) => textAt(recordAt(logins, provider), 'type') === 'api'
  return Object.keys(logins)
    .filter((provider) => !isKey(provider) && !held.has(provider))
    .toSorted()
}

/** The providers with a copied login that both the user's opencode and the home's servers renew. Sorted. */
export function sharedLogins(home: Home): string[] {
  const held = heldLogins(home)
  const own = new Set(held.filter(({ id }) => !id.startsWith(copied)).map(({ provider }) => provider))
  const shared = held.filter(({ provider, type }) => type !== 'key' && !own.has(provider))
  return [...new Set(shared.map(({ provider }) => provider))].toSorted()
}

function heldLogins(home: Home): { id: string; provider: string; type: string | undefined }[] {
  const file = storeFile(home)
  if (!fs.existsSync(file)) return []
  const database = openSqlite(file, { timeoutMs: 2_000, readonly: true, mustExist: true })
  try {
    return database.all('SELECT id, integration_id, value FROM credential').map((row) => ({
      id: String(row['id']),
      provider: String(row['integration_id']),
      type: textAt(parseJson(String(row['value'])), 'type'),
    }))
  } finally {
    database.close()
  }
}

function put(database: Sqlite, row: Row): void {
  const names = columns.join(', ')
  const places = columns.map(() => '?').join(', ')
  const values = columns.map((name) => row[name] ?? null)
  database.run(`INSERT OR REPLACE INTO credential (${names}) VALUES (${places})`, ...values)
}

/** The logins in the user's own database; undefined when no opencode 2 has made one there. */
function storedLogins(home: Home): Row[] | undefined {
  const file = databasePath(home.env, home.userHome)
  if (!fs.existsSync(file) || path.resolve(file) === storeFile(home)) return undefined
  const database = openSqlite(file, { timeoutMs: 2_000, readonly: true, mustExist: true })
  try {
    const names = new Set(database.all('PRAGMA table_info(credential)').map((column) => column['name']))
    if (!columns.every((name) => names.has(name))) return undefined
    return database.all(`SELECT ${columns.join(', ')} FROM credential`) as Row[]
  } finally {
    database.close()
  }
}

/** Stands for the id of an API key in auth.json; the name of its provider follows. */
const ofFile = 'file_'

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
