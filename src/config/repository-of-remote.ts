/** Which repository the remote of a clone is, in the words of refs: the reverse of cloneUrl(). */
import type { Repository } from '../core/issue-ref.ts'
import type { GitServer } from './git-servers.ts'
import { hostOfUrl, withoutCredentials } from './remote-url.ts'
import type { Repositories } from './repositories.ts'

/**
 * The repository at `url`, which can be a path: as repos.json names it, else by its git server, else by its host. Undefined
 * when unknown. The parts are not checked here, but by the code that completes a ref with them.
 */
export function repositoryOfRemote(
  url: string,
  { servers, repositories }: { servers: readonly Pick<GitServer, 'name' | 'url'>[]; repositories: Repositories },
): Repository | undefined {
  const remote = plain(url.startsWith('/') ? `file://${url}` : withoutCredentials(url))
  const named = [...repositories].filter(
    ([key, value]) => typeof value === 'string' && plain(value) === remote && !key.includes('#'),
  )
  if (named.length > 0) return named.length === 1 ? partsOf(named[0]?.[0] ?? '') : undefined

  const server = servers.find(({ url: base }) => remote.startsWith(beginning(base)))
  if (server !== undefined) return partsOf(`${server.name}/${remote.slice(beginning(server.url).length)}`)

  const there = hostOfUrl(remote)
  if (there === undefined) return undefined
  const isHttp = /^https?:/i.test(remote)
  // ssh may reach the same server at another port.
  const byName = servers.filter(({ url: base }) => !isHttp && hostOfUrl(base)?.hostname === there.hostname)
  const same =
    servers.find(({ url: base }) => hostOfUrl(base)?.host === there.host) ??
    (byName.length === 1 ? byName[0] : undefined)
  const path = remote.replace(remote.includes('://') ? /^[^:]+:\/\/[^/]*\// : /^[^:]*:\/?/, '')
  return partsOf(`${same?.name ?? there.host}/${path}`)
}

/** The URL in a comparable form: without what git does not need at the end. */
function plain(url: string): string {
  return url
    .trim()
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
}

/** The beginning of the URLs of a server's repositories. */
function beginning(base: string): string {
  return /[:/]$/.test(base) ? base : `${base}/`
}

function partsOf(text: string): Repository | undefined {
  const [host = '', ...parts] = text.split('/')
  const repo = parts.pop() ?? ''
  return parts.length === 0 || [host, repo, ...parts].includes('') ? undefined : { host, owner: parts.join('/'), repo }
}
