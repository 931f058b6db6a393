/**
 * The git servers: those of servers.json, then GIT_SERVERS of the config file (the bash tool's, only read), then github.com,
 * then those that became known by a URL. The first server of a name counts.
 */
import { startOf } from '../core/columns.ts'
import { KugetsuError } from '../core/errors.ts'
import {
  aBoolean,
  aList,
  anObject,
  aText,
  type Described,
  isObject,
  optional,
  required,
  withDefault,
  wrongField,
} from '../core/fields.ts'
import { isInstance } from '../core/issue-ref.ts'
import { writeJson } from '../platform/files.ts'
import { exclusively } from '../platform/locks.ts'
import { readConfig } from './config-file.ts'
import { readJsonFile } from './json-file.ts'
import { forgeFacts, forgeKinds, type ForgeType, forgeTypes, guessedFrom } from './forge-types.ts'
import type { Paths } from './paths.ts'
import { checkRemoteUrl, hostOfUrl } from './remote-url.ts'
import type { Settings } from './settings.ts'

export interface GitServer {
  name: string
  url: string
  /** The forge it speaks: as given, else guessed from its host and name. */
  type: ForgeType
  /** Where its API is, when its URL does not tell. */
  api?: string | undefined
  /** It is the server of `owner/repo#n`. */
  default: boolean
  source: 'servers.json' | 'config' | 'built-in'
  /** It became known by a URL that a command was given: no token of a forge counts for it, only one of its own name. */
  found?: boolean | undefined
}

/** The surroundings that these functions need; a command's context has them. */
export interface ServerHome {
  paths: Pick<Paths, 'servers' | 'config' | 'lock'>
  settings: () => Pick<Settings, 'defaultGitServer'>
  env: NodeJS.ProcessEnv
  now: () => Date
  signal?: AbortSignal | undefined
}

const storedServer = {
  name: required(aText),
  url: required(aText),
  type: optional(aText),
  api: optional(aText),
  found: optional(aBoolean),
}
type StoredServer = Described<typeof storedServer>
const aServer = anObject(storedServer)

const serversFile = { default: optional(aText), servers: withDefault(aList(aServer), () => []) }
type ServersFile = Described<typeof serversFile>

/** Reads the value in servers.json. */
export const aServersFile = anObject(serversFile)

const lockTimeoutMs = 10_000

/**
 * All known servers with the fields stored for them. Throws KugetsuError `unreadable` when servers.json cannot be
 * understood; the file has then been set aside, so that the next call works without it.
 */
export function listServers(home: ServerHome): GitServer[] {
  return serversOf(home, readServers(home))
}

/** The instance of `owner/repo#n`: the default of servers.json, else DEFAULT_GIT_SERVER. Throws as listServers does. */
export function defaultInstance(home: ServerHome): string {
  return readServers(home).default ?? home.settings().defaultGitServer
}

/** The server of that name. Throws KugetsuError `unknown_server`. */
export function getServer(home: ServerHome, name: string): GitServer {
  return serverNamed(listServers(home), name)
}

/**
 * The server that the instance of a ref means: the server of that name, else the server at that host, with its port or
 * without. Undefined when no server fits.
 */
export function findServer(instance: string, servers: readonly GitServer[]): GitServer | undefined {
  return (
    servers.find((server) => sameName(server.name, instance)) ??
    servers.find((server) => hostOfUrl(server.url)?.host === instance.toLowerCase()) ??
    servers.find((server) => hostOfUrl(server.url)?.hostname === instance.toLowerCase())
  )
}

/**
 * Stores a server. Storing the same name with the same URL again only sets its type and its API, if they are given. Throws
 * KugetsuError `bad_server`, `bad_url` or `server_exists`.
 */
export async function addServer(
  home: ServerHome,
  given: { name: string; url: string; type?: string | undefined; api?: string | undefined },
): Promise<GitServer> {
  const { name } = given
  if (!/^[A-Za-z0-9._-]+$/.test(name) || !isInstance(name)) {
    throw new KugetsuError(`${JSON.stringify(startOf(name, 60))} cannot be the name of a git server`, {
      code: 'bad_server',
      hint: 'Use letters, digits, dots, hyphens and underscores, beginning with a letter or digit: forge.test',
    })
  }
  const url = checkRemoteUrl(given.url, `the URL of ${name}`).replace(/(?<=[^/])\/+$/, '')
  const about = {
    ...(given.type === undefined ? {} : { type: forgeTypeOf(given.type) }),
    ...(given.api === undefined ? {} : { api: checkApi(given.api, name) }),
  }
  return change(home, (file) => {
    const known = file.servers.find((server) => sameName(server.name, name))
    if (known !== undefined && known.url !== url && known.found !== true) {
      throw new KugetsuError(`there is a git server ${known.name} already, with another URL`, {
        code: 'server_exists',
        hint: `To replace it, first run: kugetsu server remove ${known.name}`,
      })
    }
    if (known === undefined) file.servers.push({ name, url, ...about })
    else Object.assign(known, about, { url, found: undefined })
    return serverNamed(serversOf(home, file), name)
  })
}

/** Stores a server that a command was given a URL of, unless one of that name is known by now. */
export async function rememberServer(
  home: ServerHome,
  server: { name: string; url: string; type?: ForgeType | undefined },
): Promise<void> {
  await change(home, (file) => {
    if (serversOf(home, file).some(({ name }) => sameName(name, server.name))) return
    const { name, url, type } = server
    file.servers.push({ name, url: checkRemoteUrl(url, `the URL of ${name}`), ...(type && { type }), found: true })
  })
}

/**
 * Removes a server from servers.json; it is no longer the default then. Throws KugetsuError `unknown_server`, or
 * `not_removable` for a server from elsewhere.
 */
export async function removeServer(home: ServerHome, name: string): Promise<GitServer> {
  return change(home, (file) => {
    const server = serverNamed(serversOf(home, file), name)
    if (server.source !== 'servers.json') {
      throw new KugetsuError(`the git server ${server.name} cannot be removed here`, {
        code: 'not_removable',
        hint: server.source === 'config' ? `It is set in GIT_SERVERS in ${home.paths.config}.` : 'It is built in.',
      })
    }
    file.servers = file.servers.filter((one) => !sameName(one.name, name))
    if (file.default !== undefined && sameName(file.default, name)) delete file.default
    return server
  })
}

/** Makes a known server the default and returns it. Throws KugetsuError `unknown_server`. */
export async function setDefaultServer(home: ServerHome, name: string): Promise<GitServer> {
  return change(home, (file) => {
    file.default = serverNamed(serversOf(home, file), name).name
    return serverNamed(serversOf(home, file), name)
  })
}

function readServers(home: ServerHome): ServersFile {
  return readJsonFile(home.paths.servers, aServersFile, home.now(), wrongPlace) ?? { servers: [] }
}

/** The wrong field of servers.json, such as `servers[1].url`. */
function wrongPlace(value: unknown): string | undefined {
  if (!isObject(value)) return undefined
  const { servers } = value
  const place = wrongField(serversFile, value)
  if (place !== 'servers' || !Array.isArray(servers)) return place
  const at = servers.findIndex((each) => aServer(each) === undefined)
  const server: unknown = servers[at]
  return `servers[${at}]${isObject(server) ? `.${wrongField(storedServer, server)}` : ''}`
}

async function change<T>(home: ServerHome, edit: (file: ServersFile) => T): Promise<T> {
  return exclusively(home.paths.lock('servers'), { timeoutMs: lockTimeoutMs, signal: home.signal }, () => {
    const file = readServers(home)
    const before = JSON.stringify(file)
    const result = edit(file)
    if (JSON.stringify(file) !== before) writeJson(home.paths.servers, file)
    return result
  })
}

function serversOf(home: ServerHome, file: ServersFile): GitServer[] {
  const defaultName = file.default ?? home.settings().defaultGitServer
  const fromConfig = [...readConfig(home.paths.config, home.env).servers].map(([name, url]) => ({ name, url }))
  const stored = file.servers.map((each) => completed(each, 'servers.json'))
  const all = [
    ...stored.filter(({ found }) => found !== true),
    ...fromConfig.map((each) => completed(each, 'config')),
    completed({ name: 'github.com', url: 'https://github.com' }, 'built-in'),
    ...stored.filter(({ found }) => found === true),
  ]
  const first = all.filter((server, index) => all.findIndex((one) => sameName(one.name, server.name)) === index)
  const chosen = findServer(defaultName, first)
  return first.map((server) => ({ ...server, default: server === chosen }))
}

function completed(stored: StoredServer, source: GitServer['source']): GitServer {
  const type = forgeTypes.find((known) => known === stored.type) ?? guessForge(stored)
  return { ...stored, type, default: false, source }
}

/** The forge that a server speaks, by its host, else its name. */
export function guessForge({ name, url }: { name: string; url: string }): ForgeType {
  return guessedFrom(hostOfUrl(url)?.hostname ?? '', name.toLowerCase())
}

function forgeTypeOf(text: string): ForgeType {
  const wanted = text.toLowerCase()
  const type =
    forgeTypes.find((known) => known === wanted) ?? forgeKinds.find((kind) => forgeFacts[kind].alias === wanted)
  if (type !== undefined) return type
  const names = forgeKinds.map((kind) => [kind, forgeFacts[kind].alias].filter(Boolean).join(' or '))
  throw new KugetsuError(`${JSON.stringify(startOf(text, 60))} is not a type of git server`, {
    code: 'bad_server',
    hint: `The types are ${names.join(', ')} and unknown.`,
  })
}

function checkApi(text: string, name: string): string {
  const api = checkRemoteUrl(text, `the API of ${name}`).replace(/\/+$/, '')
  if (/^https?:/i.test(api)) return api
  throw new KugetsuError(`the API of ${name} is not an http or https URL`, {
    code: 'bad_url',
    hint: 'It looks like https://git.example.com/api/v1.',
  })
}

function serverNamed(servers: readonly GitServer[], name: string): GitServer {
  const found = servers.find((server) => sameName(server.name, name))
  if (found !== undefined) return found
  throw new KugetsuError(`there is no git server ${JSON.stringify(startOf(name, 60))}`, {
    code: 'unknown_server',
    hint: `The known ones are ${servers.map((server) => server.name).join(', ')}; kugetsu server add <name> <url> adds one.`,
  })
}

function sameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}
