import { setTimeout as sleep } from 'node:timers/promises'
import type { Home } from '../../config/home.ts'
import { exitCodes, KugetsuError } from '../../core/errors.ts'
import type { Item } from '../../queue/item.ts'
import { followTasks } from '../file/queued-tasks.ts'
import type { SessionRecord } from '../file/session-file.ts'
import { readSession } from '../file/store.ts'

const lookMs = 100
/** How often to make sure that a daemon is there: without one the end would go unnoticed. */
export const daemonLookMs = 5_000

/** How often, in milliseconds, to look into the queue; a start in progress is seen in the session's file. */
const queueLookMs = 500

export interface Waited {
  sessions: { name: string; record: SessionRecord | undefined }[]
  /** The tasks that were waited for and ended as an error. */
  failed: Item[]
}

export interface WaitOptions {
  timeoutMs: number | undefined
  /** Also wait until no task of the sessions is in the queue. */
  withTasks: boolean
  /** Issues without a session yet; their tasks are waited for as well. */
  queued?: readonly string[]
  /** Called once for each agent found waiting for a person, with its ref. */
  onWaiting?: ((label: string) => void) | undefined
}

/**
 * Waits until no agent is at work on any of the sessions. Returns them as they are then.
 * Throws KugetsuError `timed_out` (exit code 124) after `timeoutMs`, `not_dispatching` for a task that nothing takes.
 */
export async function waitForRuns(
  home: Home,
  names: string[],
  { timeoutMs, withTasks, queued, onWaiting }: WaitOptions,
): Promise<Waited> {
  const from = performance.now()
  const tasks = withTasks ? followTasks(home, names, queued) : undefined
  let daemonLooked = 0
  let queueLooked = -Infinity
  let unfinished: Item[] = []
  const told = new Set<string>()
  for (;;) {
    const working = atWork(readAll(home, names))
    for (const { name, record } of working) {
      if (record?.state !== 'waiting' || told.has(name)) continue
      told.add(name)
      onWaiting?.(record.issue_ref ?? 'pm-agent')
    }
    // Also while an agent works: a task that ends meanwhile is one that was waited for.
    if (tasks !== undefined && (working.length === 0 || performance.now() - queueLooked > queueLookMs)) {
      unfinished = await tasks.unfinished()
      queueLooked = performance.now()
    }
    const waiting = working.length > 0 ? [] : unfinished
    if (working.length + waiting.length === 0) {
      // Read after the queue: a task that has left the queue has its run in the session file, or has had it.
      const sessions = readAll(home, names)
      if (atWork(sessions).length === 0) return { sessions, failed: (await tasks?.failed()) ?? [] }
    }
    const waited = performance.now() - from
    if (timeoutMs !== undefined && waited >= timeoutMs) throw tooLong(waited, working, waiting)
    if (performance.now() - daemonLooked > daemonLookMs) {
      await home.daemon.wake()
      await requireDispatching(home, waiting)
      daemonLooked = performance.now()
    }
    await sleep(waiting.length > 0 ? queueLookMs : lookMs, undefined, { signal: home.signal })
  }
}

function readAll(home: Home, names: readonly string[]): Waited['sessions'] {
  return names.map((name) => ({ name, record: readSession(home, name) }))
}

function atWork(sessions: Waited['sessions']): Waited['sessions'] {
  return sessions.filter(({ record }) => record?.run || record?.state === 'starting')
}

/** Throws KugetsuError `not_dispatching` when one of the tasks waits and nothing takes tasks from the queue. */
export async function requireDispatching(home: Home, waiting: readonly Item[]): Promise<void> {
  const pending = waiting.find(({ state }) => state === 'pending')
  if (pending === undefined || (await home.daemon.takesTasks())) return
  throw new KugetsuError(
    `${ownerOf(pending)} has a task in the queue (${pending.id}), and no daemon takes tasks from it`,
    {
      hint: 'Start the daemon: kugetsu queue-daemon start',
      code: 'not_dispatching',
    },
  )
}

function tooLong(waitedMs: number, working: Waited['sessions'], waiting: readonly Item[]): KugetsuError {
  const queued = waiting.filter(({ state }) => state === 'pending').map((item) => `${ownerOf(item)} (${item.id})`)
  const refs = working.map(({ name, record }) => record?.issue_ref ?? name)
  const about = refs.length > 0 ? refs : waiting.map(ownerOf)
  const how = refs.length === 0 && queued.length > 0 ? `still queued after` : 'still at work after'
  return new KugetsuError(
    `${how} ${Math.round(waitedMs / 1000)} s: ${(queued.length > 0 ? queued : about).join(', ')}`,
    {
      hint:
        queued.length > 0
          ? `See why it waits: kugetsu explain ${about[0] ?? ''}`
          : `Watch it with "kugetsu logs -f ${about[0] ?? ''}".`,
      code: 'timed_out',
      exitCode: exitCodes.timedOut,
    },
  )
}

function ownerOf({ issue_ref }: Item): string {
  return issue_ref ?? 'pm-agent'
}
