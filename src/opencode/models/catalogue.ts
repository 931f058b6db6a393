/**
 * What opencode knows of models: a catalogue of all providers there are, of which it makes its own form anew for each
 * directory. With the models of the providers that are used alone, the first prompt in a worktree takes a fraction of
 * the time.
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
  /** The variables of which one is the login to it. */
  env?: unknown
  models?: Record<string, object>
}

/** The files with the models that a server is to load, and with all there are. */
export interface ServedModels {
  some: string
  all: string
}

/**
 * Writes opencode's catalogue with some providers alone. The others are left out and not merely emptied: `GET /provider`,
 * which `opencode attach` asks first, fails where a provider has no model (1.18). Undefined where there is no catalogue to
 * take it from: opencode then uses the one that is built into it, whole. The server reads the file when it starts, and once
 * more in the hours in which it fetches a newer catalogue.
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
 * The catalogue that opencode would read: that of OPENCODE_MODELS_PATH, else the one it keeps in its cache directory;
 * else the one that we made of what it said (in-use.ts). Undefined where there is none.
 */
export function findCatalogue(home: Pick<Home, 'env' | 'userHome' | 'paths'>) {
  for (const file of [catalogueFile(home), home.paths.wholeCatalogue]) {
    const catalogue = file === undefined ? undefined : readCatalogue(file)
    if (file !== undefined && catalogue !== undefined) return { file, catalogue }
  }
  return undefined
}

/** Where opencode has its catalogue on file; undefined where it takes that from another source (OPENCODE_MODELS_URL). */
export function catalogueFile({ env, userHome }: Pick<Home, 'env' | 'userHome'>): string | undefined {
  const chosen = env['OPENCODE_MODELS_PATH']
  if (!chosen && env['OPENCODE_MODELS_URL']) return undefined
  return chosen || path.join(env['XDG_CACHE_HOME'] || path.join(userHome, '.cache'), 'opencode', 'models.json')
}

/** What that file says; undefined when it is not there or cannot be understood, which is for opencode to mend. */
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

/** The variables of a provider, one of which is the login to it. */
export function variablesOf({ env }: CatalogueProvider): string[] {
  return Array.isArray(env) ? env.filter((name) => typeof name === 'string') : []
}
