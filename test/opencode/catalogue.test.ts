import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadSettings } from '../../src/config/settings.ts'
import { readCatalogue, writeCatalogue } from '../../src/opencode/catalogue.ts'
import { bareHome } from '../helpers/bare-home.ts'

const catalogue = { alpha: { models: { one: {} } }, beta: { models: { two: {} } } }

let root: string
let cached: string
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'kugetsu-catalogue-'))
  cached = path.join(root, '.cache', 'opencode', 'models.json')
  fs.mkdirSync(path.dirname(cached), { recursive: true })
  fs.writeFileSync(cached, JSON.stringify(catalogue))
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

const read = (env: NodeJS.ProcessEnv = {}) => readCatalogue({ env, userHome: root })

describe('the catalogue of opencode', () => {
  it('is in the cache directory', () => {
    expect(read()).toEqual(catalogue)
    expect(read({ XDG_CACHE_HOME: path.join(root, 'elsewhere') })).toBeUndefined()
    expect(read({ XDG_CACHE_HOME: path.join(root, '.cache') })).toEqual(catalogue)
  })

  it('is the file that opencode is told to read', () => {
    const own = path.join(root, 'own.json')
    fs.writeFileSync(own, '{"own":{}}')
    expect(read({ OPENCODE_MODELS_PATH: own, OPENCODE_MODELS_URL: 'https://models.test' })).toEqual({ own: {} })
    expect(read({ OPENCODE_MODELS_PATH: `${own}.none` })).toBeUndefined()
  })

  it('is not known where it comes from another place', () => {
    expect(read({ OPENCODE_MODELS_URL: 'https://models.test' })).toBeUndefined()
  })

  it.each(['', 'spoiled', '[]', 'null', '"text"', '{"alpha":'])('is not known when its file says %j', (text) => {
    fs.writeFileSync(cached, text)
    expect(read()).toBeUndefined()
  })

  it('is not known when its file is a directory', () => {
    fs.rmSync(cached)
    fs.mkdirSync(cached)
    expect(read()).toBeUndefined()
  })
})

describe('the part of it that is served', () => {
  const homeWith = (providers: string) => {
    const home = bareHome(path.join(root, '.kugetsu'))
    fs.mkdirSync(path.join(home.paths.home, 'opencode'), { recursive: true })
    const env = { KUGETSU_MODEL_PROVIDERS: providers }
    const settings = () => loadSettings({ configFile: home.paths.config, env, userHome: root })
    return { ...home, env: {}, userHome: root, settings }
  }

  it('has what is asked for, as far as it is there', () => {
    const home = homeWith('beta,own,constructor')
    expect(writeCatalogue(home)).toBe(home.paths.catalogue)
    expect(JSON.parse(fs.readFileSync(home.paths.catalogue, 'utf8'))).toEqual({ beta: catalogue.beta })
  })

  it('is none when all are asked for, or there is none to take it from', () => {
    const all = homeWith('')
    expect(writeCatalogue(all)).toBeUndefined()
    expect(fs.existsSync(all.paths.catalogue)).toBe(false)
    fs.rmSync(cached)
    expect(writeCatalogue(homeWith('beta'))).toBeUndefined()
  })
})
