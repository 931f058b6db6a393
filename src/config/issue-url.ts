/** Issues named by a URL: `<clone URL>#<id>`, or the page of an issue on a server known by another name. */
import { KugetsuError } from '../core/errors.ts'
import { formatRef, isPageUrl, parseRef, type IssueRef } from '../core/issue-ref.ts'
import { findServer, type GitServer } from './git-servers.ts'
import { checkRemoteUrl, hostOfUrl, withoutCredentials } from './remote-url.ts'
import type { Repositories } from './repositories.ts'
import { repositoryOfRemote } from './repository-of-remote.ts'

interface Known {
  servers: readonly GitServer[]
  repositories: Repositories
}

/** An issue, and the URL to clone its repository from when that was given. */
export interface IssueAt {
  ref: IssueRef
  url?: string
}

/** The instance of repositories on this machine that belong to no server. */
const localInstance = 'local'

/**
 * The issue that `<clone URL>#<id>` means: https, http, ssh, git and file URLs, and `git@host:owner/repo.git#14`. Undefined
 * for a text of another form, as the URL of an issue's page. Throws KugetsuError `bad_url` or `bad_ref`.
 */
export function issueOfCloneUrl(text: string, known: Known): IssueAt | undefined {
  const [, given, id = ''] = /^([a-z][a-z0-9+.-]*:\/\/[^#]*|[^\s/@#:]+@[^\s/@#:]+:[^#]*)#(.*)$/i.exec(text) ?? []
  if (given === undefined || isPageUrl(text)) return undefined
  const url = checkRemoteUrl(given.replace(/(?<=[^/:])\/+$/, ''), 'the URL to clone from')
  const { host, owner, repo } = repositoryAt(url, known)
  return { ref: parseRef(`${host}/${owner}/${repo}#${id}`, { defaultHost: '' }), url }
}

/**
 * The issue of a page, named by the server that has this host, so that a URL and `#14` in a clone mean one issue. Issues that
 * are tracked by the host of their URL stay what they are. `url` is where its repository is cloned from if no server is known.
 */
export function issueOfPage(text: string, ref: IssueRef, known: Known & { tracked: readonly string[] }): IssueAt {
  const server = findServer(ref.host, known.servers)
  const scheme = /^http:/i.test(text) ? 'http' : 'https'
  if (server === undefined) return { ref, url: `${scheme}://${ref.host}/${ref.owner}/${ref.repo}.git` }
  const named = { ...ref, host: server.name.toLowerCase() }
  return { ref: known.tracked.includes(formatRef(ref)) ? ref : named }
}

function repositoryAt(url: string, known: Known): { host: string; owner: string; repo: string } {
  const found = repositoryOfRemote(url, known)
  if (found === undefined) {
    const [, owner, repo] = /^file:\/\/.*\/([^/]+)\/([^/]+)$/.exec(url) ?? []
    if (owner !== undefined && repo !== undefined) return { host: localInstance, owner, repo }
    throw new KugetsuError(`${JSON.stringify(withoutCredentials(url))} does not name an owner and a repository`, {
      hint: 'It looks like https://forge.test/owner/repo.git#14 or git@forge.test:owner/repo.git#14.',
      code: 'bad_ref',
    })
  }
  const there = hostOfUrl(url)
  const server = findServer(found.host, known.servers)
  const base = server && hostOfUrl(server.url)
  const isWeb = (text: string) => /^https?:/i.test(text)
  // ssh at another port is another server, unless the known server is one that serves pages too.
  const isOther = base !== undefined && there !== undefined && base.host !== there.host && !isWeb(server?.url ?? '')
  return isOther && !isWeb(url) && server?.name === found.host ? { ...found, host: there.host } : found
}

/** What the URLs of a server's repositories begin with, given one of them; undefined for a URL without a host. */
export function serverUrlOf(url: string): string | undefined {
  if (hostOfUrl(url) === undefined) return undefined
  return /^([a-z]+:\/\/[^/]+|[^/@]+@[^/:]+:)/i.exec(url)?.[1]
}

/** Whether two URLs clone the same repository of a server of that type: forges take a URL without `.git` too. */
export function isSameRemote(one: string, other: string, type: GitServer['type'] | undefined): boolean {
  const plain = (url: string) => (type === undefined || type === 'unknown' ? url : url.replace(/\.git$/, ''))
  return plain(one) === plain(other)
}
