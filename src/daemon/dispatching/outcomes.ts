/** Records on the queue's items how they stand, according to the sessions. */
import type { Home } from '../../config/home.ts'
import { messageOf } from '../../core/errors.ts'
import { baseNameOf } from '../../core/issue-names.ts'
import { parseRef } from '../../core/issue-ref.ts'
import { readServer } from '../../server/server-file.ts'
import { listDirectory } from '../../platform/files.ts'
import type { Item, Result } from '../../queue/item.ts'
import type { Queue } from '../../queue/queue.ts'
import { reconcile, type Action } from '../../queue/reconcile.ts'
import { fenceOf, finished, interrupted, isBegun, notified } from '../../queue/transitions.ts'
import { tellBegin, tellGivenUp } from '../../sessions/runs/announce.ts'
import { note } from '../../activity/journal.ts'
import { dropEnd, itemsWithEnd, readEnd, type KeptEnd } from '../../sessions/runs/kept-ends.ts'
import type { Run, SessionRecord } from '../../sessions/file/session-file.ts'
import { slotHolders } from '../../sessions/slots/slots.ts'
import { pmAgentSession, readSession, readSessions, type StoredSession } from '../../sessions/file/store.ts'
import { commitsAhead } from '../../worktrees/at-risk/commits-ahead.ts'

const gitTimeoutMs = 30_000

export interface AgentOf {
  run: Run
  record: SessionRecord
}
export type Noting = Action<AgentOf, KeptEnd>

/** The sessions as they are now, and the conclusions for the queue. */
export interface Seen {
  sessions: StoredSession[]
  /** The facts to note on the items. */
  notes: Noting[]
}

/**
 * Reads the queue, then the sessions, then the kept ends of runs: in this order, what has left one is found in the next.
 * Ends that concern no item are dropped. `isStarting`: whether this daemon is starting the item.
 */
export async function look(home: Home, queue: Queue, isStarting: (id: string) => boolean): Promise<Seen> {
  const { items: begunItems, unread } = await queue.list({ begun: true })
  const sessions = readSessions(home)
  const unclear = [...unreadNames(home, sessions), ...namesWithoutSession(home, sessions)]
  const runs = new Map<string, AgentOf>()
  for (const { record } of sessions) {
    if (record.run?.queue_item !== undefined) runs.set(record.run.queue_item, { run: record.run, record })
  }
  const items = [...begunItems, ...(await missing(queue, runs.keys(), begunItems))]
  const ends = new Map<string, KeptEnd>()
  for (const id of itemsWithEnd(home)) {
    const end = readEnd(home, id)
    if (end !== undefined) ends.set(id, end)
  }
  const notes = reconcile(items, {
    run: (id) => runs.get(id),
    end: (id) => ends.get(id),
    isStarting,
    isUnclear: (item) => unclear.some((name) => name.startsWith(sessionNameOf(item))),
  })
  const wanted = new Set([...unread, ...begunItems.map(({ id }) => id)])
  for (const id of ends.keys()) {
    if (!wanted.has(id) && !isStarting(id) && !(await awaitsEnd(queue, id))) dropEnd(home, id)
  }
  return { sessions, notes }
}

/** The items with these ids that are not among `items`. */
async function missing(queue: Queue, ids: Iterable<string>, items: readonly Item[]): Promise<Item[]> {
  const there = new Set(items.map(({ id }) => id))
  const found = await Promise.all([...ids].filter((id) => !there.has(id)).map((id) => readable(queue, id)))
  return found.filter((item) => item !== undefined && item !== 'unread')
}

async function readable(queue: Queue, id: string): Promise<Item | undefined | 'unread'> {
  try {
    return await queue.get(id)
  } catch {
    return 'unread'
  }
}

/** How the log names a task. */
export function labelOf(item: Item): string {
  return `${item.id} ${item.kind === 'pm' ? 'for the PM agent' : (item.issue_ref ?? '')}`
}

/** Notes one thing on its item. The log gets what a person wants to know next about a task. */
export async function noteOn(home: Home, queue: Queue, action: Noting): Promise<void> {
  const { item } = action
  const about = labelOf(item)
  switch (action.do) {
    case 'note the agent':
      tellBegin(home, item.issue_ref, action.run.run, item.message)
      await queue.change(item.id, (current) => notified(current, agentOf(home, action.run.record, action.run.run)))
      return
    case 'note the end': {
      const result = await resultOf(home, action.end)
      // Read inside the change: a later find goes into the session first, and then on the item if the item is finished.
      const prUrl = () => result.pr_url ?? readSession(home, action.end.session)?.pr_url ?? null
      const after = await queue.settle(item.id, fenceOf(item), (current) =>
        finished(current, action.end, { ...result, pr_url: prUrl() }),
      )
      dropEnd(home, item.id)
      if (after?.state === 'completed') home.progress(`${about} completed`)
      else home.progress(`${about} ended as an error: ${after?.error ?? 'it was removed from the queue'}`)
      return
    }
    case 'give back': {
      const back = (current: Item) => interrupted(current, action.reason, home.now())
      const after = await queue.change(item.id, back, fenceOf(item))
      dropEnd(home, item.id)
      return tellInterrupted(home, item, after, action.reason)
    }
    case 'give up': {
      tellGivenUp(home, item, action.reason)
      const end = { state: 'error', error: action.reason, stopped: false, never_began: false }
      await queue.settle(item.id, fenceOf(item), (current) =>
        finished(current, { ...end, ended_at: home.now().toISOString() }, current.result),
      )
      home.warn(`${about} ended as an error: ${action.reason}`)
    }
  }
}

/** `after` is the item with the interruption noted on it. */
export async function tellInterrupted(home: Home, item: Item, after: Item | undefined, reason: string): Promise<void> {
  if (after?.state !== 'error') return home.warn(`${labelOf(item)}: ${reason}; it is started again`)
  home.warn(`${labelOf(item)} ended as an error: ${after.error}`)
  note(home, 'gave_up', { issue_ref: item.issue_ref, reason: `queue item ${item.id}: ${after.error}` })
  tellGivenUp(home, after, after.error ?? reason)
}

/** What an item says about its agent. */
export function agentOf(home: Home, record: SessionRecord, run: Run | null | undefined) {
  return {
    at: home.now().toISOString(),
    opencode_session_id: record.opencode_session_id ?? null,
    pid: serverPid(home),
    run: run?.slot ?? null,
  }
}

function serverPid(home: Home): number | null {
  try {
    return readServer(home)?.pid ?? null
  } catch {
    return null
  }
}

async function resultOf(home: Home, end: KeptEnd): Promise<Result> {
  const { branch, base_branch: base, worktree_path: directory } = end
  const git = { env: home.env, timeoutMs: gitTimeoutMs }
  const commits =
    branch && base && directory ? await commitsAhead({ ...git, path: directory, branch, base }) : undefined
  return { branch, commits: commits ?? null, cost: end.cost, pr_url: end.pr_url, answer: end.answer ?? null }
}

/** Names of session files that exist and could not be read. */
function unreadNames(home: Home, read: StoredSession[]): string[] {
  const names = new Set(read.map(({ name }) => name))
  return listDirectory(home.paths.sessions)
    .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
    .map((name) => name.slice(0, -'.json'.length))
    .filter((name) => !names.has(name))
}

/** Names of sessions without a readable file that may have an agent at work. */
function namesWithoutSession(home: Home, read: StoredSession[]): string[] {
  const names = new Set(read.map(({ name }) => name))
  return slotHolders(home).flatMap(({ phase, session }) => (phase === 'run' && !names.has(session) ? [session] : []))
}

/** How the name of the session of the item's agent begins. */
function sessionNameOf(item: Item): string {
  if (item.kind === 'pm') return pmAgentSession
  try {
    return baseNameOf(parseRef(item.issue_ref ?? '', { defaultHost: '' }))
  } catch (error) {
    return messageOf(error) // the name of no session
  }
}

/** Whether the end of the item's run may still have to be noted on it. */
async function awaitsEnd(queue: Queue, id: string): Promise<boolean> {
  const item = await readable(queue, id)
  return item === 'unread' || (item !== undefined && isBegun(item))
}
