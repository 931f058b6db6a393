/** Looks up pull requests and issues. Nothing here throws because a forge does not answer: the result is `unknown`, with the reason. */
import type { GitServer } from '../config/git-servers.ts'
import { tokenVariables } from '../config/server-tokens.ts'
import type { Repository } from '../core/issue-ref.ts'
import { createApi, isConfidential } from './api.ts'
import { Unclear, type Api, type Forge, type Issue, type PullRequest, type Standing } from './forge.ts'
import { apiOfServer, forgeOfKind } from './forge-kinds.ts'
import type { Variables } from './proxy.ts'
import { isWebUrl } from './pull-request-url.ts'

export type LookUp =
  | { kind: 'found'; pullRequest: PullRequest }
  /** The forge says that there is no pull request. */
  | { kind: 'none' }
  /** The forge did not say; the reason is the rest of a sentence. */
  | { kind: 'unknown'; reason: string }

/** A repository on its forge, ready to be asked. */
export interface ForgeRepository {
  forge: Forge
  api: Api
  repository: Repository
}

export interface OpenOptions {
  repository: Repository
  server: GitServer
  /** All known servers: they decide which server a token belongs to. */
  servers: readonly GitServer[]
  /** The variables that may hold tokens. */
  variables: Variables
  /** The environment, for the proxy it names. */
  env: Variables
  signal: AbortSignal
}

/** A repository on its forge; undefined when the kind of forge, or the place of its API, is unknown. */
export function openForge({
  repository,
  server,
  servers,
  variables,
  env,
  signal,
}: OpenOptions): ForgeRepository | undefined {
  const forge = forgeOfKind(server.type)
  const base = apiOfServer(server)
  if (forge === undefined || base === undefined) return undefined
  const token = isConfidential(new URL(base)) ? tokenFor(server, servers, variables) : undefined
  return { forge, repository, api: createApi({ base, headers: forge.headers(token), env, signal }) }
}

/** The pull request of a branch of the repository: an open one first, then the newest. */
export function pullRequestOfBranch(at: ForgeRepository, branch: string): Promise<LookUp> {
  return told(() => at.forge.ofBranch(at.api, at.repository, branch))
}

/** The pull request of that number. */
export function pullRequestOfNumber(at: ForgeRepository, number: number): Promise<LookUp> {
  return told(async () => {
    const found = await at.forge.ofNumber(at.api, at.repository, number)
    // A repository that the token cannot see is "not found" as well.
    if (found === undefined && !(await at.forge.isReadable(at.api, at.repository))) {
      throw new Unclear(`${at.repository.owner}/${at.repository.repo} was not found, or the token cannot see it`)
    }
    return found
  })
}

/** The issue of that number; undefined when there is none, or when the forge does not tell. */
export async function issueOfNumber(at: ForgeRepository, number: number): Promise<Issue | undefined> {
  try {
    return await at.forge.issue(at.api, at.repository, number)
  } catch (error) {
    if (error instanceof Unclear) return undefined
    throw error
  }
}

/** Whether a pull request can be merged, as far as the forge tells. */
export async function standingOf(at: ForgeRepository, pullRequest: PullRequest): Promise<Standing> {
  try {
    return await at.forge.standing(at.api, at.repository, pullRequest)
  } catch (error) {
    if (error instanceof Unclear) return { mergeable: undefined, ci: undefined }
    throw error
  }
}

async function told(work: () => Promise<PullRequest | undefined>): Promise<LookUp> {
  try {
    const pullRequest = await work()
    if (pullRequest === undefined) return { kind: 'none' }
    if (!isWebUrl(pullRequest.url)) throw new Unclear('the forge returned a pull request without a valid URL')
    return { kind: 'found', pullRequest }
  } catch (error) {
    if (error instanceof Unclear) return { kind: 'unknown', reason: error.message }
    throw error
  }
}

/** The token for a server, from the first of its variables that has a value. */
function tokenFor(
  server: GitServer,
  servers: readonly GitServer[],
  variables: OpenOptions['variables'],
): string | undefined {
  const names = tokenVariables(server, servers)
  const token = names.map((name) => variables[name]?.trim()).find((value) => value !== undefined && value !== '')
  // A value that no header can hold would only fail, with the token in the error.
  return token !== undefined && /^[\x21-\x7e]+$/.test(token) ? token : undefined
}
