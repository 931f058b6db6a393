/** KUGETSU_MODEL_PROVIDERS: the opencode server knows of the providers named there, and of those that its own configuration defines. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { catalogueFile, writeCatalogue } from '../helpers/model-catalogue.ts'
import { killAndWait, leftovers } from '../helpers/processes.ts'
import { runJson } from '../helpers/kugetsu.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'

let stage: Stage
const served = () => path.join(stage.home.kugetsuDir, 'opencode', 'models.json')

const providers = async () => {
  const { json } = await stage.opencode('/config/providers')
  return (json as { providers: { id: string }[] }).providers.map(({ id }) => id).sort()
}
const start = (number: number, ...more: string[]) =>
  stage.kugetsu(['start', ref(number), `SAY{{did ${number}}}`, '--wait', ...more])
const doctor = async () =>
  (await runJson<{ checks: { name: string }[] }>(stage.home, ['doctor', '--json'])).json.checks.find(
    ({ name }) => name === 'providers',
  )

beforeAll(async () => {
  stage = await setStage({ env: { ALPHA_KEY: 'a', BETA_KEY: 'b' } })
  // Not before: older versions of opencode empty a cache that they have not made themselves.
  writeCatalogue(stage.home, stage.model.url, { alpha: ['one', 'two'], beta: ['three'] })
  await killAndWait(-(stage.server()?.pid ?? NaN))
})
afterAll(() => stage.cleanup())

describe('without the setting', () => {
  it('all providers are known, and doctor tells how to have fewer', async () => {
    expect((await start(1, '--model', 'beta/three')).code).toBe(0)
    expect(await providers()).toEqual(expect.arrayContaining(['alpha', 'beta', 'scripted']))
    expect(await doctor()).toMatchObject({
      status: 'pass',
      detail: expect.stringMatching(/faster with KUGETSU_MODEL_PROVIDERS=.*alpha/),
    })
    expect(fs.existsSync(served())).toBe(false)
  })
})

describe('with some providers', () => {
  it('holds from the next start on, for a server in which no agent is at work', async () => {
    const before = stage.server()?.pid
    await stage.ok(['start', ref(2), 'GATE=two SAY{{did 2}}'])
    await stage.model.turn('did 2')
    stage.configure({ KUGETSU_MODEL_PROVIDERS: 'alpha' })
    expect((await start(3, '--model', 'beta/three')).code).toBe(0)
    expect(stage.server()?.pid).toBe(before)
    await stage.model.release('two')
    await stage.ok(['wait', ref(2)])
    expect((await start(4, '--model', 'alpha/two')).code).toBe(0)
    expect(stage.server()?.pid).not.toBe(before)
    expect(await providers()).toEqual(['alpha', 'scripted'])
    expect(Object.keys(JSON.parse(fs.readFileSync(served(), 'utf8')) as object)).toEqual(['alpha'])
    expect(fs.statSync(served()).mode & 0o777).toBe(0o600)
  })

  it('agents go on in their sessions, and with the default model', async () => {
    const pid = stage.server()?.pid
    expect((await stage.kugetsu(['continue', ref(1), 'SAY{{again}}', '--wait', '--model', 'alpha/one'])).code).toBe(0)
    expect((await start(5)).code).toBe(0)
    expect(stage.server()?.pid).toBe(pid)
  })

  it('a model of another provider is refused, and the setting named', async () => {
    const { code, stderr } = await start(6, '--model', 'beta/three')
    expect(code).toBe(1)
    expect(stderr).toBe(
      'Error: opencode has no model beta/three\nHint: KUGETSU_MODEL_PROVIDERS leaves its provider out (alpha).\n',
    )
    expect(fs.existsSync(stage.worktree(6))).toBe(false)
    const known = await start(6, '--model', 'alpha/nine')
    expect(known.stderr).toContain('"opencode models" lists those there are')
  })

  it('doctor names them, and one that nobody knows', async () => {
    expect(await doctor()).toMatchObject({ status: 'pass', detail: 'alpha (KUGETSU_MODEL_PROVIDERS)' })
    stage.configure({ KUGETSU_MODEL_PROVIDERS: 'alpha,anthropik' })
    expect(await doctor()).toMatchObject({ status: 'warn', detail: expect.stringContaining('"anthropik"') })
  })

  it('all are known where opencode has no catalogue, which doctor tells', async () => {
    fs.rmSync(catalogueFile(stage.home))
    stage.configure({ KUGETSU_MODEL_PROVIDERS: 'scripted' })
    expect((await start(7)).code).toBe(0)
    const all = stage.server()?.pid
    expect(await doctor()).toMatchObject({ status: 'warn', detail: expect.stringContaining('no catalogue') })
    expect((await start(8)).code).toBe(0)
    expect(stage.server()?.pid).toBe(all)
  })

  it('a directory in the place of ours keeps nobody from starting', async () => {
    writeCatalogue(stage.home, stage.model.url, { alpha: ['one'] })
    fs.rmSync(served(), { force: true })
    fs.mkdirSync(path.join(served(), 'full'), { recursive: true })
    stage.configure({ KUGETSU_MODEL_PROVIDERS: 'alpha' })
    const { code, stderr } = await start(10)
    expect([code, stderr]).toEqual([0, expect.stringContaining('the models of all providers are loaded')])
  })
})

it('leaves no process behind', async () => {
  await stage.home.cleanup()
  expect(leftovers(stage.home.root)).toEqual([])
})
