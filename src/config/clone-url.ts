import type { IssueRef } from '../core/issue-ref.ts'
import { listServers, type ServerHome } from './git-servers.ts'
import type { Paths } from './paths.ts'
import { cloneUrl, readRepositories } from './repositories.ts'

type UrlHome = ServerHome & { paths: Pick<Paths, 'repositories'> }

/** The URL to clone an issue's repository from, by repos.json and the git servers of this home. Throws KugetsuError. */
export function cloneUrlOf(home: UrlHome, ref: IssueRef): string {
  return cloneUrl(ref, {
    servers: listServers(home),
    repositories: readRepositories(home.paths.repositories, home.now()),
  })
}
