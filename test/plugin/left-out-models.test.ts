import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addLeftOut, allModels } from '../../src/plugin/left-out-models.ts'

let root: string
let env: NodeJS.ProcessEnv
const write = (name: string, value: unknown) => {
  const file = path.join(root, name)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value))
  return file
}
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'kugetsu-models-'))
  const beta = { two: { id: 'two', limit: { context: 1 } }, three: { id: 'three' } }
  env = {
    XDG_DATA_HOME: path.join(root, 'data'),
    KUGETSU_ADD_MODELS: '["alpha"]',
    OPENCODE_MODELS_PATH: write('some.json', { alpha: { models: { one: {} } } }),
    KUGETSU_ALL_MODELS: write('all.json', {
      alpha: { models: { one: {} } },
      beta: { id: 'beta', name: 'Beta', npm: 'b', api: 'https://b', env: ['B'], doc: 'd', models: beta },
    }),
  }
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

const added = (configuration: object) => {
  const copy = structuredClone(configuration)
  addLeftOut(copy, env)
  return copy
}

describe('a provider that is left out', () => {
  it('is added where it is configured, under what the configuration says of it', () => {
    const beta = { options: { apiKey: 'k' }, npm: 'c', models: { two: { name: 'Two' }, own: { name: 'Own' } } }
    expect(added({ model: 'beta/two', provider: { beta, other: { npm: 'x' } } })).toEqual({
      model: 'beta/two',
      provider: {
        beta: {
          name: 'Beta',
          npm: 'c',
          api: 'https://b',
          env: ['B'],
          options: { apiKey: 'k' },
          models: {
            two: { id: 'two', limit: { context: 1 }, name: 'Two' },
            three: { id: 'three' },
            own: { name: 'Own' },
          },
        },
        other: { npm: 'x' },
      },
    })
  })

  it('is added with a login', () => {
    write('data/opencode/auth.json', { beta: { type: 'api', key: 'k' }, alpha: { type: 'api', key: 'k' }, unknown: {} })
    const beta = { name: 'Beta', npm: 'b', models: expect.objectContaining({ three: { id: 'three' } }) }
    expect(added({})).toEqual({ provider: { beta: expect.objectContaining(beta) } })
  })

  it('is disabled where it has a login of no use here, with which opencode would look for it in vain', () => {
    write('data/opencode/auth.json', { beta: { type: 'oauth' }, alpha: { type: 'oauth' }, unknown: {} })
    env['KUGETSU_ADD_MODELS'] = '["beta"]'
    expect(added({ disabled_providers: ['x'] })).toEqual({ disabled_providers: ['x', 'beta'] })
    delete env['KUGETSU_ADD_MODELS']
    expect(added({})).toEqual({ disabled_providers: ['beta'] })
    expect(added({ provider: { beta: { models: { own: {} } } } })).not.toHaveProperty('disabled_providers')
  })
})

describe('nothing is added', () => {
  const unchanged = { provider: { alpha: { options: {} }, other: { models: { x: {} } } } }
  it('for providers whose models are loaded, or that are not in the catalogue', () => {
    expect(added(unchanged)).toEqual(unchanged)
  })

  it('for a login that opencode had when the server was started: it could not use it', () => {
    write('data/opencode/auth.json', { beta: { type: 'oauth' } })
    env['KUGETSU_ADD_MODELS'] = '["beta"]'
    expect(added(unchanged)).toEqual({ ...unchanged, disabled_providers: ['beta'] })
  })

  it.each(['KUGETSU_ADD_MODELS', 'KUGETSU_ALL_MODELS', 'OPENCODE_MODELS_PATH'])('without %s', (name) => {
    delete env[name]
    const configuration = { provider: { beta: {} } }
    expect(added(configuration)).toEqual(configuration)
  })

  it('where the files or the login cannot be read', () => {
    write('data/opencode/auth.json', '{')
    expect(added(unchanged)).toEqual(unchanged)
    write('all.json', '{')
    expect(added({ provider: { beta: { env: ['B'] } } })).toEqual({ provider: { beta: { env: ['B'] } } })
    write('some.json', '{')
    expect(added({ provider: { beta: { env: ['B'] } } })).toEqual({ provider: { beta: { env: ['B'] } } })
  })
})

it('an opencode of an agent is told of all', () => {
  expect(allModels(env)).toEqual({ OPENCODE_MODELS_PATH: path.join(root, 'all.json') })
  expect(allModels({})).toEqual({})
})
