import * as path from 'node:path'
import { defaultInstance, listServers } from '../config/git-servers.ts'
import { hostOfUrl } from '../config/remote-url.ts'
import { KugetsuError } from '../core/errors.ts'
import { formatRef, parseRef, resolveRef, type IssueRef, type Repository } from '../core/issue-ref.ts'
import { once } from '../core/once.ts'
import type { SessionRecord } from '../sessions/record.ts'
import { nameOf } from '../sessions/session-name.ts'
import { pmAgentSession, readSession, readSessions, trackedRefs } from '../sessions/store.ts'
import type { Context } from './context.ts'

/**
 * The issue a person means, among those `tracked` where the ref is not complete: see resolveRef for the forms.
 * Throws KugetsuError `bad_ref` or `ambiguous_ref`.
 */
export async function issueRef(context: Context, text: string, tracked = trackedRefs(context)): Promise<IssueRef> {
  return refReader(context, tracked)(text)
}

/** The same for many refs in one text. */
export function refReader(context: Context, tracked = trackedRefs(context)): (text: string) => Promise<IssueRef> {
  // Only `#14` needs to know where it was called, and asking git takes time.
  const here = once(() => repositoryHere(context))
  const defaultHost = once(() => defaultInstance(context))
  return async (text) =>
    resolveRef(text, { defaultHost: defaultHost(), here: text.startsWith('#') ? await here() : undefined, tracked })
}

export interface TrackedSession {
  ref: IssueRef
  name: string
  record: SessionRecord
}

/** The session of the issue a person means. Throws KugetsuError `unknown_session` when it has none. */
export async function trackedSession(context: Context, text: string): Promise<TrackedSession> {
  const ref = await issueRef(context, text)
  const name = nameOf(context, ref)
  const record = readSession(context, name)
  if (record !== undefined) return { ref, name, record }
  throw new KugetsuError(`no session for ${formatRef(ref)}`, {
    hint: 'See "kugetsu list" for those there are, or begin with "kugetsu start".',
    code: 'unknown_session',
  })
}

/** How a person names the PM agent where an issue ref is expected. */
export const pmAgentWord = 'pm-agent'

export interface AgentSession {
  /** The canonical ref, or `pm-agent`. */
  label: string
  name: string
  record: SessionRecord
}

/** The session of the issue a person means, or of the PM agent. Throws KugetsuError as trackedSession does. */
export async function agentSession(context: Context, text: string): Promise<AgentSession> {
  if (text !== pmAgentWord) {
    const { ref, name, record } = await trackedSession(context, text)
    return { label: formatRef(ref), name, record }
  }
  const record = readSession(context, pmAgentSession)
  if (record !== undefined) return { label: pmAgentWord, name: pmAgentSession, record }
  throw new KugetsuError('there is no PM agent', { hint: 'Run "kugetsu init".', code: 'pm_agent_missing' })
}

/** The repository of the agent's worktree that the command was called in, or of a clone by its remote `origin`. */
async function repositoryHere(context: Context): Promise<Repository | undefined> {
  const session = readSessions(context).find(
    ({ record }) => record.issue_ref && isWithin(context.cwd, record.worktree_path),
  )
  if (session?.record.issue_ref) return parseRef(session.record.issue_ref, { defaultHost: '' })
  const { runGit } = await import('../worktrees/git.ts')
  const options = { cwd: context.cwd, env: context.env, timeoutMs: 10_000, signal: context.signal }
  const url = await runGit(['remote', 'get-url', 'origin'], options).catch(() => undefined)
  if (url === undefined) return undefined
  const host = hostOfUrl(url.trim())?.host
  const segments = url
    .trim()
    .replace(/\.git\/?$|\/$/, '')
    .split(/[/:]/)
    .filter((segment) => segment !== '')
  const [owner, repo] = segments.slice(-2)
  if (host === undefined || owner === undefined || repo === undefined) return undefined
  const server = listServers(context).find(({ url: base }) => hostOfUrl(base)?.host === host)
  return { host: server?.name ?? host, owner, repo }
}

function isWithin(directory: string, worktree: string | null | undefined): boolean {
  if (!worktree) return false
  const way = path.relative(worktree, directory)
  return way === '' || !(way === '..' || way.startsWith('../') || path.isAbsolute(way))
}
