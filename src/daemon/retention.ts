/**
 * Limits what is kept of finished work: finished tasks and the transcripts of removed sessions, for
 * QUEUE_CLEANUP_AGE_DAYS and at most QUEUE_KEEP_FINISHED of each. Unfinished tasks and the transcripts of existing
 * sessions are never removed.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { listDirectory, removeFile } from '../platform/files.ts'
import { removeLock } from '../platform/locks.ts'
import type { Item } from '../queue/item.ts'
import type { Queue } from '../queue/queue.ts'
import { isFinished } from '../queue/transitions.ts'
import { note } from '../activity/journal.ts'
import { slotHolders } from '../sessions/slots/slots.ts'
import { readAllSessions } from '../sessions/file/store.ts'

const dayMs = 86_400_000
/** Days that the logs of messages to the PM agent are kept. */
const delegationDays = 7

/** Removes the finished tasks beyond what is kept. Returns how many were removed. */
export async function clearFinished(home: Home, queue: Queue): Promise<number> {
  const { queueCleanupAgeDays: days } = home.settings()
  const { shown } = await queue.each((item) => {
    const { id, issue_ref, state, completed_at, error, pending_since } = item
    return isFinished(item) ? [{ id, issue_ref, state, completed_at, error, pending_since }] : []
  })
  const timeOf = (item: Ended) => Date.parse(item.completed_at ?? item.pending_since ?? '')
  const gone = beyond(home, days, shown.flat(), timeOf)
  const removed = new Set(
    await queue.remove(
      gone.map(({ id }) => id),
      isFinished,
    ),
  )
  for (const item of gone.filter(({ id }) => removed.has(id))) {
    note(home, 'removed', { issue_ref: item.issue_ref, reason: `queue item ${item.id}: ${fateOf(item)}` })
  }
  return removed.size
}

type Ended = Pick<Item, 'id' | 'issue_ref' | 'state' | 'completed_at' | 'error' | 'pending_since'>

function fateOf({ state, completed_at: at, error }: Ended): string {
  return `${state === 'completed' ? 'completed' : `ended as an error (${error ?? 'without a reason'})`} at ${at ?? '?'}, kept long enough`
}

/**
 * Removes the transcripts beyond what is kept that belong to no session and no task. Returns how many were removed. Removes
 * none while it is unclear which sessions exist.
 */
export async function clearTranscripts(home: Home, queue: Queue): Promise<number> {
  const sessions = readAllSessions(home)
  if (sessions === undefined) return 0
  const names = new Set(sessions.map(({ name }) => name))
  const isUnclear = slotHolders(home).some(({ phase, session }) => phase === 'run' && !names.has(session))
  const { shown, unread } = await queue.each(({ opencode_session_id: id }) => id)
  if (isUnclear || unread.length > 0) return 0
  const used = new Set([...sessions.map(({ record }) => record.opencode_session_id), ...shown])
  const idOf = (name: string) => /^dev-(.+)\.log$/.exec(name)?.[1]
  const { queueCleanupAgeDays: days } = home.settings()
  return remove(home, days, (name) => idOf(name) !== undefined && !used.has(idOf(name)))
}

/** The same for the messages to the PM agent, except those of unfinished tasks. */
export async function clearDelegations(home: Home, queue: Queue): Promise<number> {
  const { shown, unread } = await queue.each((item) => (isFinished(item) ? [] : [item.id]))
  const open = new Set([...unread, ...shown.flat()])
  const idOf = (name: string) => /^delegate-(.+)\.log$/.exec(name)?.[1]
  return remove(home, delegationDays, (name) => idOf(name) !== undefined && !open.has(idOf(name) ?? ''))
}

/** Removes the lock files of issues without a session, unless the lock is held. Returns how many were removed. */
export async function clearLocks(home: Home): Promise<number> {
  const known = new Set(listDirectory(home.paths.sessions).map((name) => `issue-${path.basename(name, '.json')}.lock`))
  return listDirectory(home.paths.locks).filter(
    (name) => /^issue-.+\.lock$/.test(name) && !known.has(name) && removeLock(path.join(home.paths.locks, name)),
  ).length
}

function remove(home: Home, days: number, isMeant: (name: string) => boolean): number {
  const { logs } = home.paths
  const found = listDirectory(logs)
    .filter(isMeant)
    .flatMap((name) => {
      const stat = fs.lstatSync(path.join(logs, name), { throwIfNoEntry: false })
      return stat?.isFile() === true ? [{ name, modified: stat.mtimeMs }] : []
    })
  const gone = beyond(home, days, found, ({ modified }) => modified)
  for (const { name } of gone) {
    removeFile(path.join(logs, name))
    removeFile(path.join(logs, `.${path.basename(name, '.log')}.written`))
  }
  return gone.length
}

/** The entries that are older than `days`, or not among the newest QUEUE_KEEP_FINISHED. */
function beyond<T>(home: Home, days: number, all: readonly T[], timeOf: (each: T) => number): T[] {
  const { queueKeepFinished: most } = home.settings()
  const before = home.now().getTime() - days * dayMs
  const newestFirst = all.toSorted((a, b) => timeOf(b) - timeOf(a))
  return newestFirst.filter((each, index) => index >= most || timeOf(each) < before)
}
