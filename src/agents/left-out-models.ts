/**
 * The server loads the models of the providers that could be used when it was started (opencode/model-providers.ts). What
 * the configuration of a repository, or a login made since, adds to these is added here, where opencode reads its
 * configuration for a directory. Part of the plugin inside opencode.
 */
import * as os from 'node:os'
import * as path from 'node:path'
import { addModelsVariable, allModelsVariable } from '../core/model-variables.ts'
import { readText } from '../platform/files.ts'

/** What of opencode's configuration, and of its catalogue, is about models. */
interface Provider {
  models?: Record<string, object>
}
type Providers = Record<string, Provider>

/** Adds to a configuration the models of the providers that it names and that the server has not loaded. */
export function addLeftOut(configuration: { provider?: Providers }, env: NodeJS.ProcessEnv): void {
  const [loaded, all] = [env['OPENCODE_MODELS_PATH'], env[allModelsVariable]]
  const before = parse(env[addModelsVariable] ?? '')
  if (!Array.isArray(before) || !loaded || !all) return
  const own = configuration.provider ?? {}
  const known = readProviders(loaded)
  const since = loginsIn(env).filter((id) => !before.includes(id))
  const missing = [...new Set([...Object.keys(own), ...since])].filter(
    (id) => Object.hasOwn(known, id) && Object.keys(known[id]?.models ?? {}).length === 0,
  )
  if (missing.length === 0) return
  const catalogue = readProviders(all)
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

/** The ids of the providers that opencode keeps a login to. */
function loginsIn(env: NodeJS.ProcessEnv): string[] {
  const data = env['XDG_DATA_HOME'] || path.join(os.homedir(), '.local', 'share')
  return Object.keys(readProviders(path.join(data, 'opencode', 'auth.json')))
}

function readProviders(file: string): Providers {
  const value = parse(textOf(file))
  return typeof value === 'object' && value !== null ? (value as Providers) : {}
}

function textOf(file: string): string {
  try {
    return readText(file) ?? ''
  } catch {
    return ''
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
