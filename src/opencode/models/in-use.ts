/**
 * Which models the server of a home loads: those of the providers that opencode can use here (it calls them connected),
 * unless KUGETSU_MODEL_PROVIDERS says otherwise. Only opencode knows these providers: they depend on logins, variables and
 * configuration, in different ways for some providers. So opencode is asked, once with all models loaded, and again when one
 * of these has changed. The plugin adds what a repository's own configuration names, in the repository's worktrees
 * (plugin/left-out-models.ts).
 */
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import type { Home } from '../../config/home.ts'
import { aList, anObject, aText, type Described, optional, required } from '../../core/fields.ts'
import { removeFile, writeAtomic, writeJson } from '../../platform/files.ts'
import { readState } from '../../platform/state-file.ts'
import { asCatalogue } from './from-server.ts'
import {
  catalogueFile,
  findCatalogue,
  readCatalogue,
  serveModels,
  variablesOf,
  type CatalogueProvider,
  type ServedModels,
} from './catalogue.ts'
import type { Routes } from '../api/routes.ts'
import { configurationFiles, loginsOf } from '../directories.ts'

const connectedFile = {
  /** Absent when all models have to be loaded. */
  providers: optional(aList(aText)),
  /** A hash of the program, the logins and the configuration that this holds for. */
  setup: required(aText),
  /** The variables that were set and may be a login. */
  variables: required(aList(aText)),
}
type Connected = Described<typeof connectedFile>

/** The models for a new server. */
export interface ModelChoice {
  /** Tells this choice from others; empty when all models are loaded. */
  mark: string
  served: ServedModels | undefined
  /** opencode's logins now; undefined when providers that are configured or logged in to later are not to be added. */
  logins: string[] | undefined
}

/** Decides which models a new server of `program` (a fingerprint) loads, and writes them into a file. */
export function chooseModels(home: Home, program: string): ModelChoice {
  const isOpen = home.settings().modelProviders === 'connected'
  const mark = markFor(home, program)
  const isOutdated = isOpen && !isSameList(readConnected(home, program)?.variables ?? [], loginVariables(home))
  if (mark === '' || isOutdated) return { mark: '', served: undefined, logins: undefined }
  return { mark, served: serve(home, program), logins: isOpen ? loginsOf(home) : undefined }
}

/** The mark that a server started now would have. Ignores variables, because each caller may have others. */
export function markFor(home: Home, program: string): string {
  const { modelProviders: wanted } = home.settings()
  if (wanted === 'all') return ''
  if (wanted !== 'connected') return wanted.join()
  const connected = readConnected(home, program)
  return connected?.providers === undefined ? '' : `connected ${connected.setup}`
}

/** Rewrites the file that a server reads when opencode has fetched a newer catalogue. */
export function renewModels(home: Home, { program, mark }: { program: string; mark: string }): void {
  if (mark !== '' && mark === markFor(home, program)) serve(home, program)
}

function serve(home: Home, program: string): ServedModels | undefined {
  const { modelProviders: wanted } = home.settings()
  if (typeof wanted !== 'string') return serveModels(home, (id) => wanted.includes(id))
  const connected = readConnected(home, program)?.providers ?? []
  // Also providers that came into the catalogue after opencode was asked.
  const hasLogin = (provider: CatalogueProvider) => variablesOf(provider).some((name) => home.env[name])
  return serveModels(home, (id, provider) => connected.includes(id) || hasLogin(provider))
}

/**
 * Asks a server that has loaded all models which providers it can use, and keeps the answer. Returns whether a server
 * started now loads fewer models. Does not ask when the answer is known or not wanted.
 */
export async function askConnected(home: Home, routes: Routes, program: string): Promise<boolean> {
  if (home.settings().modelProviders !== 'connected') return false
  const known = readConnected(home, program)
  if (known !== undefined && isSameList(known.variables, loginVariables(home))) {
    if (known.providers !== undefined || !hasCatalogue(home)) return false
  }
  try {
    const providers = await connectedTo(home, routes)
    // Computed after the answer: opencode may have completed its configuration meanwhile, and fetched its catalogue.
    const connected: Connected = {
      ...(providers && { providers }),
      setup: setupOf(home, program),
      variables: loginVariables(home),
    }
    writeJson(home.paths.connected, connected)
    return providers !== undefined
  } catch {
    home.signal.throwIfAborted()
    // The file is outdated. If it stayed, each start would find another mark than the server's, and boot a new server.
    removeFile(home.paths.connected)
    return false
  }
}

/** The ids of the providers that opencode can use; undefined when their models alone are not enough. */
async function connectedTo(home: Home, routes: Routes): Promise<string[] | undefined> {
  const { providers } = await routes.providers(home.paths.base)
  if (hasCatalogue(home)) return providers.map(({ id }) => id)
  // opencode has only its built-in catalogue, and gives that out in another form only. Converted back, it is good enough for
  // models that are free to try, but not for those that a person pays for.
  const { provider: configured = {} } = await routes.configuration(home.paths.base)
  const isOwn = ({ id, models }: { id: string; models: Record<string, unknown> }) =>
    Object.keys(models).every((model) => Object.hasOwn(configured[id]?.models ?? {}, model))
  if (!providers.every((each) => each.id === freeProvider || isOwn(each))) return undefined
  const { all } = await routes.allProviders(home.paths.base)
  // Not indented: it is megabytes, and no person reads it.
  writeAtomic(home.paths.wholeCatalogue, JSON.stringify(asCatalogue(all.filter((each) => !isOwn(each)))))
  return providers.map(({ id }) => id)
}

/** opencode's own provider; without any key, opencode falls back to its free models. */
export const freeProvider = 'opencode'

/** Whether opencode has its catalogue on file. */
function hasCatalogue(home: Home): boolean {
  const file = catalogueFile(home)
  return file !== undefined && readCatalogue(file) !== undefined
}

function readConnected(home: Home, program: string): Connected | undefined {
  const read = readState(home.paths.connected, anObject(connectedFile), home.now())
  return read.kind === 'read' && read.value.setup === setupOf(home, program) ? read.value : undefined
}

/**
 * A hash of all that decides which providers opencode can use, except the variables. The plugin adds what is configured
 * elsewhere.
 */
function setupOf({ env, userHome }: Home, program: string): string {
  const state = configurationFiles(env, userHome).map((file) => {
    const stat = fs.statSync(file, { throwIfNoEntry: false })
    return stat && [stat.mtimeMs, stat.size]
  })
  const given = [program, loginsOf({ env, userHome }), state]
  return createHash('sha256').update(JSON.stringify(given)).digest('base64url').slice(0, 22)
}

/**
 * The variables that are set and may be a login: all that share their first word with a variable in the catalogue, because
 * some providers read more variables than they name there.
 */
function loginVariables(home: Home): string[] {
  const firstWord = (name: string) => name.split('_')[0] ?? ''
  const named = Object.values(findCatalogue(home)?.catalogue ?? {}).flatMap(variablesOf)
  const words = new Set(named.map(firstWord))
  return Object.keys(home.env)
    .filter((name) => home.env[name] && words.has(firstWord(name)))
    .toSorted()
}

function isSameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((each, index) => each === other[index])
}
