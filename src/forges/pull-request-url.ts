/** The URLs of pull requests' pages. */
import { forgeKinds, type ForgeType } from '../config/forge-types.ts'
import type { GitServer } from '../config/git-servers.ts'
import { hostOfUrl, withoutCredentials } from '../config/remote-url.ts'
import { KugetsuError } from '../core/errors.ts'
import type { Repository } from '../core/issue-ref.ts'
import { plainLine } from '../core/plain-text.ts'
import { apiOfServer, forgeOfKind } from './forge-kinds.ts'

export interface PullRequestPage {
  number: number
  /** The page itself, without anything that followed in the address. */
  url: string
  /** Its host is not known to be this server's. */
  elsewhere: boolean
}

/**
 * Reads the address of a pull request of that repository. `server` is the repository's server, if configured. Throws
 * KugetsuError `bad_pr_url` when it is not the address of a pull request, or is that of another repository's.
 */
export function readPullRequestUrl(
  text: string,
  repository: Repository,
  server: GitServer | undefined,
): PullRequestPage {
  const url = webUrl(text)
  const name = `${repository.owner}/${repository.repo}`
  const prefix = webUrl(server?.url ?? '')?.pathname.replace(/\/$/, '') ?? ''
  for (const start of new Set([`${prefix}/${name}`, `/${name}`])) {
    if (url === undefined || !url.pathname.toLowerCase().startsWith(`${start.toLowerCase()}/`)) continue
    const rest = url.pathname.slice(start.length)
    const page = kindsOf(server).flatMap((kind) => forgeOfKind(kind)?.page.exec(rest) ?? [])[0]
    const number = Number(/\d+/.exec(page ?? '')?.[0])
    if (page === undefined || !(number > 0 && Number.isSafeInteger(number))) continue
    const path = url.pathname.slice(0, start.length + page.replace(/\/$/, '').length)
    return { number, url: `${url.origin}${path}`, elsewhere: !hostsOf(repository, server).includes(url.host) }
  }
  throw new KugetsuError(
    `${JSON.stringify(plainLine(withoutCredentials(text), 100))} is not the URL of a pull request of ${name}`,
    {
      code: 'bad_pr_url',
      hint: `It looks like ${examples(repository, server)}.`,
    },
  )
}

/** Whether the text can be the URL of a page at all, and is safe to keep and to print. */
export function isWebUrl(text: string): boolean {
  return webUrl(text) !== undefined
}

function webUrl(text: string): URL | undefined {
  if (text.length > 1000 || !/^https?:\/\/[\x21-\x7e]+$/i.test(text) || /["'<>\\`]/.test(text)) return undefined
  try {
    const url = new URL(text)
    return url.username === '' && url.password === '' ? url : undefined
  } catch {
    return undefined
  }
}

/** The kinds of forges that may have the URL: the server's kind, or every kind until it is known. */
function kindsOf(server: GitServer | undefined): readonly ForgeType[] {
  const known = server?.type ?? 'unknown'
  return known === 'unknown' ? forgeKinds : [known]
}

/** The hosts that may serve the pages of a server: its name, its URL's host, its API's host. */
function hostsOf(repository: Repository, server: GitServer | undefined): string[] {
  const url = hostOfUrl(server?.url ?? '')
  const api = server === undefined ? undefined : hostOfUrl(apiOfServer(server) ?? '')
  const apiHost = api?.host.replace(/^api\./, '')
  return [repository.host, server?.name.toLowerCase(), url?.host, url?.hostname, apiHost].filter(
    (host) => host !== undefined,
  )
}

function examples({ host, owner, repo }: Repository, server: GitServer | undefined): string {
  const page = forgeOfKind(server?.type ?? 'unknown')?.examplePage ?? 'pull/15'
  return `https://${host}/${owner}/${repo}/${page}`
}
