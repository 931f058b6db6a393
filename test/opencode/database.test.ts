import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PermissionRule } from '../../src/driver/client.ts'
import { databasePath, dateBack, retargetSession } from '../../src/opencode/database.ts'
import { openSqlite } from '../../src/platform/sqlite.ts'

let root: string
let file: string
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'kugetsu-database-'))
  file = path.join(root, 'opencode.db')
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

/** A database with two sessions, with the columns of an older or a newer opencode. */
function create(columns: string): void {
  const database = openSqlite(file, { timeoutMs: 1000 })
  database.exec(
    `CREATE TABLE session (id TEXT PRIMARY KEY, directory TEXT, project_id TEXT, permission TEXT${columns})`,
  )
  for (const id of ['ses_fork', 'ses_other']) {
    database.run("INSERT INTO session (id, directory, project_id) VALUES (?, '/base', 'global')", id)
  }
  database.close()
}

function row(id: string): Record<string, unknown> | undefined {
  const database = openSqlite(file, { timeoutMs: 1000, mustExist: true })
  try {
    return database.all('SELECT * FROM session').find((session) => session['id'] === id)
  } finally {
    database.close()
  }
}

const rules: PermissionRule[] = [{ permission: 'question', pattern: '*', action: 'deny' }]
const target = { directory: '/home/me/tree', projectId: 'abc', rules }

describe("opencode's database", () => {
  it('is where opencode would say', () => {
    expect(databasePath({}, '/home/me')).toBe('/home/me/.local/share/opencode/opencode.db')
    expect(databasePath({ XDG_DATA_HOME: '/data' }, '/home/me')).toBe('/data/opencode/opencode.db')
    expect(databasePath({ XDG_DATA_HOME: '/data', OPENCODE_DB: 'other.db' }, '/home/me')).toBe(
      '/data/opencode/other.db',
    )
    expect(databasePath({ OPENCODE_DB: '/elsewhere/x.db' }, '/home/me')).toBe('/elsewhere/x.db')
  })
})

describe('retargeting a session', () => {
  it('sets its directory, project and permissions, and those of no other', () => {
    create('')
    retargetSession(file, 'ses_fork', target)
    expect(row('ses_fork')).toEqual({
      id: 'ses_fork',
      directory: '/home/me/tree',
      project_id: 'abc',
      permission: JSON.stringify(rules),
    })
    expect(row('ses_other')).toMatchObject({ directory: '/base', project_id: 'global', permission: null })
  })

  it('clears the relative path where the version has one', () => {
    create(", path TEXT DEFAULT 'old/path'")
    retargetSession(file, 'ses_fork', target)
    expect(row('ses_fork')).toMatchObject({ directory: '/home/me/tree', path: '' })
    expect(row('ses_other')).toMatchObject({ path: 'old/path' })
  })

  it('takes every value for what it is, never for SQL', () => {
    create('')
    const hostile = "/x'; DROP TABLE session; --"
    retargetSession(file, 'ses_fork', { ...target, directory: hostile })
    expect(row('ses_fork')).toMatchObject({ directory: hostile })
  })

  it('says so when the session is not there', () => {
    create('')
    expect(() => retargetSession(file, 'ses_none', target)).toThrow(
      expect.objectContaining({ code: 'session_missing', message: expect.stringContaining('ses_none') }),
    )
  })

  it('says so when the database is not there, and does not make one', () => {
    expect(() => retargetSession(file, 'ses_fork', target)).toThrow(
      expect.objectContaining({ code: 'no_opencode_database', message: `opencode database not found at ${file}` }),
    )
    expect(fs.existsSync(file)).toBe(false)
  })
})

describe('messages from the future', () => {
  const now = new Date('2026-05-01T12:00:00Z')
  const message = (created: number, index: number) => ({
    time: { created, ...(index === 1 ? { completed: created + 7 } : {}) },
  })
  const times = (offsets: number[]) => offsets.map((offset) => now.getTime() + offset)

  it('are dated back with all of their session, in their order, and those of no other', () => {
    const database = openSqlite(file, { timeoutMs: 1000 })
    database.exec('CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER, data TEXT)')
    const add = (session: string, offsets: number[]) =>
      times(offsets).forEach((created, index) =>
        database.run(
          'INSERT INTO message VALUES (?, ?, ?, ?)',
          `${session}_${index}`,
          session,
          created,
          JSON.stringify(message(created, index)),
        ),
      )
    add('ses_future', [-100, 0, 86_400_000])
    add('ses_past', [-100, -5])
    add('ses_theirs', [50])
    expect(dateBack(file, ['ses_future', 'ses_past', 'ses_none'], now)).toEqual(['ses_future'])
    const rows = (session: string) =>
      database
        .all('SELECT * FROM message WHERE session_id = ? ORDER BY id', session)
        .map((row) => [row['time_created'], JSON.parse(String(row['data']))])
    const expected = (offsets: number[]) => times(offsets).map((created, index) => [created, message(created, index)])
    expect(rows('ses_future')).toEqual(expected([-86_400_100, -86_400_000, 0]))
    expect(rows('ses_past')).toEqual(expected([-100, -5]))
    expect(rows('ses_theirs')).toEqual(expected([50]))
    expect(dateBack(file, ['ses_future'], now)).toEqual([])
    database.close()
  })

  it('are none where there is no database', () => {
    expect(dateBack(path.join(root, 'none.db'), ['ses_future'], now)).toEqual([])
    expect(fs.existsSync(path.join(root, 'none.db'))).toBe(false)
  })
})
