/** The first mistakes of a new user: each is said in one line, and what the line advises works. */
import * as fs from 'node:fs'
import { createRequire } from 'node:module'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Item } from '../../src/queue/item.ts'
import { runJson } from '../helpers/kugetsu.ts'
import { killAndWait } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

let stage: Stage
beforeAll(async () => {
  stage = await setStage({ init: false, config: { MAX_CONCURRENT_AGENTS: 1 } })
})
afterAll(() => stage.cleanup())

const program = fileURLToPath(new URL('../../bin/kugetsu.js', import.meta.url))
const configure = (model: object) => {
  const config = JSON.parse(fs.readFileSync(stage.home.opencodeConfig, 'utf8')) as object
  fs.writeFileSync(stage.home.opencodeConfig, JSON.stringify({ ...config, ...model }))
}
const doctor = async () =>
  (await runJson<{ checks: { name: string; status: string; hint: string | null }[] }>(stage.home, ['doctor', '--json']))
    .json.checks
const check = async (name: string) => (await doctor()).find((each) => each.name === name)

it('an old Node', async () => {
  // What one of Node 18 has and has not, for the first file that is read: the rest is of no use to it.
  const old = path.join(stage.home.root, 'old-node.cjs')
  fs.writeFileSync(
    old,
    `Object.defineProperty(process.versions, 'node', { value: '18.20.8' })\ndelete process.getBuiltinModule\n`,
  )
  const said = await stage.kugetsu(['list'], { command: [process.execPath, '--require', old, program] })
  expect(said).toMatchObject({ code: 1, stdout: '' })
  expect(said.stderr).toMatch(/^Error: kugetsu needs Node 20\.19 or newer; this is 18\.20\.8\nHint: .+\n$/)
})

it('a kugetsu that npm is just replacing, whatever part is missing', async () => {
  const copy = path.join(stage.home.root, 'replaced')
  const root = path.dirname(path.dirname(program))
  for (const name of ['bin', 'dist', 'package.json']) {
    fs.cpSync(path.join(root, name), path.join(copy, name), { recursive: true })
  }
  const command = [process.execPath, path.join(copy, 'bin', 'kugetsu.js')] as const
  const parts = fs.readdirSync(path.join(copy, 'dist')).filter((name) => name.endsWith('.cjs'))
  const own = parts.filter((name) => /^(short-commands|rolldown-runtime)-/.test(name))
  expect(own.length).toBeGreaterThanOrEqual(2)
  for (const missing of [...own, 'main.cjs', '../package.json']) {
    fs.rmSync(path.join(copy, 'dist', missing))
    const said = await stage.kugetsu(['list'], { command })
    expect(said, missing).toMatchObject({ code: 1, stdout: '' })
    expect(said.stderr, missing).toMatch(/^Error: kugetsu is not complete: .+\nHint: .*try again.*\n$/)
  }
})

it.skipIf(process.getBuiltinModule('node:sqlite' as 'node:fs') !== undefined)(
  'a SQLite addon that npm has left out, because it could not make it (skipped: this Node has a SQLite)',
  async () => {
    const copy = path.join(stage.home.root, 'without-addon')
    for (const name of ['bin', 'dist', 'package.json'])
      fs.cpSync(path.join(path.dirname(path.dirname(program)), name), path.join(copy, name), { recursive: true })
    const command = [process.execPath, path.join(copy, 'bin', 'kugetsu.js')] as const
    const { code, stderr } = await stage.kugetsu(['start', ref(1), 'x'], { command })
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^Error: no SQLite driver loads: npm could neither download nor compile better-sqlite3\nHint: Use Node 22\.13.*\n$/m,
    )
    expect(stderr).not.toMatch(/^ +at /m)
  },
)

it.skipIf(process.getuid === undefined)(
  "a temporary directory of others: Node keeps compiled code in one of the user's own, or nowhere",
  () => {
    const { ownDirectory } = createRequire(import.meta.url)(program) as {
      ownDirectory: (env: NodeJS.ProcessEnv) => string | undefined
    }
    const env = { HOME: stage.home.root, XDG_CACHE_HOME: path.join(stage.home.root, 'cached') }
    const own = path.join(env.XDG_CACHE_HOME, 'kugetsu', 'code')
    expect(ownDirectory(env)).toBe(own)
    expect(fs.statSync(own).mode & 0o777).toBe(0o700)
    fs.chmodSync(own, 0o770)
    expect(ownDirectory(env)).toBeUndefined()
    expect(ownDirectory({ ...env, XDG_CACHE_HOME: 'relative' })).toBeUndefined()
    expect(ownDirectory({})).toBeUndefined()
  },
)

it('no opencode on the PATH', async () => {
  const opencode = fs.realpathSync(path.join(stage.home.bin, 'opencode'))
  const env = { PATH: stage.home.env['PATH']!.replace(stage.home.bin, '/nowhere') }
  const said = await stage.kugetsu(['init'], { env })
  expect(said.code).toBe(1)
  expect(said.stderr).toMatch(/Error: no opencode on the PATH\nHint: .*npm install -g opencode-ai.*KUGETSU_OPENCODE/)
  expect(await stage.kugetsu(['doctor'], { env })).toMatchObject({ code: 1 })
  expect(await stage.ok(['doctor', '--json'], { env: { ...env, KUGETSU_OPENCODE: opencode } }).catch(String)).toContain(
    opencode,
  )
})

it('not initialised', async () => {
  const said = await stage.kugetsu(['prune'])
  expect(said.stderr).toContain('Hint: Run "kugetsu init" first.')
  expect(await stage.ok(['init'])).toContain('Next: kugetsu start')
  expect(await stage.ok(['start', ref(1), 'SAY{{one}}', '--wait'])).toMatch(/^idle /m)
})

it('a model that is not there', async () => {
  expect(await check('model')).toMatchObject({ status: 'pass' })
  const said = await stage.kugetsu(['start', ref(2), 'SAY{{two}}', '--model', 'scripted/tow', '--wait'])
  expect(said.code).toBe(1)
  expect(said.stderr).toContain('Error: opencode has no model scripted/tow\nHint: "opencode models" lists its models.')
  expect([stage.file(2), fs.existsSync(stage.worktree(2)), stage.slots()]).toEqual([undefined, false, []])
  expect(await stage.ok(['start', ref(2), 'SAY{{two}}', '--model', 'scripted/one', '--wait'])).toMatch(/^idle /m)

  configure({ model: 'scripted/tow' })
  await killAndWait(stage.server()!.pid) // the next one reads it
  const set = await stage.kugetsu(['start', ref(3), 'SAY{{three}}', '--wait'])
  expect(set.stderr).toMatch(/Error: opencode is set to scripted\/tow, which it does not have\nHint: .*opencode.json/)
  expect(await check('model')).toMatchObject({
    status: 'fail',
    hint: expect.stringContaining('opencode models') as string,
  })
  configure({ model: 'scripted/one' })
  await killAndWait(stage.server()!.pid)
  expect(await stage.ok(['start', ref(3), 'SAY{{three}}', '--wait'])).toMatch(/^idle /m)
  expect(await check('model')).toMatchObject({ status: 'pass' })
})

it('a ref that is none, a repository that is not there, a base that is not there', async () => {
  const said = await stage.kugetsu(['start', 'app#4', 'SAY{{four}}'])
  expect(said.stderr).toMatch(
    /nothing matches "app#4"\nHint: You have app#1, app#2, app#3\. For another issue: its URL, or host\/owner\/repo#14\./,
  )
  const unknown = await stage.kugetsu(['start', 'forge.test/me/ap#4', 'SAY{{four}}'])
  expect(unknown.stderr).toMatch(/repository not found, or you have no access to it\nHint: .*kugetsu server list/)
  const base = await stage.kugetsu(['start', ref(4), 'SAY{{four}}', '--base', 'master'])
  expect(base.stderr).toMatch(/no branch "master".*\nHint: It has: main/)
  expect(await stage.ok(['start', ref(4), 'SAY{{four}}', '--base', 'main', '--wait'])).toMatch(/^idle /m)
})

it('all slots taken, and no daemon that takes tasks from the queue', async () => {
  await stage.ok(['start', ref(5), 'GATE=five SAY{{five}}'])
  const said = await stage.kugetsu(['start', ref(6), 'SAY{{six}}'])
  expect(said).toMatchObject({ code: 2 })
  expect(said.stderr).toMatch(/Hint: .*\(--queue\)/)
  const queued = await stage.ok(['start', ref(6), 'SAY{{six}}', '--queue'])
  const advice = /no daemon takes tasks\. Run: kugetsu (queue-daemon start)$/m.exec(queued)?.[1]
  expect(await stage.ok((advice ?? 'the advice').split(' '))).toContain('The queue daemon runs')
  await stage.model.turn('five')
  await stage.model.release('five')
  await waitFor('the end of the task', async () =>
    (await runJson<Item[]>(stage.home, ['queue', 'list', '--json'])).json.every(({ state }) => state === 'completed'),
  )
})
