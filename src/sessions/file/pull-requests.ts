/** The pull requests of sessions: looked up, found by their branch, noted in the session file. */
import { agentVariables } from '../../agents/env-files.ts'
import { findServer, listServers } from '../../config/git-servers.ts'
import type { Home } from '../../config/home.ts'
import { KugetsuError, messageOf } from '../../core/errors.ts'
import { formatRef, parseRef, type IssueRef } from '../../core/issue-ref.ts'
import { plainLine } from '../../core/plain-text.ts'
import type { PullRequest, Standing } from '../../forges/forge.ts'
import {
  openForge,
  pullRequestOfBranch,
  pullRequestOfNumber,
  standingOf,
  type ForgeRepository,
  type LookUp,
} from '../../forges/look-up.ts'
import { readPullRequestUrl } from '../../forges/pull-request-url.ts'
import { isOnRemote } from '../../worktrees/at-risk/commits-ahead.ts'
import { branchesOf } from './branches.ts'
import type { SessionRecord } from './session-file.ts'
import { changeSession, readSession } from './store.ts'

/** The limit for all requests of one lookup together. */
const lookTimeoutMs = 30_000
const gitTimeoutMs = 30_000

/** The known pull requests of a session: the one on file, and the one of its branch. */
export interface PullRequests {
  found: (PullRequest & { headRef: string })[]
  /** Why there may be others; undefined when the forge has answered, or when no forge is known. */
  unknown: string | undefined
}

export const noPullRequests: PullRequests = { found: [], unknown: undefined }

/** Looks up the pull requests of a session. Throws only when interrupted. */
export async function pullRequestsOf(home: Home, record: SessionRecord): Promise<PullRequests> {
  const ref = refOf(record)
  if (ref === undefined) return noPullRequests
  return within(home, async (signal) => {
    const at = await forgeAt({ ...home, signal }, ref)
    if (at === undefined) return noPullRequests
    home.progress(`asking ${ref.host} about the pull request`, 'passing')
    const looked = await Promise.all([
      ofUrl(home, at, ref, record.pr_url),
      ...branchesOf(record, ref).map((branch) => pullRequestOfBranch(at, branch)),
    ])
    const found = looked.flatMap((look) => (look?.kind === 'found' ? [look.pullRequest] : []))
    const unknown = looked.find((look) => look?.kind === 'unknown')
    return {
      found: found
        .filter(({ url }, index) => found.findIndex((one) => one.url === url) === index)
        .map((pullRequest) => ({ ...pullRequest, headRef: at.forge.headRef(pullRequest.number) })),
      unknown: unknown?.kind === 'unknown' ? unknown.reason : undefined,
    }
  }).catch((error: unknown) => {
    home.signal.throwIfAborted()
    return { found: [], unknown: messageOf(error) }
  })
}

export interface StoredPullRequest {
  record: SessionRecord
  url: string
  number: number
  /** Undefined when it could not be looked up. */
  pullRequest: PullRequest | undefined
  standing: Standing
  /** Why it could not be looked up. */
  unknown: string | undefined
}

/**
 * Stores the pull request with that URL in a session. The forge is asked about it if possible, but a failed lookup
 * does not refuse the URL. Throws KugetsuError `bad_pr_url` for a pull request of another repository, `no_such_pr` when
 * the forge says that it does not exist, `unknown_session`.
 */
export async function setPullRequest(
  home: Home,
  name: string,
  ref: IssueRef,
  text: string,
): Promise<StoredPullRequest> {
  const server = findServer(ref.host, listServers(home))
  const page = readPullRequestUrl(text, ref, server)
  if (page.elsewhere) {
    home.warn(`${new URL(page.url).host} is not known to be ${ref.host}: the pull request is stored as it is`)
  }
  const { look, standing } = await within(home, (signal) => lookAtNumber({ ...home, signal }, ref, page.number)).catch(
    (error: unknown) => {
      home.signal.throwIfAborted()
      return { look: { kind: 'unknown', reason: messageOf(error) } as const, standing: undefined }
    },
  )
  if (look.kind === 'none') {
    throw new KugetsuError(`${ref.owner}/${ref.repo} has no pull request ${page.number}`, {
      hint: 'Look at the number in its address; nothing was stored.',
      code: 'no_such_pr',
    })
  }
  const record = await changeSession(home, name, (current) => current && { ...current, pr_url: page.url })
  if (record === undefined) throw new KugetsuError(`no session for ${formatRef(ref)}`, { code: 'unknown_session' })
  return {
    record,
    url: page.url,
    number: page.number,
    pullRequest: look.kind === 'found' ? look.pullRequest : undefined,
    standing: standing ?? { mergeable: undefined, ci: undefined },
    unknown: look.kind === 'unknown' ? look.reason : undefined,
  }
}

/**
 * Finds the pull request of a session without one on file by its branch, once the branch is on the remote, and stores
 * it. Returns its URL; undefined when there is none or the lookup fails. `explain` gets the reason of a failure. Throws
 * only when interrupted.
 */
export async function findPullRequest(
  home: Home,
  name: string,
  explain: (reason: string) => void,
): Promise<string | undefined> {
  const record = readSession(home, name)
  const ref = record && refOf(record)
  if (record === undefined || ref === undefined || record.pr_url || !record.worktree_path) return undefined
  const branches = branchesOf(record, ref)
  return within(home, async (signal) => {
    const git = { env: home.env, timeoutMs: gitTimeoutMs, signal }
    const at = await forgeAt({ ...home, signal }, ref)
    if (at === undefined) return undefined
    for (const branch of branches) {
      if (!(await isOnRemote({ ...git, path: record.worktree_path ?? '', branch }))) continue
      const look = await pullRequestOfBranch(at, branch)
      if (look.kind === 'unknown') explain(look.reason)
      if (look.kind !== 'found') continue
      const { url } = look.pullRequest
      const isSame = (current: SessionRecord) => !current.pr_url && branchesOf(current, ref).includes(branch)
      const after = await changeSession(home, name, (current) =>
        current && isSame(current) ? { ...current, pr_url: url } : undefined,
      )
      return after?.pr_url ?? undefined
    }
    return undefined
  }).catch((error: unknown) => {
    home.signal.throwIfAborted()
    explain(messageOf(error))
    return undefined
  })
}

async function lookAtNumber(
  home: Home,
  ref: IssueRef,
  number: number,
): Promise<{ look: LookUp; standing: Standing | undefined }> {
  const at = await forgeAt(home, ref)
  if (at === undefined) {
    return { look: { kind: 'unknown', reason: `it is not known which forge ${ref.host} is` }, standing: undefined }
  }
  const look = await pullRequestOfNumber(at, number)
  return { look, standing: look.kind === 'found' ? await standingOf(at, look.pullRequest) : undefined }
}

/** Looks up the pull request on file, if it is of the repository. Bash tools and people may have stored anything. */
async function ofUrl(
  home: Home,
  at: ForgeRepository,
  ref: IssueRef,
  url: string | null | undefined,
): Promise<LookUp | undefined> {
  if (!url) return undefined
  try {
    const { number } = readPullRequestUrl(url, ref, findServer(ref.host, listServers(home)))
    return await pullRequestOfNumber(at, number)
  } catch (error) {
    if (error instanceof KugetsuError) return { kind: 'unknown', reason: plainLine(error.message, 200) }
    throw error
  }
}

/** The issue's repository on its forge, with the token of the env files; undefined where no forge is known. */
export async function forgeAt(home: Home, ref: IssueRef): Promise<ForgeRepository | undefined> {
  const servers = listServers(home)
  const server = findServer(ref.host, servers)
  if (server === undefined) return undefined
  // The PM agent's tokens are meant for reading. If it has none, the dev agents' tokens are used.
  const variables = { ...agentVariables(home.paths.env, 'dev'), ...agentVariables(home.paths.env, 'pm-agent') }
  return openForge({ repository: ref, server, servers, variables, env: home.env, signal: home.signal })
}

/** Runs `work` with a signal that aborts the whole lookup: at its timeout, or when the caller is interrupted. */
async function within<T>(home: Home, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const timeout = new AbortController()
  const late = new KugetsuError(`the forge did not answer within ${lookTimeoutMs / 1000} s`, { code: 'timed_out' })
  const timer = setTimeout(() => timeout.abort(late), lookTimeoutMs)
  try {
    return await work(AbortSignal.any([home.signal, timeout.signal]))
  } finally {
    clearTimeout(timer)
  }
}

function refOf(record: SessionRecord): IssueRef | undefined {
  return record.issue_ref ? parseRef(record.issue_ref, { defaultHost: '' }) : undefined
}
