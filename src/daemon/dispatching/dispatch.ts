/**
 * Takes tasks from the queue while slots are free, and records on them how they ended. The starts in progress are only
 * in memory, and die with the daemon. Everything else is on file, and reconcile.ts draws the conclusions.
 */
import type { Home, StartInDaemon } from '../../config/home.ts'
import { codeOf, KugetsuError, messageOf } from '../../core/errors.ts'
import type { Item } from '../../queue/item.ts'
import { issueKey } from '../../queue/pick.ts'
import type { Grant, Queue } from '../../queue/queue.ts'
import { failed, finished, interrupted, notified, released } from '../../queue/transitions.ts'
import { tellGivenUp } from '../../sessions/runs/announce.ts'
import { note } from '../../activity/journal.ts'
import { dropEnd } from '../../sessions/runs/kept-ends.ts'
import { memoryRoom, memoryShortage } from '../../sessions/slots/memory.ts'
import type { Delegation } from '../../sessions/pm/tell-pm-agent.ts'
import type { SessionRecord } from '../../sessions/file/session-file.ts'
import { slotHolders, type Holder } from '../../sessions/slots/slots.ts'
import type { Started, StartRequest } from '../../sessions/starting/request.ts'
import { pmAgentSession } from '../../sessions/file/store.ts'
import { agentOf, labelOf, look, noteOn, tellInterrupted, type Noting, type Seen } from './outcomes.ts'
import { asStart } from '../last-resort.ts'
import { createPreparer, preparedAhead, type Preparing } from './preparer.ts'
import { startFailure } from './start-failure.ts'
import { requestOf } from './start-request.ts'

/** How soon to look again while a command prepares a slot: when the command fails, the slot is freed without notice. */
const watchMs = 1_000
/** How long a task waits when another command works on its issue. */
const busyPauseMs = 2_000
/** How soon to try again when the queue cannot be written, as on a full disk. */
const retryNotesMs = 5_000
/** The pauses after starts that failed for a reason outside the task (an outage): 5 s, 10 s … 5 min. */
const outagePauseMs = { first: 5_000, longest: 5 * 60_000 }

/** How many starts may wait for remotes in addition to those with a slot: each runs a git that only waits. */
const mostAtRemote = 8

/** Starts the agent of a task, or tells the PM agent of one: startAgent and tellPmAgent, except in tests. */
export interface Starts<T = unknown> extends Preparing<T> {
  start: (home: Home, request: StartRequest) => Promise<Started>
  tell: (home: Home, delegation: Delegation) => Promise<SessionRecord>
}

interface Starting extends Grant {
  abort: AbortController
  done: Promise<void>
  /** The start waits for a remote, and has given its slot away. */
  isAtRemote: boolean
  /** A person has stopped the start. */
  isCancelled: boolean
}

export interface Dispatcher {
  /**
   * One look: notes what ended and, when `dispatching`, starts as many tasks as there is room for, without waiting for
   * them. Returns whether starts are in progress, and how soon to look again, in milliseconds.
   */
  tick: (dispatching: boolean) => Promise<{ busy: boolean; againInMs: number }>
  /** Ends the start of a task at a person's request: the task ends as stopped. False when no start is in progress. */
  cancel: (start: StartInDaemon) => boolean
  /** Ends the starts in progress and waits until they are undone; their tasks stay in the queue. */
  close: () => Promise<void>
}

/** `changed` is called when a look is worthwhile. */
export function createDispatcher<T>(home: Home, queue: Queue, starts: Starts<T>, changed: () => void): Dispatcher {
  const preparer = createPreparer(home, starts, (item) => requestOf(home, item))
  const starting = new Map<string, Starting>()
  let outages = 0
  let pausedUntil = 0
  let isShort = false

  async function tick(dispatching: boolean): Promise<{ busy: boolean; againInMs: number }> {
    const before = new Set(starting.keys())
    let seen = await look(home, queue, (id) => before.has(id))
    const [ends, others] = [seen.notes.filter(isEnd), seen.notes.filter((action) => !isEnd(action))]
    // A returned task keeps its old place in the order, so this comes before any task is picked.
    const notedOthers = await noteAll(others)
    if (others.length > 0) seen = await look(home, queue, (id) => before.has(id))
    // Ends are noted last: counting commits takes a moment, and another task waits for the slot.
    if (!dispatching) preparer.next([])
    const againInMs = dispatching ? await dispatch(seen) : Infinity
    if (!(await noteAll(ends)) || !notedOthers) return { busy: true, againInMs: Math.min(againInMs, retryNotesMs) }
    if (ends.length > 0) changed() // the next task of the same issue can go on
    return { busy: starting.size > 0, againInMs }
  }

  /** Returns false when one of them could not be noted; the next look tries it again. */
  async function noteAll(actions: Noting[]): Promise<boolean> {
    const noted = await Promise.allSettled(actions.map((action) => noteOn(home, queue, action)))
    const reasons = noted.flatMap((each) => (each.status === 'rejected' ? [messageOf(each.reason)] : []))
    for (const reason of reasons) home.warn(`cannot write to the queue: ${reason}`)
    return reasons.length === 0
  }

  /** Starts as many tasks as there is room for; returns how soon to look again. */
  async function dispatch(seen: Seen): Promise<number> {
    const { maxConcurrentAgents: limit, queueIntervalMinutes } = home.settings()
    const intervalMs = queueIntervalMinutes * 60_000
    if ((await queue.counts()).pending === 0) {
      preparer.next([])
      return intervalMs
    }
    const rest = pausedUntil - performance.now()
    if (rest > 0) return rest
    const holders = slotHolders(home)
    const without = startsWithoutSlot(holders)
    const free = Math.max(0, limit - holders.length - without)
    // In an outage, one start is enough to see whether it is over.
    const room = outages > 0 ? Math.min(free, Math.max(0, 1 - starting.size)) : free
    const ahead = outages > 0 ? 0 : Math.min(limit, preparedAhead)
    const memory = memoryRoom(home, holders)
    const roomInMemory = Math.max(0, memory.agents - without)
    const startable = Math.min(room, roomInMemory)
    const pm = !isPmBusy(seen)
    const busyIssues = busyIssuesOf(seen, holders)
    const { taken, next, dueInMs } = await queue.take({
      free: startable,
      ahead: room + ahead - startable,
      busyIssues,
      pm,
    })
    for (const grant of taken) begin(grant)
    const issues = [...taken.map(({ item }) => item).filter(({ kind }) => kind === 'dev'), ...next]
    if (room > 0 && issues.length > 0) tellOfMemory(memoryShortage(memory))
    // Prepared tasks take memory too: when memory is short, they are discarded.
    prepareAhead(issues.slice(room, roomInMemory))
    const unclear = holders.some(({ phase }) => phase !== 'run')
    return Math.min(intervalMs, dueInMs ?? Infinity, unclear ? watchMs : Infinity)
  }

  /** Prepares the next tasks, unless a start is in progress; the end of the start brings another look. */
  function prepareAhead(next: readonly Item[]): void {
    if (starting.size > 0) return
    // A task that begins afresh has nothing to prepare until its old worktree is gone.
    preparer.next(next.filter(({ fresh }) => fresh !== true))
  }

  /** Reports once when tasks begin to wait for memory, and once when they go on. */
  function tellOfMemory(shortage: string | undefined): void {
    if (shortage !== undefined && !isShort) home.warn(`tasks wait: ${shortage} (MIN_FREE_MEMORY_MB)`)
    if (shortage === undefined && isShort) home.progress('there is memory for agents again')
    isShort = shortage !== undefined
  }

  /** How many starts of this daemon will take a slot and have none yet. */
  function startsWithoutSlot(holders: Holder[]): number {
    const held = new Set(holders.map(({ issueRef }) => issueKey(issueRef)))
    const ours = [...starting.values()].filter(({ item }) => item.kind === 'dev')
    const without = ours.filter(({ item }) => !held.has(issueKey(item.issue_ref)))
    const atRemote = without.filter(({ isAtRemote }) => isAtRemote).length
    return without.length - Math.min(atRemote, mostAtRemote)
  }

  /** The PM agent takes one message at a time. */
  function isPmBusy({ sessions }: Seen): boolean {
    const isAtWork = sessions.some(({ name, record }) => name === pmAgentSession && record.run)
    return isAtWork || [...starting.values()].some(({ item }) => item.kind === 'pm')
  }

  /** An issue is busy while an agent works or is about to work on it; the queue adds those with a begun task. */
  function busyIssuesOf({ sessions }: Seen, holders: Holder[]): ReadonlySet<string> {
    const working = sessions.filter(({ record }) => record.run || record.state === 'starting')
    return new Set(
      [
        ...working.map(({ record }) => record.issue_ref),
        ...holders.map(({ issueRef }) => issueRef),
        ...[...starting.values()].map(({ item }) => item.issue_ref),
      ].map(issueKey),
    )
  }

  function begin({ item, fence }: Grant): void {
    preparer.begins(item)
    const start: Starting = {
      item,
      fence,
      abort: new AbortController(),
      done: Promise.resolve(),
      isAtRemote: false,
      isCancelled: false,
    }
    starting.set(item.id, start)
    start.done = asStart(start.abort, () => run(start))
      .catch((error: unknown) => {
        // The queue cannot be written: the next look finds out how far the start came.
        home.warn(`${item.id}: ${messageOf(error)}`)
        pause(outagePauseMs.first)
      })
      .finally(() => {
        starting.delete(item.id)
        changed()
      })
  }

  async function run(start: Starting): Promise<void> {
    const { item, fence } = start
    const { signal } = start.abort
    dropEnd(home, item.id) // the end of a run before a retry
    try {
      const record = await agentFor({ ...home, signal }, item, start)
      outages = 0
      await queue.change(item.id, (current) => notified(current, agentOf(home, record, record.run)), fence)
      home.progress(`${labelOf(item)} has ${item.kind === 'pm' ? 'the PM agent' : 'an agent'}`)
    } catch (error) {
      if (start.isCancelled) await noteStopped(start)
      else await noteFailure(start, error, signal)
    }
  }

  async function agentFor(at: Home, item: Item, start: Starting): Promise<SessionRecord> {
    const onRemoteWait = (waits: boolean) => {
      start.isAtRemote = waits
      changed()
    }
    if (item.kind === 'dev') return (await starts.start(at, { ...requestOf(at, item), onRemoteWait })).record
    return starts.tell(at, { message: item.message, mentions: item.mentions, queueItem: item.id })
  }

  async function noteFailure({ item, fence }: Grant, error: unknown, signal: AbortSignal): Promise<void> {
    const isDefect = codeOf(signal.reason) === 'unexpected'
    const failure = startFailure(isDefect ? signal.reason : error)
    if (failure.kind === 'not tried' || (signal.aborted && !isDefect)) {
      const isBusyIssue = error instanceof KugetsuError && (error.code === 'busy' || error.code === 'running')
      const notBefore = isBusyIssue ? new Date(home.now().getTime() + busyPauseMs) : null
      await queue.change(item.id, (current) => released(current, notBefore), fence)
      if (!isBusyIssue) pause(watchMs)
      return
    }
    const { reason } = failure
    if (failure.kind === 'interrupted') {
      const after = await queue.change(item.id, (current) => interrupted(current, reason, home.now()), fence)
      return tellInterrupted(home, item, after, reason)
    }
    const hopeless = failure.kind === 'hopeless'
    const after = await queue.change(item.id, (current) => failed(current, { reason, hopeless }, home.now()), fence)
    const gaveUp = after?.state === 'error'
    note(home, gaveUp ? 'gave_up' : 'retried', {
      issue_ref: item.issue_ref,
      reason: `queue item ${item.id}: ${reason}`,
    })
    home.warn(`${labelOf(item)}: ${reason}${gaveUp ? '; it ends as an error' : '; it is retried'}`)
    outages = failure.outage ? outages + 1 : 0
    if (outages > 0) pause(Math.min(outagePauseMs.first * 2 ** (outages - 1), outagePauseMs.longest))
    if (gaveUp) tellGivenUp(home, after, reason)
  }

  /** Notes the same end as when a person stops the task's agent. */
  async function noteStopped({ item, fence }: Grant): Promise<void> {
    const end = { state: 'idle', error: null, stopped: true, never_began: true, ended_at: home.now().toISOString() }
    await queue.settle(item.id, fence, (current) => finished(current, end, null))
    note(home, 'stopped', { issue_ref: item.issue_ref, reason: `the start of queue item ${item.id}` })
    home.progress(`${labelOf(item)}: its start was stopped`)
  }

  function cancel({ issue, item: id }: StartInDaemon): boolean {
    const start = [...starting.values()].find(
      ({ item }) => issueKey(item.issue_ref) === issueKey(issue) && (id === undefined || item.id === id),
    )
    if (start === undefined) return false
    start.isCancelled = true
    start.abort.abort(new KugetsuError('stopped by a person', { code: 'interrupted' }))
    return true
  }

  /** Pauses dispatching, by a clock that does not jump. */
  function pause(milliseconds: number): void {
    pausedUntil = Math.max(pausedUntil, performance.now() + milliseconds)
  }

  async function close(): Promise<void> {
    const reason = new KugetsuError('the daemon stops', { code: 'interrupted' })
    for (const { abort } of starting.values()) abort.abort(reason)
    await preparer.close()
    await Promise.all([...starting.values()].map(({ done }) => done))
  }

  return { tick, cancel, close }
}

function isEnd(action: Noting): boolean {
  return action.do === 'note the end'
}
