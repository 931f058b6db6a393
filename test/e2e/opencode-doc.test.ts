/** The queries of docs/opencode.md about opencode 1, against a database that agents have worked in. */
import * as fs from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openSqlite, type Sqlite } from '../../src/platform/sqlite.ts'
import { opencode1Program } from '../helpers/opencode.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'

const document = fs.readFileSync(new URL('../../docs/opencode.md', import.meta.url), 'utf8')
/** By the paragraph before each. */
const queries = [...document.matchAll(/\n\n([^\n][^`]*(?:`[^`\n]*`[^`]*)*)\n\n```sql\n(.*?)```/gs)].map(
  ([, said = '', sql = '']) => ({ said: said.split('\n\n').at(-1) ?? '', sql }),
)

let stage: Stage
let database: Sqlite
beforeAll(async () => {
  stage = await setStage({ program: opencode1Program })
  await stage.ok(['start', ref(1), 'BASH{{echo hello}} SAY{{It says hello.}}'])
  await stage.ok(['wait', ref(1)])
  await stage.kugetsu(['start', ref(2), 'FAIL=400', '--wait'])
  database = openSqlite(stage.look().database, { timeoutMs: 10_000, readonly: true, mustExist: true })
})
afterAll(async () => {
  database?.close()
  await stage.cleanup()
})

/** The rows of the query whose paragraph begins like this. */
function rows(beginning: string) {
  const found = queries.filter(({ said }) => said.startsWith(beginning))
  expect(found, `a query under "${beginning}"`).toHaveLength(1)
  return database.all(found[0]?.sql ?? '')
}

it('are all read from the document, and tried below', () => {
  expect(queries).toHaveLength((document.match(/```sql/g) ?? []).length)
  expect(queries).toHaveLength(8)
  for (const { sql } of queries) expect(() => database.all(sql)).not.toThrow()
})

it('find the sessions, their rules and the last messages', () => {
  const titles = rows('The sessions').map(({ title }) => title)
  expect(titles).toEqual(expect.arrayContaining([ref(1), ref(2), 'kugetsu base', 'kugetsu PM agent']))
  const rules = new Map(rows('Who works in a worktree').map(({ title, permission }) => [title, permission]))
  expect(String(rules.get(ref(1)))).toContain('external_directory')
  expect(rules.get('kugetsu base')).toBeNull()
  expect(rows('How a session stands')[0]).toMatchObject({ role: 'assistant', complete: 1, finish: 'stop', error: null })
})

it('find what was done, what it cost and what failed', () => {
  const done = rows('What an agent did')
  expect(done.find(({ what }) => what === 'tool')?.['text']).toContain('echo hello')
  expect(done.at(-1)).toMatchObject({ what: 'text', text: 'It says hello.' })
  const costs = rows('What it cost').find(({ title }) => title === ref(1))
  expect(Number(costs?.['answers'])).toBeGreaterThanOrEqual(2)
  expect(Number(costs?.['input'])).toBeGreaterThan(0)
  expect(rows('Errors of the models')[0]).toMatchObject({ title: ref(2), name: 'APIError' })
  expect(rows('Calls that never ended')).toEqual([])
  expect(rows('Messages without a text')).toEqual([])
})
