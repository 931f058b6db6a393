/** Where a repository is cloned from: repos.json (people write it too), else the git server. */
import { KugetsuError } from '../core/errors.ts'
import { isObject, type Read } from '../core/fields.ts'
import { formatRef, type IssueRef } from '../core/issue-ref.ts'
import { writeJson } from '../platform/files.ts'
import { exclusively } from '../platform/locks.ts'
import { findServer, type GitServer, listServers, type ServerHome } from './git-servers.ts'
import { readJsonFile } from './json-file.ts'
import type { Paths } from './paths.ts'
import { checkRemoteUrl } from './remote-url.ts'

const lockTimeoutMs = 10_000

/** repos.json: issue ref or `host/owner/repo` to clone URL. The URLs are not checked yet. */
export type Repositories = ReadonlyMap<string, unknown>

/** Reads the value in repos.json. */
export const aRepositoriesFile: Read<Record<string, unknown>> = (value) => (isObject(value) ? value : undefined)

/**
 * Reads repos.json; empty when there is none. Throws KugetsuError `unreadable` when it cannot be understood; the file
 * has then been set aside, so that the next call works without it.
 */
export function readRepositories(file: string, now: Date): Repositories {
  const entries = Object.entries(readJsonFile(file, aRepositoriesFile, now) ?? {})
  return new Map(entries.map(([key, url]) => [withLowerCaseHost(key), url]))
}

type UrlHome = ServerHome & { paths: Pick<Paths, 'repositories'> }

/** The URL to clone an issue's repository from, by repos.json and the git servers of this home. Throws KugetsuError. */
export function cloneUrlOf(home: UrlHome, ref: IssueRef): string {
  return cloneUrl(ref, {
    servers: listServers(home),
    repositories: readRepositories(home.paths.repositories, home.now()),
  })
}

/**
 * The URL to clone an issue's repository from: its entry in repos.json (the ref's, else the repository's), else
 * `<server url>/<owner>/<repo>.git`. An unconfigured server has the URL `https://<instance>`. Throws KugetsuError
 * `bad_url` when git may not be given the configured URL.
 */
export function cloneUrl(
  ref: IssueRef,
  { servers, repositories }: { servers: readonly GitServer[]; repositories: Repositories },
): string {
  const issue = formatRef(ref)
  const repository = issue.slice(0, issue.indexOf('#'))
  for (const key of [issue, repository]) {
    const url = repositories.get(key)
    if (url === undefined) continue
    if (typeof url === 'string') return checkRemoteUrl(url, `the URL of ${key} in repos.json`)
    throw new KugetsuError(`the URL of ${key} in repos.json is not a string`, {
      code: 'bad_url',
      hint: `Write it as "${key}": "https://forge.test/owner/repo.git"`,
    })
  }
  const server = findServer(ref.host, servers)
  const base =
    server === undefined
      ? `https://${ref.host}`
      : checkRemoteUrl(server.url, `the URL of the git server ${server.name}`)
  return `${base}${/[:/]$/.test(base) ? '' : '/'}${ref.owner}/${ref.repo}.git`
}

/**
 * Stores in repos.json that a repository is cloned from `url`. Throws KugetsuError `bad_url` when the file names another URL
 * for it, and `unreadable` as readRepositories() does.
 */
export async function rememberRepository(
  home: { paths: Pick<Paths, 'repositories' | 'lock'>; now: () => Date; signal?: AbortSignal | undefined },
  key: string,
  url: string,
): Promise<void> {
  const { paths } = home
  await exclusively(paths.lock('repositories'), { timeoutMs: lockTimeoutMs, signal: home.signal }, () => {
    const entries = readJsonFile(paths.repositories, aRepositoriesFile, home.now()) ?? {}
    const [known] = Object.entries(entries).filter(([name]) => withLowerCaseHost(name) === key)
    if (known === undefined) return writeJson(paths.repositories, { ...entries, [key]: checkRemoteUrl(url, key) })
    if (known[1] === url) return
    throw new KugetsuError(`${paths.repositories} has another URL for ${key}`, {
      hint: `Correct it there, or use that one: kugetsu start '${key}#…'`,
      code: 'bad_url',
    })
  })
}

function withLowerCaseHost(key: string): string {
  const slash = key.indexOf('/')
  return slash === -1 ? key : key.slice(0, slash).toLowerCase() + key.slice(slash)
}
