import type { IssueRef } from '../core/issue-ref.ts'
import { findServer, guessForge, listServers, type ForgeType, type ServerHome } from './git-servers.ts'
import type { Paths } from './paths.ts'
import { webUrlOf } from './remote-url.ts'
import { cloneUrl, readRepositories } from './repositories.ts'

type UrlHome = ServerHome & { paths: Pick<Paths, 'repositories'> }

/** The URL to clone an issue's repository from, by repos.json and the git servers of this home. Throws KugetsuError. */
export function cloneUrlOf(home: UrlHome, ref: IssueRef): string {
  return cloneUrl(ref, {
    servers: listServers(home),
    repositories: readRepositories(home.paths.repositories, home.now()),
  })
}

/** Which forge an issue is on, guessed where nobody configured it, and the address of its pages. */
export function forgeOf(home: UrlHome, ref: IssueRef): { forge: ForgeType; webUrl: string } {
  const server = findServer(ref.host, listServers(home))
  const forge = server?.type ?? guessForge({ name: ref.host, url: '' })
  return { forge, webUrl: webUrlOf(server?.url ?? '') ?? `https://${ref.host}` }
}
