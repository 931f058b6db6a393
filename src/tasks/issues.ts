/** The issues that kugetsu knows: those with a session, and those that only have tasks in the queue. */
import { lastEnds } from '../activity/journal.ts'
import { messageLine } from '../activity/notification.ts'
import type { Home } from '../config/home.ts'
import { parseRef } from '../core/issue-ref.ts'
import type { Item } from '../queue/item.ts'
import { inOrder, issueKey } from '../queue/pick.ts'
import { openAttempt } from '../queue/transitions.ts'
import { nameOf } from '../sessions/file/session-name.ts'
import { readSession, trackedRefs } from '../sessions/file/store.ts'
import { sessionView, sessionViews, type SessionView } from '../sessions/status/session-view.ts'
import { statusOf, type StatusFacts } from '../sessions/status/status.ts'

/** An issue, the base session or the PM agent, as `list --json` shows it; scripts rely on these names. */
export interface Issue extends SessionView {
  /** How many tasks are ahead of its next one in the queue; null when it has no waiting task. */
  ahead: number | null
}

/** The next task of an issue that no agent has yet, and how many tasks are ahead of it. */
interface Next {
  item: Item
  ahead: number
}

/**
 * The sessions, base and PM agent first, each with the state of its tasks in the queue; with `all` also those that the
 * index lacks. With `queued` the issues without a session follow, in the order of the queue.
 */
export async function readIssues(home: Home, options: { all: boolean; queued: boolean }): Promise<Issue[]> {
  const views = sessionViews(home, { all: options.all })
  const next = nextTasks(await unfinished(home))
  const ends = lastEnds(
    home,
    views.filter(hasUnknownEnd).map(({ issue_ref: ref }) => issueKey(ref)),
  )
  const issues = views.map((view) => {
    const key = issueKey(view.issue_ref)
    const task = key === '' ? undefined : next.get(key)
    next.delete(key)
    return withTask(view, view.ended ?? ends.get(key), task)
  })
  return options.queued ? [...issues, ...[...next.values()].map((task) => onlyQueued(home, task))] : issues
}

/**
 * One issue as readIssues() returns it; undefined without a session and without an unfinished task. A caller that has
 * read the queue gives it as `items`.
 */
export async function readIssue(home: Home, ref: string, items?: readonly Item[]): Promise<Issue | undefined> {
  const name = nameOf(home, parseRef(ref, { defaultHost: '' }))
  const record = readSession(home, name)
  const next = nextTasks(items ?? (await unfinished(home))).get(issueKey(ref))
  if (record === undefined) return next && onlyQueued(home, next)
  const view = sessionView(home, name, record)
  const ended = hasUnknownEnd(view) ? lastEnds(home, [issueKey(ref)]).get(issueKey(ref)) : view.ended
  return withTask(view, ended ?? undefined, next)
}

/** The canonical refs of the issues with unfinished tasks in the queue. */
async function queuedRefs(home: Home): Promise<string[]> {
  const items = await unfinished(home)
  return [...new Set(items.flatMap(({ issue_ref: ref }) => ref ?? []))]
}

/** The canonical refs of all issues that have a session or such a task; an issue may be there twice. */
export async function knownRefs(home: Home): Promise<string[]> {
  return [...trackedRefs(home), ...(await queuedRefs(home))]
}

function nextTasks(items: readonly Item[]): Map<string, Next> {
  const next = new Map<string, Next>()
  inOrder(items.filter(({ state, kind }) => state === 'pending' && kind === 'dev')).forEach((item, ahead) => {
    const key = issueKey(item.issue_ref)
    if (key !== '' && !next.has(key)) next.set(key, { item, ahead })
  })
  return next
}

async function unfinished(home: Home): Promise<Item[]> {
  return (await home.queue().list({ states: ['pending', 'notified'] })).items
}

/** 0.1.0 did not write the end of a run into the session file. */
function hasUnknownEnd({ state, ended, issue_ref: ref }: SessionView): boolean {
  return state === 'idle' && ended === null && ref !== null
}

function withTask(view: SessionView, ended: string | undefined, next: Next | undefined): Issue {
  const status = statusOf({ state: view.state, ended, task: next && stageOf(next.item) })
  return { ...view, ended: ended ?? null, status, ahead: status === 'queued' && next ? next.ahead : null }
}

function stageOf(item: Item): NonNullable<StatusFacts['task']> {
  return openAttempt(item) === undefined ? 'queued' : 'starting'
}

function onlyQueued(home: Home, { item, ahead }: Next): Issue {
  const stage = stageOf(item)
  return {
    issue_ref: item.issue_ref,
    type: 'forked',
    state: 'pending',
    opencode_session_id: null,
    worktree_path: null,
    branch: null,
    base_branch: item.base,
    pr_url: item.pr_url,
    created_at: item.pending_since,
    updated_at: item.pending_since,
    model: item.model,
    cost: null,
    tokens: null,
    last_error: item.attempts.at(-1)?.reason ?? null,
    status: stage,
    ended: null,
    task: item.message.trim() === '' ? null : messageLine(home, item.message),
    last_event_at: item.attempts.at(-1)?.started_at ?? item.pending_since,
    ahead: stage === 'queued' ? ahead : null,
  }
}
