/**
 * Notifications about runs. Each event's id is made from its run, so an event told twice is one notification.
 *
 * An end is written together with the end of the run (`untold` in the session file) and stays there until it is among
 * the notifications. If the process is killed in between, the daemon's next look or `notify list` tells it.
 */
import type { Home } from '../../config/home.ts'
import { messageOf } from '../../core/errors.ts'
import type { Item } from '../../queue/item.ts'
import type { AtWork } from './at-work.ts'
import { branchNow } from '../file/branches.ts'
import { whatDied } from './interrupted.ts'
import { neverBegan } from './kept-ends.ts'
import { messageLine, type Notice, type NotificationType } from '../../activity/notification.ts'
import { addNotifications, notify } from '../../activity/notifications.ts'
import type { Run, SessionRecord, Ending } from '../file/session-file.ts'
import { changeSession, type StoredSession } from '../file/store.ts'

/** How many can wait in a session file while nothing can be written into the notifications. */
const mostUntold = 10

/** Tells why a task has ended as an error without any run. Never throws. */
export function tellGivenUp(home: Home, item: Item, reason: string): void {
  // The task has one more attempt each time it is put back, so each id is new.
  const id = `task_error_${item.id}_${item.attempts.length}`
  notify(home, { id, type: 'task_error', issue_ref: item.issue_ref, message: reason, queue_item: item.id })
}

/** Tells that an agent has its task, and that it was taken from the queue if it was. Never throws. */
export function tellBegin(home: Home, issueRef: string | null, run: Run, message: string): void {
  notify(home, ...beginOf(issueRef, run, message))
}

/** Tells that these runs were cut off and wait for a daemon; called by a command that found them. Never throws or warns. */
export function tellInterrupted(home: Home, sessions: readonly AtWork[]): void {
  const notices = sessions.flatMap(({ record: { run, issue_ref: ref } }) => {
    const command = `kugetsu wait ${ref ?? 'pm-agent'}`
    return interruptionOf(ref ?? null, run, `${whatDied(run)}; the next daemon resumes it: ${command}`)
  })
  try {
    if (notices.length > 0) addNotifications(home, notices)
  } catch {
    // the next command tells it as well
  }
}

/** Tells that a run was cut off; called by the process that resumes it. Never throws. */
export function tellResumed(home: Home, issueRef: string | null, run: Run): void {
  notify(home, ...interruptionOf(issueRef, run, `${whatDied(run)}; the agent is resumed`))
}

/**
 * The notifications about a run that ends, to be stored in the write that ends it. None for a run that a person stopped,
 * because the person knows. None for a queued task that never reached its agent, because it goes back into the queue.
 */
export function untoldOf(home: Home, record: SessionRecord, run: Run, ending: Ending): SessionRecord['untold'] {
  const isUntold = neverBegan(run, ending)
  if (ending.stopped === true || (isUntold && run.queue_item !== undefined)) return record.untold
  const current = branchNow(record)
  const branch = current ? `on branch ${current}` : 'without a word'
  // The process that should have told its beginning was killed before.
  const begin = record.state === 'starting' && !isUntold ? beginOf(record.issue_ref ?? null, run, branch) : []
  const type = ({ idle: 'task_completed', error: 'task_error', timeout: 'task_timeout' } as const)[ending.state]
  const end = event(type, record.issue_ref ?? null, run, ending.error ?? ending.answer ?? branch)
  const untold = [...begin, end].map(({ id, type, message, queue_item }) => ({
    id,
    type,
    message: messageLine(home, message),
    timestamp: home.now().toISOString(),
    ...(queue_item === undefined ? {} : { queue_item }),
  }))
  return [...(record.untold ?? []), ...untold].slice(-mostUntold)
}

/** Tells the `untold` events of these sessions. Never throws; with `again` it does not warn. */
export async function tellUntold(home: Home, sessions: readonly StoredSession[], again?: 'again'): Promise<void> {
  for (const { name, record } of sessions) {
    const { untold } = record
    if (!untold || untold.length === 0) continue
    const notices = untold.map((each) => ({ ...each, issue_ref: record.issue_ref ?? null }))
    const told = new Set(untold.map(({ id }) => id))
    try {
      addNotifications(home, notices)
      await changeSession(home, name, (current) => {
        const rest = current?.untold?.filter(({ id }) => !told.has(id)) ?? []
        return current?.untold ? { ...current, untold: rest.length > 0 ? rest : undefined } : undefined
      })
    } catch (error) {
      if (again === undefined)
        home.warn(`the end of ${record.issue_ref ?? name} is still to be told: ${messageOf(error)}`)
    }
  }
}

/** For a queued task, `task_dequeued` comes first: both happen at the moment that an agent has the task. */
function beginOf(issueRef: string | null, run: Run, message: string): Notice[] {
  const started = event('task_started', issueRef, run, message)
  return run.queue_item === undefined ? [started] : [event('task_dequeued', issueRef, run, message), started]
}

/** One interruption is the death of one server during one run. A lost resume prompt (server '') is not another one. */
function interruptionOf(issueRef: string | null, run: Run, message: string): Notice[] {
  if (run.server === '') return []
  const told = event('task_interrupted', issueRef, run, message)
  return [{ ...told, id: `${told.id}_${run.server}` }]
}

function event(type: NotificationType, issueRef: string | null, run: Run, message: string): Notice {
  const notice = { id: `${type}_${run.message_ids[0]}`, type, issue_ref: issueRef, message }
  return run.queue_item === undefined ? notice : { ...notice, queue_item: run.queue_item }
}
