/** The kinds of forges there are, and where the API of each server is; Forgejo speaks Gitea's. */
import { findServer, listServers, type ForgeType, type GitServer, type ServerHome } from '../config/git-servers.ts'
import { hostOfUrl } from '../config/remote-url.ts'
import type { IssueRef } from '../core/issue-ref.ts'
import type { Forge } from './forge.ts'
import { gitea } from './gitea.ts'
import { github } from './github.ts'
import { gitlab } from './gitlab.ts'

const forges: Record<ForgeType, Forge | undefined> = { gitea, github, gitlab, unknown: undefined }

/** How to talk to a kind of forge; undefined for an unknown one. */
export function forgeOfKind(kind: ForgeType): Forge | undefined {
  return forges[kind]
}

/** Where the API of a forge is by its host name, without a trailing slash; undefined for an unknown one. */
export function apiBaseOf(kind: ForgeType, host: string): string | undefined {
  return forges[kind]?.apiOf(new URL(`https://${host}`))
}

/** Which forge an issue is on, and its API where the list of servers tells it. */
export function forgeOf(home: ServerHome, ref: IssueRef): { forge: ForgeType; apiBase: string | undefined } {
  const server = findServer(ref.host, listServers(home))
  return { forge: server?.type ?? 'unknown', apiBase: server === undefined ? undefined : apiOfServer(server) }
}

/**
 * Where a server's API is, without a trailing slash: as stored for it, else where its kind has it on the host of its
 * URL. A port counts for http and https only: that of ssh or git is not the one of the web pages.
 */
export function apiOfServer({ type, url, api }: GitServer): string | undefined {
  const forge = forges[type]
  if (forge === undefined) return undefined
  if (api !== undefined) {
    if (!isWeb(api)) return undefined
    return new URL(api).pathname === '/' ? forge.apiOf(new URL(api)) : api.replace(/\/+$/, '')
  }
  if (isWeb(url)) return forge.apiOf(new URL(url))
  const name = hostOfUrl(url)?.hostname
  return name === undefined ? undefined : forge.apiOf(new URL(`https://${name}`))
}

/** People write servers.json by hand, too. */
function isWeb(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text)
}
