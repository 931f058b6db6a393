/**
 * The server loads the models of the providers that could be used when it was started (opencode/model-providers.ts). What
 * the configuration of a repository, or a login made since, adds to these is added here, where opencode reads its
 * configuration for a directory. Part of the plugin inside opencode.
 */
import * as os from 'node:os'
import { addModelsVariable, allModelsVariable } from '../core/model-variables.ts'
import { readCatalogue, type CatalogueProvider } from '../opencode/catalogue.ts'
import { loginsOf } from '../opencode/directories.ts'
import { parseJson } from '../platform/state-file.ts'

/** What of a provider in opencode's configuration matters here; its models have the form of the catalogue. */
type Provider = Pick<CatalogueProvider, 'models'>

/** Adds to a configuration the models of the providers that it names and that the server has not loaded. */
export function addLeftOut(configuration: { provider?: Record<string, Provider> }, env: NodeJS.ProcessEnv): void {
  const [loaded, all] = [env['OPENCODE_MODELS_PATH'], env[allModelsVariable]]
  const before = parseJson(env[addModelsVariable] ?? '')
  if (!Array.isArray(before) || !loaded || !all) return
  const own = configuration.provider ?? {}
  const known = readCatalogue(loaded) ?? {}
  const since = loginsOf({ env, userHome: os.homedir() }).filter((id) => !before.includes(id))
  const missing = [...new Set([...Object.keys(own), ...since])].filter(
    (id) => Object.hasOwn(known, id) && Object.keys(known[id]?.models ?? {}).length === 0,
  )
  if (missing.length === 0) return
  const catalogue = readCatalogue(all) ?? {}
  const added = missing.map((id) => [id, withModels(own[id], catalogue[id])] as const)
  configuration.provider = { ...own, ...Object.fromEntries(added) }
}

/** For the opencode that an agent runs itself, which is to know what it would know without kugetsu. */
export function allModels(env: NodeJS.ProcessEnv): Record<string, string> {
  const all = env[allModelsVariable]
  return all ? { OPENCODE_MODELS_PATH: all } : {}
}

/** What the configuration says of a model wins over the catalogue. */
function withModels(configured: Provider = {}, { models = {} }: Provider = {}): Provider {
  const own = configured.models ?? {}
  const merged = Object.entries(models).map(([id, model]) => [id, { ...model, ...own[id] }] as const)
  return { ...configured, models: { ...own, ...Object.fromEntries(merged) } }
}
