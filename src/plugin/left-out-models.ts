/**
 * The server's catalogue of models has only the providers that could be used when the server was started
 * (opencode/models/in-use.ts). This adds the providers of a repository's configuration, or of a later login, when opencode
 * reads its configuration for a directory. Part of the plugin inside opencode.
 */
import * as fs from 'node:fs'
import * as os from 'node:os'
import { addModelsVariable, allModelsVariable } from '../opencode/models/variables.ts'
import { readCatalogue, type CatalogueProvider } from '../opencode/models/catalogue.ts'
import { loginsOf } from '../opencode/directories.ts'
import { parseJson } from '../platform/state-file.ts'

/** The parts of opencode's configuration that matter here; its models have the form of the catalogue. */
interface Configuration {
  provider?: Record<string, CatalogueProvider>
  disabled_providers?: string[]
}

/**
 * Adds to a configuration the providers that it names, or that have a new login, if the server's catalogue leaves them out.
 * Disables the other left-out providers with a login: opencode would look in the catalogue for the provider of the login
 * (`plugin.auth.loader` in its provider.ts), and fails in a directory when it finds none.
 */
export function addLeftOut(configuration: Configuration, env: NodeJS.ProcessEnv): void {
  const [loaded, all] = [env['OPENCODE_MODELS_PATH'], env[allModelsVariable]]
  if (!loaded || !all) return
  const own = configuration.provider ?? {}
  const logins = loginsOf({ env, userHome: os.homedir() })
  const leftOut = leftOutOf(loaded, all)
  const before = parseJson(env[addModelsVariable] ?? '')
  const wanted = Array.isArray(before) ? [...Object.keys(own), ...logins.filter((id) => !before.includes(id))] : []
  const missing = [...new Set(wanted)].filter((id) => leftOut.has(id))
  if (missing.length > 0) {
    const catalogue = readCatalogue(all) ?? {}
    const added = missing.map((id) => [id, withCatalogue(own[id], catalogue[id])] as const)
    configuration.provider = { ...own, ...Object.fromEntries(added) }
  }
  const useless = logins.filter((id) => leftOut.has(id) && !Object.hasOwn(configuration.provider ?? {}, id))
  if (useless.length > 0)
    configuration.disabled_providers = [...new Set([...(configuration.disabled_providers ?? []), ...useless])]
}

/** For an opencode that an agent runs itself: it gets the models that it would have without kugetsu. */
export function allModels(env: NodeJS.ProcessEnv): Record<string, string> {
  const all = env[allModelsVariable]
  return all ? { OPENCODE_MODELS_PATH: all } : {}
}

let lastLook: { stamp: string; leftOut: Set<string> } | undefined

/** The ids of the providers of `all` that `loaded` lacks. The files are megabytes, so read again only when one changes. */
function leftOutOf(loaded: string, all: string): Set<string> {
  const stamp = [loaded, all].map((file) => `${file} ${fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs}`).join()
  if (lastLook?.stamp === stamp) return lastLook.leftOut
  const known = readCatalogue(loaded)
  const ids = known === undefined ? [] : Object.keys(readCatalogue(all) ?? {})
  const leftOut = new Set(ids.filter((id) => !Object.hasOwn(known ?? {}, id)))
  lastLook = { stamp, leftOut }
  return leftOut
}

/** What the configuration says about a provider or a model wins over the catalogue. */
function withCatalogue(configured: CatalogueProvider = {}, found: CatalogueProvider = {}): CatalogueProvider {
  const { models = {}, name, env, npm, api } = found
  const own = configured.models ?? {}
  const merged = Object.entries(models).map(([id, model]) => [id, { ...model, ...own[id] }] as const)
  return { name, env, npm, api, ...configured, models: { ...own, ...Object.fromEntries(merged) } }
}
