/**
 * opencode's catalogue of models, with all providers there are. opencode converts it into its own form again for each
 * directory. With only the providers that are used, the first prompt in a worktree takes a fraction of the time.
 */
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { messageOf } from '../../core/errors.ts'
import { readText, writeAtomic } from '../../platform/files.ts'
import { parseJson } from '../../platform/state-file.ts'

/** By provider, in the form of https://models.dev/api.json. */
export type Catalogue = Record<string, CatalogueProvider>

export interface CatalogueProvider {
  name?: unknown
  npm?: unknown
  api?: unknown
  /** The names of variables; one of the variables is the login to the provider. */
  env?: unknown
  models?: Record<string, object>
}

/** Two files: one with the models that a server is to load, one with all models. */
export interface ServedModels {
  some: string
  all: string
}

/**
 * Writes opencode's catalogue with only some of its providers. The others are left out and not merely emptied: `GET
 * /provider`, which `opencode attach` asks first, fails when a provider has no model (1.18). Undefined when there is no
 * catalogue to take them from: opencode then uses all of its built-in one. The server reads the file when it starts, and
 * again in each hour in which it fetches a newer catalogue.
 */
export function serveModels(
  home: Home,
  isWanted: (id: string, provider: CatalogueProvider) => boolean,
): ServedModels | undefined {
  const found = findCatalogue(home)
  if (found === undefined) return undefined
  const some = Object.entries(found.catalogue).filter(([id, provider]) => isWanted(id, provider))
  try {
    writeAtomic(home.paths.catalogue, JSON.stringify(Object.fromEntries(some)))
    return { some: home.paths.catalogue, all: found.file }
  } catch (error) {
    home.warn(`the models of all providers are loaded: ${messageOf(error)}`)
    return undefined
  }
}

/**
 * The catalogue that opencode would read: the file at OPENCODE_MODELS_PATH, else the one in opencode's cache directory;
 * else the one that kugetsu made from opencode's answer (in-use.ts). Undefined when none of them exists.
 */
export function findCatalogue(home: Pick<Home, 'env' | 'userHome' | 'paths'>) {
  for (const file of [catalogueFile(home), home.paths.wholeCatalogue]) {
    const catalogue = file === undefined ? undefined : readCatalogue(file)
    if (file !== undefined && catalogue !== undefined) return { file, catalogue }
  }
  return undefined
}

/** The file of opencode's catalogue; undefined when opencode takes it from another source (OPENCODE_MODELS_URL). */
export function catalogueFile({ env, userHome }: Pick<Home, 'env' | 'userHome'>): string | undefined {
  const chosen = env['OPENCODE_MODELS_PATH']
  if (!chosen && env['OPENCODE_MODELS_URL']) return undefined
  return chosen || path.join(env['XDG_CACHE_HOME'] || path.join(userHome, '.cache'), 'opencode', 'models.json')
}

/** Reads that file; undefined when it is missing or cannot be understood: mending it is left to opencode. */
export function readCatalogue(file: string): Catalogue | undefined {
  const value = parseJson(textOf(file))
  const isObject = (each: unknown) => typeof each === 'object' && each !== null && !Array.isArray(each)
  return isObject(value) && Object.values(value as object).every(isObject) ? (value as Catalogue) : undefined
}

function textOf(file: string): string {
  try {
    return readText(file) ?? ''
  } catch {
    return ''
  }
}

/** The names of a provider's variables; one of the variables is the login to it. */
export function variablesOf({ env }: CatalogueProvider): string[] {
  return Array.isArray(env) ? env.filter((name) => typeof name === 'string') : []
}
