import { defaultInstance, listServers } from '../config/git-servers.ts'
import { readRepositories } from '../config/repositories.ts'
import { repositoryOfRemote } from '../config/repository-of-remote.ts'
import { KugetsuError } from '../core/errors.ts'
import { type Around, formatRef, isNumberAlone, parseRef, resolveRef, type IssueRef } from '../core/issue-ref.ts'
import { lazy } from '../core/lazy.ts'
import { isWithin } from '../platform/within.ts'
import type { SessionRecord } from '../sessions/file/session-file.ts'
import { requirePmAgent } from '../sessions/file/base-session.ts'
import { nameOf } from '../sessions/file/session-name.ts'
import { pmAgentSession, readSession, readSessions, trackedRefs } from '../sessions/file/store.ts'
import { gitFailure } from '../git/failure.ts'
import type { Context } from './terminal/context.ts'
import { workingDirectory } from './working-directory.ts'

/** What an incomplete ref may mean. */
export interface Meanings {
  /** The canonical refs that it may be the end of; when absent, those that have a session. */
  tracked?: string[]
  /** The command begins an issue: a number alone means an issue of the repository here, or nothing. */
  begins?: boolean
}

/**
 * The issue a person means: see resolveRef for the forms. Throws KugetsuError `bad_ref` or `ambiguous_ref`.
 */
export async function issueRef(context: Context, text: string, meanings: Meanings = {}): Promise<IssueRef> {
  return refReader(context, meanings)(text)
}

/** The same for many refs in one text. */
export function refReader(
  context: Context,
  { tracked = trackedRefs(context), begins = false }: Meanings = {},
): (text: string) => Promise<IssueRef> {
  // Only `#14` needs the repository here, and asking git takes time.
  const here = lazy(() => repositoryHere(context))
  const defaultHost = lazy(() => defaultInstance(context))
  return async (text) => {
    if (!isNumberAlone(text)) return resolveRef(text, { defaultHost: defaultHost(), tracked })
    return resolveRef(text, { defaultHost: defaultHost(), here: await here(), tracked: begins ? [] : tracked })
  }
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
    hint: '"kugetsu list" shows all sessions; "kugetsu start" makes one.',
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
  return { label: pmAgentWord, name: pmAgentSession, record: requirePmAgent(context) }
}

/**
 * The repository of the agent's worktree that the command was called in, or of a clone by its remote `origin`; `unknown` in
 * a clone that does not tell it.
 */
async function repositoryHere(context: Context): Promise<Around['here']> {
  const cwd = workingDirectory(context)
  const session = readSessions(context).find(
    ({ record }) => record.issue_ref && record.worktree_path && isWithin(record.worktree_path, cwd),
  )
  if (session?.record.issue_ref) return parseRef(session.record.issue_ref, { defaultHost: '' })
  const { runGit } = await import('../git/git.ts')
  const options = { cwd, env: context.env, timeoutMs: 10_000, signal: context.signal }
  try {
    const url = await runGit(['remote', 'get-url', 'origin'], options)
    const repositories = readRepositories(context.paths.repositories, context.now())
    return repositoryOfRemote(url, { servers: listServers(context), repositories }) ?? 'unknown'
  } catch (error) {
    context.signal.throwIfAborted()
    // For a link that leads nowhere git uses other words.
    return /not a git repository \(or any/.test(gitFailure(error)?.stderr ?? '') ? undefined : 'unknown'
  }
}
