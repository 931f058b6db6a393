/**
 * What opencode knows of models: a catalogue of all providers there are, of which it makes its own form anew for each
 * directory. With the providers that are used alone, the first prompt in a worktree takes a fraction of the time.
 */
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { messageOf } from '../core/errors.ts'
import { readText, writeAtomic } from '../platform/files.ts'
import { parseJson } from '../platform/state-file.ts'

/** By provider, in the form of https://models.dev/api.json. */
type Catalogue = Record<string, unknown>

/**
 * Writes the part of opencode's catalogue that KUGETSU_MODEL_PROVIDERS asks for, and returns its file, for
 * OPENCODE_MODELS_PATH. Undefined when all are asked for, or opencode has no catalogue on file yet: it then takes the
 * one that is built into it, whole. The server reads the file when it starts, and once more in the hours in which it
 * fetches a newer catalogue.
 */
export function writeCatalogue(home: Home): string | undefined {
  const wanted = home.settings().modelProviders
  const all = wanted.length === 0 ? undefined : readCatalogue(home)
  if (all === undefined) return undefined
  const kept = wanted.filter((id) => Object.hasOwn(all, id)).map((id) => [id, all[id]] as const)
  try {
    writeAtomic(home.paths.catalogue, JSON.stringify(Object.fromEntries(kept)))
    return home.paths.catalogue
  } catch (error) {
    home.warn(`the models of all providers are loaded: ${messageOf(error)}`)
    return undefined
  }
}

/**
 * The catalogue that opencode would read: that of OPENCODE_MODELS_PATH, else the one it keeps in its cache directory.
 * Undefined where there is none, or where it comes from another place (OPENCODE_MODELS_URL).
 */
export function readCatalogue({ env, userHome }: Pick<Home, 'env' | 'userHome'>): Catalogue | undefined {
  const chosen = env['OPENCODE_MODELS_PATH']
  if (!chosen && env['OPENCODE_MODELS_URL']) return undefined
  const cache = path.join(env['XDG_CACHE_HOME'] || path.join(userHome, '.cache'), 'opencode')
  const value = parseJson(textOf(chosen || path.join(cache, 'models.json')))
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Catalogue) : undefined
}

/** The file is opencode's, and what is wrong with it is for opencode to mend. */
function textOf(file: string): string {
  try {
    return readText(file) ?? ''
  } catch {
    return ''
  }
}
