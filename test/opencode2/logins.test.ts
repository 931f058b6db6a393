import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { copyLogins, missingLogins, sharedLogins } from '../../src/opencode2/logins.ts'
import { storeFile } from '../../src/opencode2/store.ts'
import { openSqlite } from '../../src/platform/sqlite.ts'
import { createServiceHome } from '../helpers/service-home.ts'

const home = createServiceHome()
afterAll(() => home.cleanup())

const data = path.join(home.userHome, '.local/share/opencode')
const users = path.join(data, 'opencode.db')
const ours = storeFile(home)
const key = (text: string) => ({ type: 'key', key: text })
const oauth = (access: string) => ({ type: 'oauth', access, refresh: 'r', expires: 1 })

function query(file: string, sql: string, ...values: (string | number)[]) {
  const database = openSqlite(file, { timeoutMs: 1_000 })
  try {
    return sql.startsWith('SELECT') ? database.all(sql) : database.run(sql, ...values)
  } finally {
    database.close()
  }
}
const put = (file: string, id: string, provider: string, value: object, updated = 1) =>
  query(
    file,
    `INSERT OR REPLACE INTO credential (id, integration_id, label, value, active, time_created, time_updated)
     VALUES (?, ?, 'x', ?, 1, 1, ?)`,
    id,
    provider,
    JSON.stringify(value),
    updated,
  )
const remove = (file: string, id: string) => query(file, 'DELETE FROM credential WHERE id = ?', id)
/** The ids and values in the home's database. */
const held = () => {
  const rows = query(ours, 'SELECT id, value FROM credential ORDER BY id') as { id: string; value: string }[]
  return Object.fromEntries(rows.map(({ id, value }) => [id, JSON.parse(value) as unknown]))
}

beforeEach(() => {
  for (const directory of [data, path.dirname(ours)]) {
    fs.rmSync(directory, { recursive: true, force: true })
    fs.mkdirSync(directory, { recursive: true })
  }
  const columns = `id text PRIMARY KEY, integration_id text, label text, value text, connector_id text, method_id text,
    active integer, time_created integer, time_updated integer`
  for (const file of [users, ours]) query(file, `CREATE TABLE credential (${columns})`)
})

describe('the logins of the user', () => {
  it('are copied, and what a server has renewed stays', () => {
    put(users, 'a', 'xai', oauth('old'))
    put(users, 'b', 'openai', key('k'))
    copyLogins(home)
    expect(held()).toEqual({ cred_kugetsu_a: oauth('old'), cred_kugetsu_b: key('k') })
    put(ours, 'cred_kugetsu_a', 'xai', oauth('renewed here'), 5)
    copyLogins(home)
    expect(held()).toMatchObject({ cred_kugetsu_a: oauth('renewed here') })
    put(users, 'a', 'xai', oauth('renewed there'), 9)
    copyLogins(home)
    expect(held()).toMatchObject({ cred_kugetsu_a: oauth('renewed there') })
  })

  it('go when the user has removed them, and stay when that is not known', () => {
    fs.writeFileSync(path.join(data, 'auth.json'), '{"groq":{"type":"api","key":"k3"}}')
    put(users, 'a', 'xai', oauth('one'))
    put(users, 'b', 'openai', key('k'))
    copyLogins(home)
    remove(users, 'b')
    copyLogins(home)
    expect(Object.keys(held())).toEqual(['cred_kugetsu_a', 'cred_kugetsu_file_groq'])
    fs.rmSync(users)
    fs.rmSync(path.join(data, 'auth.json'))
    copyLogins(home)
    expect(Object.keys(held())).toEqual(['cred_kugetsu_a'])
  })

  it('give way to a login that was made for the agents', () => {
    put(users, 'a', 'xai', oauth('one'))
    copyLogins(home)
    expect(sharedLogins(home)).toEqual(['xai'])
    put(ours, 'own', 'xai', oauth('own'))
    expect(sharedLogins(home)).toEqual([])
    put(users, 'a', 'xai', oauth('renewed'), 9)
    copyLogins(home)
    expect(held()).toEqual({ own: oauth('own') })
    remove(ours, 'own')
    copyLogins(home)
    expect(held()).toEqual({ cred_kugetsu_a: oauth('renewed') })
  })

  it('are named when they cannot be copied', () => {
    const logins = { xai: oauth('x'), groq: { type: 'api', key: 'k' }, copilot: oauth('y') }
    fs.writeFileSync(path.join(data, 'auth.json'), JSON.stringify(logins))
    copyLogins(home)
    expect(missingLogins(home)).toEqual(['copilot', 'xai'])
    put(ours, 'own', 'xai', oauth('own'))
    expect([missingLogins(home), sharedLogins(home)]).toEqual([['copilot'], []])
  })
})
