/**
 * Which variables of the env files hold the token of a git server. Names only: callers read the values from the agent's
 * variables. The one rule for git's logins and for calls of the forges' APIs.
 */
import { forgeFacts, forgeKinds, type ForgeType } from './forge-types.ts'
import type { GitServer } from './git-servers.ts'
import { hostOfUrl } from './remote-url.ts'

type Server = Pick<GitServer, 'name' | 'url' | 'type' | 'default' | 'found'>

/**
 * The variables that can hold the token of a server; the first one set counts: `<NAME>_TOKEN` by the server's name
 * (`git.example.com` is `GIT_EXAMPLE_COM_TOKEN`), then those of its forge. `servers` are all known servers: no variable
 * stands for two hosts, so the token of one is never sent to another.
 */
export function tokenVariables(server: Server, servers: readonly Server[]): string[] {
  const own = ownVariable(server.name)
  const isOwn = own !== undefined && sameHost(server, ownerOf(own, [...servers, server]))
  const isForges = sameHost(server, ownerOfForge(server.type, servers))
  return [...(isOwn ? [own] : []), ...(isForges ? (factsOf(server.type)?.tokens ?? []) : [])]
}

/** The user name that a forge expects with a token. */
export function loginName(type: ForgeType): string {
  return factsOf(type)?.login ?? 'oauth2'
}

function factsOf(type: ForgeType) {
  return type === 'unknown' ? undefined : forgeFacts[type]
}

/** Undefined for a server named like a forge: GITHUB_TOKEN keeps its usual meaning. */
function ownVariable(name: string): string | undefined {
  const variable = `${name.toUpperCase().replace(/[^A-Z0-9]/g, '_')}_TOKEN`.replace(/^(?=\d)/, '_')
  return forgeKinds.some((kind) => forgeFacts[kind].tokens.includes(variable)) ? undefined : variable
}

function ownerOf(variable: string, servers: readonly Server[]): Server | undefined {
  return servers.find(({ name }) => ownVariable(name) === variable)
}

/**
 * Of several hosts of a forge, the default one, else the public one; otherwise the token's host is unknown. One that no
 * person added does not count: a URL in a command decides nothing about tokens.
 */
function ownerOfForge(type: ForgeType, servers: readonly Server[]): Server | undefined {
  const candidates = servers.filter((server) => server.type === type && server.found !== true)
  const chosen =
    candidates.find((server) => server.default) ??
    candidates.find(({ url }) => hostName(url) === factsOf(type)?.publicHost)
  if (chosen !== undefined) return chosen
  return candidates.every((server) => sameHost(server, candidates[0])) ? candidates[0] : undefined
}

function sameHost(one: Server, other: Server | undefined): boolean {
  return other !== undefined && (one.url === other.url || hostName(one.url) === hostName(other.url))
}

function hostName(url: string): string {
  const found = hostOfUrl(url)
  // The port of an ssh address does not identify the server; that of a web address does.
  return (/^https?:/i.test(url) ? found?.host : found?.hostname) ?? ''
}
