/** The kinds of forges, and where the API of each server is. Forgejo has the same API as Gitea. */
import { findServer, guessForge, listServers, type GitServer, type ServerHome } from '../config/git-servers.ts'
import type { ForgeKind, ForgeType } from '../config/forge-types.ts'
import { webUrlOf } from '../config/remote-url.ts'
import { tokenVariables } from '../config/server-tokens.ts'
import type { IssueRef } from '../core/issue-ref.ts'
import type { Forge } from './forge.ts'
import { gitea } from './gitea.ts'
import { github } from './github.ts'
import { gitlab } from './gitlab.ts'

const forges: Record<ForgeKind, Forge> = { gitea, github, gitlab }

/** How to talk to a kind of forge; undefined for an unknown one. */
export function forgeOfKind(kind: ForgeType): Forge | undefined {
  return kind === 'unknown' ? undefined : forges[kind]
}

/**
 * Where the API of a kind of forge is, without a trailing slash, given the address of its pages (`https://git.example.com`,
 * with a path if the forge has one); undefined for an unknown kind.
 */
export function apiUrlOf(kind: ForgeType, webUrl: string): string | undefined {
  return URL.canParse(webUrl) ? forgeOfKind(kind)?.apiOf(new URL(webUrl)) : undefined
}

/** The facts about the server of an issue. */
export interface IssueForge {
  forge: ForgeType
  /** Where its API is, without a trailing slash. */
  apiUrl: string | undefined
  /** The variables of the env files that may hold its token. The first one set counts. */
  tokens: string[]
}

/** The forge of an issue on an unconfigured server, guessed from the host. */
export function forgeOf(home: ServerHome, ref: IssueRef): IssueForge {
  const servers = listServers(home)
  const server = findServer(ref.host, servers)
  if (server !== undefined) {
    return { forge: server.type, apiUrl: apiOfServer(server), tokens: tokenVariables(server, servers) }
  }
  const forge = guessForge({ name: ref.host, url: '' })
  const url = `https://${ref.host}`
  const guessed = { name: ref.host, url, type: forge, default: false }
  return { forge, apiUrl: apiUrlOf(forge, url), tokens: tokenVariables(guessed, servers) }
}

/**
 * Where a server's API is, without a trailing slash: the stored address, else the usual place for its kind, on the host of
 * its URL. A port counts for http and https only: the port of ssh or git is not that of the web pages.
 */
export function apiOfServer({ type, url, api }: GitServer): string | undefined {
  const web = api ?? webUrlOf(url)
  if (web === undefined || !isWeb(web)) return undefined
  const isComplete = api !== undefined && new URL(api).pathname !== '/'
  if (isComplete && forgeOfKind(type) !== undefined) return api.replace(/\/+$/, '')
  return apiUrlOf(type, web)
}

/** People also write servers.json by hand. */
function isWeb(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text)
}
