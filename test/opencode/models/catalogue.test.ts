import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { catalogueFile, findCatalogue, readCatalogue, serveModels } from '../../../src/opencode/models/catalogue.ts'
import { bareHome } from '../../helpers/bare-home.ts'

const catalogue = {
  alpha: { name: 'Alpha', env: ['ALPHA_KEY'], models: { one: {} } },
  beta: { name: 'Beta', models: { two: {} } },
}

let root: string
let cached: string
const homeWith = (env: NodeJS.ProcessEnv = {}, warn?: (text: string) => void) => ({
  ...bareHome(path.join(root, '.kugetsu'), warn),
  env,
  userHome: root,
})
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'kugetsu-catalogue-'))
  cached = path.join(root, '.cache', 'opencode', 'models.json')
  fs.mkdirSync(path.dirname(cached), { recursive: true })
  fs.mkdirSync(path.join(root, '.kugetsu', 'opencode'), { recursive: true })
  fs.writeFileSync(cached, JSON.stringify(catalogue))
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

describe('the catalogue of opencode', () => {
  it('is in the cache directory', () => {
    expect(catalogueFile(homeWith())).toBe(cached)
    expect(catalogueFile(homeWith({ XDG_CACHE_HOME: '/elsewhere' }))).toBe('/elsewhere/opencode/models.json')
    expect(readCatalogue(cached)).toEqual(catalogue)
  })

  it('is the file that opencode is told to read', () => {
    const env = { OPENCODE_MODELS_PATH: '/own.json', OPENCODE_MODELS_URL: 'https://models.test' }
    expect(catalogueFile(homeWith(env))).toBe('/own.json')
  })

  it('is not known where it comes from another place', () => {
    expect(catalogueFile(homeWith({ OPENCODE_MODELS_URL: 'https://models.test' }))).toBeUndefined()
  })

  it.each(['', 'spoiled', '[]', 'null', '"text"', '{"alpha":', '{"alpha":1}', '{"alpha":null}'])(
    'is not known when its file says %j',
    (text) => {
      fs.writeFileSync(cached, text)
      expect(readCatalogue(cached)).toBeUndefined()
    },
  )

  it('is not known when its file is a directory', () => {
    fs.rmSync(cached)
    fs.mkdirSync(cached)
    expect(readCatalogue(cached)).toBeUndefined()
  })

  it('is the one that opencode told, where it has none on file', () => {
    const home = homeWith()
    fs.writeFileSync(home.paths.wholeCatalogue, '{"told":{}}')
    expect(findCatalogue(home)?.file).toBe(cached)
    fs.rmSync(cached)
    expect(findCatalogue(home)).toEqual({ file: home.paths.wholeCatalogue, catalogue: { told: {} } })
    fs.rmSync(home.paths.wholeCatalogue)
    expect(findCatalogue(home)).toBeUndefined()
  })
})

describe('the part of it that is served', () => {
  it('has the providers that are wanted, and none without models', () => {
    const home = homeWith()
    expect(serveModels(home, (id) => id === 'beta')).toEqual({ some: home.paths.catalogue, all: cached })
    expect(readCatalogue(home.paths.catalogue)).toEqual({ beta: catalogue.beta })
  })

  it('is none when there is nothing to take it from, or it cannot be written', () => {
    const warnings: string[] = []
    const home = homeWith({}, (text) => warnings.push(text))
    fs.mkdirSync(home.paths.catalogue)
    expect(serveModels(home, () => true)).toBeUndefined()
    expect(warnings).toEqual([expect.stringContaining('the models of all providers are loaded')])
    fs.rmSync(cached)
    expect(serveModels(home, () => true)).toBeUndefined()
    expect(warnings).toHaveLength(1)
  })
})
