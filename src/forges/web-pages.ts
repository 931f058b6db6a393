/** The pages of an issue and its repository on the forge of their server. */
import { findServer, guessForge, listServers, type GitServer, type ServerHome } from '../config/git-servers.ts'
import { hostOfUrl, webUrlOf } from '../config/remote-url.ts'
import type { IssueRef } from '../core/issue-ref.ts'
import { forgeOfKind } from './forge-kinds.ts'

export interface WebPages {
  /** The page of the issue; undefined for an id other than a number. */
  issue: string | undefined
  /** The page that opens a pull request of a branch, into `base` or the default branch. */
  newPullRequest: (branch: string, base: string | undefined) => string
}

/** The pages of an issue; undefined when it is not known which forge its server is. */
export function webPagesOf(home: ServerHome, ref: IssueRef): WebPages | undefined {
  const url = `https://${ref.host}`
  const server: Pick<GitServer, 'url' | 'type' | 'api'> = findServer(ref.host, listServers(home)) ?? {
    url,
    type: guessForge({ name: ref.host, url: '' }),
  }
  const forge = forgeOfKind(server.type)
  const web = webOf(server)
  if (forge === undefined || web === undefined) return undefined
  const repository = `${web}/${[...ref.owner.split('/'), ref.repo].map(encodeURIComponent).join('/')}`
  return {
    issue: /^\d+$/.test(ref.id) ? repository + forge.issuePage(ref.id) : undefined,
    newPullRequest: (branch, base) => repository + forge.newPage(branch, base),
  }
}

/**
 * Where the web pages of a server are: at its URL if this is a web address, else at the host of its API, else at the host
 * of its URL.
 */
function webOf({ url, type, api }: Pick<GitServer, 'url' | 'type' | 'api'>): string | undefined {
  if (/^https?:/i.test(url)) return webUrlOf(url)
  if (api !== undefined && URL.canParse(api)) {
    const web = webUrlOf(api)?.replace(/\/api(\/v\d+)?$/, '')
    return type === 'github' ? web?.replace('://api.', '://') : web
  }
  // This host of GitHub is for networks that let only https through, and has no pages.
  return hostOfUrl(url)?.hostname === 'ssh.github.com' ? 'https://github.com' : webUrlOf(url)
}
