import type { IssueRef } from '../core/issue-ref.ts'
import { findServer, listServers, type ForgeType, type ServerHome } from './git-servers.ts'
import type { Paths } from './paths.ts'
import { hostOfUrl } from './remote-url.ts'
import { cloneUrl, readRepositories } from './repositories.ts'

type UrlHome = ServerHome & { paths: Pick<Paths, 'repositories'> }

/** The URL to clone an issue's repository from, by repos.json and the git servers of this home. Throws KugetsuError. */
export function cloneUrlOf(home: UrlHome, ref: IssueRef): string {
  return cloneUrl(ref, {
    servers: listServers(home),
    repositories: readRepositories(home.paths.repositories, home.now()),
  })
}

/** Which forge an issue is on, and its API where the server's URL tells it. */
export function forgeOf(home: UrlHome, ref: IssueRef): { forge: ForgeType; host: string } {
  const server = findServer(ref.host, listServers(home))
  return { forge: server?.type ?? 'unknown', host: hostOfUrl(server?.url ?? '')?.host ?? ref.host }
}
