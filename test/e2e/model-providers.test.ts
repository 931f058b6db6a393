/** KUGETSU_MODEL_PROVIDERS: the server of opencode 1 loads the models of the providers that it can use, of all, or of some. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { catalogueFile, writeCatalogue } from '../helpers/model-catalogue.ts'
import { opencode1Program } from '../helpers/opencode.ts'
import { killAndWait, leftovers } from '../helpers/processes.ts'
import { runJson } from '../helpers/kugetsu.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'

let stage: Stage
const at = (name: string) => path.join(stage.home.kugetsuDir, 'opencode', name)
const readModels = (file: string) =>
  JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, { models: Record<string, unknown> }>

/** The names of models that the server has loaded from the catalogue, by provider. */
const loaded = () =>
  Object.fromEntries(
    Object.entries(readModels(at('models.json'))).map(([id, { models }]) => [id, Object.keys(models)] as const),
  )
const providers = async (directory?: string) => {
  const query = directory === undefined ? '' : `?directory=${encodeURIComponent(directory)}`
  const { json } = await stage.opencode(`/config/providers${query}`)
  return (json as { providers: { id: string }[] }).providers.map(({ id }) => id).sort()
}
const start = (number: number, ...more: string[]) =>
  stage.kugetsu(['start', ref(number), `SAY{{did ${number}}}`, '--wait', ...more])
const doctor = async () =>
  (await runJson<{ checks: { name: string }[] }>(stage.home, ['doctor', '--json'])).json.checks.find(
    ({ name }) => name === 'providers',
  )
const logIn = (id: string, login: object = { type: 'api', key: 'k' }) => {
  const file = path.join(stage.home.opencodeData, 'auth.json')
  const others = fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, 'utf8')) as object) : {}
  fs.writeFileSync(file, JSON.stringify({ ...others, [id]: login }), { mode: 0o600 })
}

beforeAll(async () => {
  stage = await setStage({ program: opencode1Program, findsProviders: true, env: { ALPHA_KEY: 'a' } })
})
afterAll(() => stage.cleanup())

describe('where opencode has no catalogue but the one that is built into it', () => {
  it('the models are those that it can use, as it says itself', async () => {
    expect(await providers()).toContain('scripted')
    const models = loaded()
    const all = readModels(at('all-models.json'))
    expect(Object.keys(all).length).toBeGreaterThan(20)
    expect(Object.keys(models)).toEqual((await providers()).filter((id) => id !== 'scripted'))
    expect(Object.values(models).every((names) => names.length > 0)).toBe(true)
    // What the terminal interface asks first.
    expect((await stage.opencode('/provider')).status).toBe(200)
    for (const name of ['models.json', 'all-models.json', 'providers.json']) {
      expect(fs.statSync(at(name)).mode & 0o777).toBe(0o600)
    }
    const pid = stage.server()?.pid
    expect((await start(1)).code).toBe(0)
    expect(stage.server()?.pid).toBe(pid)
  })
})

describe('with a catalogue', () => {
  beforeAll(async () => {
    writeCatalogue(stage.home, stage.model.url, {
      alpha: ['one', 'two'],
      beta: ['three'],
      gamma: ['four'],
      delta: ['five'],
      openai: ['six'],
    })
    await killAndWait(-(stage.server()?.pid ?? NaN))
  })

  it('the models are those of the providers that opencode can use', async () => {
    // Of a kind that nothing in opencode knows what to do with.
    logIn('delta', { type: 'oauth', refresh: 'r', access: 'a', expires: 0 })
    expect((await start(2, '--model', 'alpha/two')).code).toBe(0)
    expect(loaded()).toEqual({ alpha: ['one', 'two'] })
    expect(await providers()).toEqual(['alpha', 'scripted'])
    expect(await providers(stage.worktree(2))).toEqual(['alpha', 'scripted'])
    expect(await doctor()).toMatchObject({ status: 'pass', detail: 'alpha, scripted' })
    const pid = stage.server()?.pid
    const { code, stderr } = await start(3, '--model', 'beta/three')
    expect([code, stderr]).toEqual([1, expect.stringContaining('opencode has no model beta/three')])
    expect(stage.server()?.pid).toBe(pid)
  })

  it('a new login counts at once, in the server that is at work, and is known to the next one', async () => {
    const pid = stage.server()?.pid
    await stage.ok(['start', ref(4), 'GATE=four SAY{{did 4}}'])
    await stage.model.turn('did 4')
    logIn('beta')
    expect((await start(5, '--model', 'beta/three')).code).toBe(0)
    expect(stage.server()?.pid).toBe(pid)
    await stage.model.release('four')
    await stage.ok(['wait', ref(4)])
    expect((await start(6)).code).toBe(0)
    expect(stage.server()?.pid).not.toBe(pid)
    expect(loaded()).toEqual({ alpha: ['one', 'two'], beta: ['three'] })
  })

  it("a provider that a repository's own configuration names has its models there", async () => {
    const pid = stage.server()?.pid
    const configuration = {
      $schema: 'https://opencode.ai/config.json',
      provider: { gamma: { options: { apiKey: 'g' }, models: { four: { name: 'Our Four' } } } },
      model: 'gamma/four',
    }
    stage.git.commit('me/app', 'main', { 'opencode.json': JSON.stringify(configuration) })
    expect((await start(7)).code).toBe(0)
    expect(await providers(stage.worktree(7))).toEqual(['alpha', 'beta', 'gamma', 'scripted'])
    expect(await providers()).toEqual(['alpha', 'beta', 'scripted'])
    expect(stage.server()?.pid).toBe(pid)
    const { json } = await stage.opencode(`/config/providers?directory=${encodeURIComponent(stage.worktree(7))}`)
    expect(json).toMatchObject({
      providers: expect.arrayContaining([
        expect.objectContaining({
          id: 'gamma',
          models: { four: expect.objectContaining({ name: 'Our Four', limit: { context: 100_000, output: 1000 } }) },
        }),
      ]),
    })
    stage.git.commit('me/app', 'main', { 'opencode.json': '{"$schema":"https://opencode.ai/config.json"}' })
  })

  it('nobody finds the server that is asked whose models it can use', async () => {
    const before = stage.server()?.pid ?? NaN
    await killAndWait(-before)
    fs.rmSync(at('providers.json'))
    const seen = new Map<number, boolean>()
    const look = () => {
      const record = stage.server()
      if (record !== undefined && record.pid !== before) seen.set(record.pid, record.port !== undefined)
    }
    const looking = setInterval(look, 1)
    expect((await start(11)).code).toBe(0)
    clearInterval(looking)
    expect([...seen]).toEqual([
      [expect.any(Number), false],
      [stage.server()?.pid, true],
    ])
  })

  it('what is configured for all repositories counts from the next server on', async () => {
    const before = fs.readFileSync(stage.home.opencodeConfig, 'utf8')
    const { provider, ...rest } = JSON.parse(before) as { provider: object }
    const more = { ...rest, provider: { ...provider, delta: { options: { apiKey: 'd' } } } }
    fs.writeFileSync(stage.home.opencodeConfig, JSON.stringify(more))
    expect((await start(8, '--model', 'delta/five')).code).toBe(0)
    expect(loaded()).toEqual({ alpha: ['one', 'two'], beta: ['three'], delta: ['five'] })
    fs.writeFileSync(stage.home.opencodeConfig, before)
  })

  it('what an agent runs itself knows all models', async () => {
    await stage.ok(['start', ref(9), 'BASH{{echo "$OPENCODE_MODELS_PATH" > path.txt}} SAY{{done}}', '--wait'])
    const told = fs.readFileSync(path.join(stage.worktree(9), 'path.txt'), 'utf8').trim()
    expect(told).toBe(catalogueFile(stage.home))
  })

  it('a file of ours that cannot be read is made again', async () => {
    fs.writeFileSync(at('providers.json'), 'spoiled')
    await killAndWait(-(stage.server()?.pid ?? NaN))
    expect((await start(10, '--model', 'alpha/one')).code).toBe(0)
    expect(JSON.parse(fs.readFileSync(at('providers.json'), 'utf8'))).toMatchObject({
      providers: ['alpha', 'beta', 'scripted'],
    })
    expect(fs.readdirSync(at('')).filter((name) => name.startsWith('providers.json.'))).toHaveLength(1)
  })
})

describe('all', () => {
  it('loads all, for a server in which no agent is at work', async () => {
    const before = stage.server()?.pid
    await stage.ok(['start', ref(20), 'GATE=twenty SAY{{did 20}}'])
    await stage.model.turn('did 20')
    stage.configure({ KUGETSU_MODEL_PROVIDERS: 'all' })
    expect((await start(21)).code).toBe(0)
    expect(stage.server()?.pid).toBe(before)
    await stage.model.release('twenty')
    await stage.ok(['wait', ref(20)])
    expect((await start(22)).code).toBe(0)
    const pid = stage.server()?.pid
    expect(pid).not.toBe(before)
    expect((await stage.opencode('/provider')).json).toMatchObject({
      all: expect.arrayContaining([
        expect.objectContaining({ id: 'gamma', models: { four: expect.objectContaining({ id: 'four' }) } }),
      ]),
    })
    expect(await doctor()).toMatchObject({
      status: 'pass',
      detail: 'all that opencode knows (KUGETSU_MODEL_PROVIDERS)',
    })
    expect((await start(23)).code).toBe(0)
    expect(stage.server()?.pid).toBe(pid)
  })
})

describe('some by name', () => {
  it('leaves out the others, logged in to or not', async () => {
    // opencode has a loader of its own for this one, which fails when the catalogue does not have its provider.
    logIn('openai', { type: 'oauth', refresh: 'r', access: 'a', expires: Date.now() + 3_600_000 })
    stage.configure({ KUGETSU_MODEL_PROVIDERS: 'alpha' })
    expect((await start(30, '--model', 'alpha/two')).code).toBe(0)
    expect(await providers()).toEqual(['alpha', 'scripted'])
    expect(loaded()).toEqual({ alpha: ['one', 'two'] })
    const pid = stage.server()?.pid
    expect((await stage.kugetsu(['continue', ref(1), 'SAY{{again}}', '--wait', '--model', 'alpha/one'])).code).toBe(0)
    expect((await start(31)).code).toBe(0)
    expect(stage.server()?.pid).toBe(pid)
  })

  it('a model of another provider is refused, and the setting named', async () => {
    const { code, stderr } = await start(32, '--model', 'beta/three')
    expect(code).toBe(1)
    expect(stderr).toBe(
      'Error: opencode has no model beta/three\nHint: KUGETSU_MODEL_PROVIDERS leaves its provider out (alpha).\n',
    )
    expect(fs.existsSync(stage.worktree(32))).toBe(false)
    const known = await start(32, '--model', 'alpha/nine')
    expect(known.stderr).toContain('"opencode models" lists its models')
  })

  it('doctor names them, and one that nobody knows', async () => {
    expect(await doctor()).toMatchObject({ status: 'pass', detail: 'alpha (KUGETSU_MODEL_PROVIDERS)' })
    stage.configure({ KUGETSU_MODEL_PROVIDERS: 'alpha,anthropik' })
    expect(await doctor()).toMatchObject({ status: 'warn', detail: expect.stringContaining('"anthropik"') })
  })

  it('all are loaded where there is no catalogue, which doctor tells', async () => {
    fs.rmSync(catalogueFile(stage.home))
    fs.rmSync(at('all-models.json'))
    stage.configure({ KUGETSU_MODEL_PROVIDERS: 'scripted' })
    expect((await start(33)).code).toBe(0)
    const all = stage.server()?.pid
    expect(await doctor()).toMatchObject({ status: 'warn', detail: expect.stringContaining('no catalogue') })
    expect((await start(34)).code).toBe(0)
    expect(stage.server()?.pid).toBe(all)
  })

  it('a directory in the place of ours keeps nobody from starting', async () => {
    // With the provider of each login, as opencode's own has it: without it, opencode fails by itself.
    writeCatalogue(stage.home, stage.model.url, { alpha: ['one'], openai: ['six'] })
    fs.rmSync(at('models.json'), { force: true })
    fs.mkdirSync(path.join(at('models.json'), 'full'), { recursive: true })
    stage.configure({ KUGETSU_MODEL_PROVIDERS: 'alpha' })
    const { code, stderr } = await start(35)
    expect([code, stderr]).toEqual([0, expect.stringContaining('the models of all providers are loaded')])
  })
})

it('leaves no process behind', async () => {
  await stage.home.cleanup()
  expect(leftovers(stage.home.root)).toEqual([])
})
