import { readJournal } from '../activity/journal.ts'
import { defaultInstance, listServers } from '../config/git-servers.ts'
import { issueOfCloneUrl, issueOfPage, type IssueAt } from '../config/issue-url.ts'
import { readRepositories } from '../config/repositories.ts'
import { repositoryOfRemote } from '../config/repository-of-remote.ts'
import { KugetsuError } from '../core/errors.ts'
import {
  type Around,
  formatRef,
  isNumberAlone,
  isPageUrl,
  isWholeRef,
  parseRef,
  pmAgentWord,
  resolveRef,
  type IssueRef,
} from '../core/issue-ref.ts'
import { lazy } from '../core/lazy.ts'
import { ago } from '../core/wording.ts'
import { isWithin } from '../platform/within.ts'
import type { SessionRecord } from '../sessions/file/session-file.ts'
import { hasTask } from '../sessions/file/queued-tasks.ts'
import { nameOf } from '../sessions/file/session-name.ts'
import { pmAgentSession, readSession, readSessions, requirePmAgent, trackedRefs } from '../sessions/file/store.ts'
import { knownRefs } from '../tasks/issues.ts'
import { gitFailure } from '../git/failure.ts'
import type { Context } from './terminal/context.ts'
import { workingDirectory } from './working-directory.ts'

/** What an incomplete ref may mean. */
export interface Meanings {
  /** The canonical refs that it may be the end of; by default those with a session or a task in the queue. */
  tracked?: string[]
  /** The command begins an issue: a number alone means an issue of the repository here, or nothing. */
  begins?: boolean
}

/**
 * The issue a person means: see resolveRef for the forms. Throws KugetsuError `bad_ref` or `ambiguous_ref`.
 */
export async function issueRef(context: Context, text: string, meanings: Meanings = {}): Promise<IssueRef> {
  return (await issueAt(context, text, meanings)).ref
}

/** The same, with the URL to clone its repository from where the person has named it by one. */
export async function issueAt(context: Context, text: string, meanings: Meanings = {}): Promise<IssueAt> {
  return refReader(context, meanings)(text)
}

/** The same as issueRef() for many refs in one text. */
export function refReader(
  context: Context,
  { tracked, begins = false }: Meanings = {},
): (text: string) => Promise<IssueAt> {
  // Only `#14` needs the repository here, and asking git takes time. Only a part of a ref needs the queue.
  const here = lazy(() => repositoryHere(context))
  const defaultHost = lazy(() => defaultInstance(context))
  const tracking = lazy(() => tracked ?? trackedRefs(context))
  const known = lazy(async () => tracked ?? (await knownRefs(context)))
  const remotes = lazy(() => ({
    servers: listServers(context),
    repositories: readRepositories(context.paths.repositories, context.now()),
  }))
  return async (text) => {
    if (isNumberAlone(text)) {
      const around = { defaultHost: defaultHost(), here: await here(), tracked: begins ? [] : await known() }
      return { ref: resolveRef(text, around) }
    }
    // A ref without a colon is no URL, and most are.
    const cloned = text.includes(':') ? issueOfCloneUrl(text, remotes()) : undefined
    if (cloned !== undefined) return cloned
    const isWhole = begins || isWholeRef(text)
    const ref = resolveRef(text, { defaultHost: defaultHost(), tracked: isWhole ? tracking() : await known() })
    return isPageUrl(text) ? issueOfPage(text, ref, { ...remotes(), tracked: tracking() }) : { ref }
  }
}

export interface KnownIssue {
  ref: IssueRef
  /** The canonical ref. */
  label: string
  name: string
  /** Undefined for an issue that only has tasks in the queue. */
  record: SessionRecord | undefined
}

export interface TrackedSession extends KnownIssue {
  record: SessionRecord
}

/** The issue a person means, with a session or a task in the queue. Throws KugetsuError `unknown_session` without both. */
export async function knownIssue(context: Context, text: string): Promise<KnownIssue> {
  const ref = await issueRef(context, text)
  const name = nameOf(context, ref)
  const record = readSession(context, name)
  const label = formatRef(ref)
  if (record !== undefined || (await hasTask(context, label))) return { ref, label, name, record }
  throw new KugetsuError(`no session for ${label}`, { hint: goneOrNever(context, label), code: 'unknown_session' })
}

/** The session of the issue a person means. Throws KugetsuError `unknown_session` when it has none. */
export async function trackedSession(context: Context, text: string): Promise<TrackedSession> {
  return withSession(await knownIssue(context, text))
}

/** Throws KugetsuError `unknown_session` for an issue that only has tasks. */
function withSession<T extends KnownAgent>(known: T): T & { record: SessionRecord } {
  const { record, label } = known
  if (record !== undefined) return { ...known, record }
  throw new KugetsuError(`${label} has no session yet: its task waits in the queue`, {
    hint: `See when it begins: kugetsu explain ${label}`,
    code: 'unknown_session',
  })
}

function goneOrNever(context: Context, issueRef: string): string {
  const gone = readJournal(context, { issueRef }).findLast(({ decision }) => decision === 'destroyed')
  if (gone === undefined) return '"kugetsu list" shows all sessions; "kugetsu start" makes one.'
  const back = gone.reason.startsWith('saved as ') ? ` Get its work back: kugetsu recover ${issueRef}` : ''
  return `It was destroyed ${ago(gone.at, context.now())}.${back}`
}

/** An agent that a person means: of an issue, or the PM agent. */
export interface KnownAgent {
  /** The canonical ref, or `pm-agent`. */
  label: string
  name: string
  /** Undefined for an issue that only has tasks in the queue. */
  record: SessionRecord | undefined
}

export interface AgentSession extends KnownAgent {
  record: SessionRecord
}

/** The agent of the issue a person means, or the PM agent. Throws KugetsuError as knownIssue does. */
export async function knownAgent(context: Context, text: string): Promise<KnownAgent> {
  if (text !== pmAgentWord) return knownIssue(context, text)
  return { label: pmAgentWord, name: pmAgentSession, record: requirePmAgent(context) }
}

/** The session of the issue a person means, or of the PM agent. Throws KugetsuError as trackedSession does. */
export async function agentSession(context: Context, text: string): Promise<AgentSession> {
  return withSession(await knownAgent(context, text))
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
