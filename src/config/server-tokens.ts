/**
 * Which variables of the env files hold the token of a git server. Names only: whoever needs a value reads it from the
 * agent's variables. The one rule for git's logins and for calls of the forges' APIs.
 */
import type { ForgeType, GitServer } from './git-servers.ts'
import { hostOfUrl } from './remote-url.ts'

type Server = Pick<GitServer, 'name' | 'url' | 'type' | 'default'>

/** The variables that people have for a forge already, the usual one first. */
const forgeWide: Readonly<Record<ForgeType, readonly string[]>> = {
  github: ['GITHUB_TOKEN', 'GH_TOKEN'],
  gitea: ['GITEA_TOKEN', 'FORGEJO_TOKEN'],
  gitlab: ['GITLAB_TOKEN'],
  unknown: [],
}

/** Where a token without further words is for, should there be several servers of that forge. */
const publicHosts: Partial<Record<ForgeType, string>> = { github: 'github.com', gitlab: 'gitlab.com' }

/**
 * The variables that can hold the token of a server, the first that is set counts: `<NAME>_TOKEN` by the server's name
 * (`git.example.com` is `GIT_EXAMPLE_COM_TOKEN`), then those of its forge. `servers` are all known ones: no name stands
 * for two hosts, so that the token of one is never sent to another.
 */
export function tokenVariables(server: Server, servers: readonly Server[]): string[] {
  const own = ownVariable(server.name)
  const isOwn = own !== undefined && sameHost(server, ownerOf(own, [...servers, server]))
  const isForges = sameHost(server, ownerOfForge(server.type, servers))
  return [...(isOwn ? [own] : []), ...(isForges ? forgeWide[server.type] : [])]
}

/** The user name that a forge wants beside a token. */
export function loginName(type: ForgeType): string {
  return type === 'github' ? 'x-access-token' : 'oauth2' // Gitea takes any
}

/** Undefined for a server that is called like a forge: GITHUB_TOKEN is what everybody takes it for. */
function ownVariable(name: string): string | undefined {
  const variable = `${name.toUpperCase().replace(/[^A-Z0-9]/g, '_')}_TOKEN`.replace(/^(?=\d)/, '_')
  return Object.values(forgeWide).some((names) => names.includes(variable)) ? undefined : variable
}

function ownerOf(variable: string, servers: readonly Server[]): Server | undefined {
  return servers.find(({ name }) => ownVariable(name) === variable)
}

/** Among several hosts of a forge the default one, else the public one; otherwise it cannot be told whose it is. */
function ownerOfForge(type: ForgeType, servers: readonly Server[]): Server | undefined {
  const candidates = servers.filter((server) => server.type === type)
  const chosen =
    candidates.find((server) => server.default) ?? candidates.find(({ url }) => hostName(url) === publicHosts[type])
  if (chosen !== undefined) return chosen
  return candidates.every((server) => sameHost(server, candidates[0])) ? candidates[0] : undefined
}

function sameHost(one: Server, other: Server | undefined): boolean {
  return other !== undefined && (one.url === other.url || hostName(one.url) === hostName(other.url))
}

function hostName(url: string): string {
  const found = hostOfUrl(url)
  // The port of an ssh address says nothing about who it is; that of a web address does.
  return (/^https?:/i.test(url) ? found?.host : found?.hostname) ?? ''
}
