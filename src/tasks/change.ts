/** Takes tasks out of the queue, and puts failed ones back. */
import { setTimeout as sleep } from 'node:timers/promises'
import { note } from '../activity/journal.ts'
import type { Home } from '../config/home.ts'
import { codeOf, KugetsuError } from '../core/errors.ts'
import { findId } from '../queue/find.ts'
import type { Item } from '../queue/item.ts'
import { inOrder, issueKey } from '../queue/pick.ts'
import type { Queue } from '../queue/queue.ts'
import { isFinished, openAttempt, retried } from '../queue/transitions.ts'
import { checkMessage } from '../sessions/starting/message.ts'
import { tellOf, type Queued } from './enqueue.ts'
import { openTasks } from './open-tasks.ts'

const dayMs = 86_400_000
/** How long the daemon may take to undo a start that it was told to stop. */
const undoMs = 60_000
const lookMs = 50

/** The task with that id or unique end of an id. Throws KugetsuError `unknown_item`, or as findId() for an ambiguous end. */
export async function findTask(queue: Queue, text: string): Promise<Item> {
  const id = findId(await queue.ids(), text)
  const item = await queue.get(id)
  if (item !== undefined) return item
  throw new KugetsuError(`no item ${id} in the queue`, { hint: 'See "kugetsu queue list".', code: 'unknown_item' })
}

/** Removes a task that no agent has yet; a start of it is stopped. Throws KugetsuError `not_pending`. */
export async function removeTask(home: Home, text: string): Promise<Item> {
  const queue = await openTasks(home)
  const item = await findTask(queue, text)
  const isFree = (current: Item) => current.state === 'pending' && openAttempt(current) === undefined
  const isStopped = (current: Item) => isFree(current) || current.attempts.at(-1)?.outcome === 'stopped'
  const isStarting = item.state === 'pending' && openAttempt(item) !== undefined
  if (isStarting) await stopStart(home, { queue, item, isStopped })
  const [removed] = await queue.remove([item.id], isStarting ? isStopped : isFree)
  if (removed === undefined) {
    const now = (await queue.get(item.id)) ?? item
    throw new KugetsuError(`${item.id} is not pending any more: ${now.state === 'pending' ? 'starting' : now.state}`, {
      hint: isFinished(now)
        ? '"kugetsu queue clear --all" removes tasks that ended.'
        : `Stop its agent: kugetsu stop ${now.issue_ref ?? 'pm-agent'}`,
      code: 'not_pending',
    })
  }
  note(home, 'removed', { issue_ref: item.issue_ref, reason: `queue item ${item.id}` })
  await home.daemon.takesTasks() // discards what is prepared for it
  return item
}

/** The tasks of an issue that no agent has yet. */
export async function waitingTasksOf(home: Home, issueRef: string): Promise<Item[]> {
  const queue = await openTasks(home)
  return (await queue.list({ states: ['pending'], owners: new Set([issueKey(issueRef)]) })).items
}

/** Removes those tasks, as removeTask(); returns the ones that were removed. */
export async function removeTasksOf(home: Home, issueRef: string): Promise<Item[]> {
  const removed: Item[] = []
  for (const { id } of await waitingTasksOf(home, issueRef)) {
    try {
      removed.push(await removeTask(home, id))
    } catch (error) {
      // An agent has it by now, or another command has removed it.
      if (!['not_pending', 'unknown_item'].includes(codeOf(error) ?? '')) throw error
    }
  }
  return removed
}

/**
 * Adds a message to the first waiting task of an issue; returns the task, undefined when none waits any more. Throws
 * KugetsuError `bad_message` when both messages together are too long.
 */
export async function addToTask(home: Home, issueRef: string, message: string): Promise<Item | undefined> {
  const queue = await openTasks(home)
  for (const { id } of inOrder(await waitingTasksOf(home, issueRef))) {
    let added: Item | undefined
    await queue.change(id, (current) => {
      if (current.state !== 'pending' || openAttempt(current) !== undefined) return undefined
      const joined = [current.message, message].filter((each) => each.trim() !== '').join('\n\n')
      checkMessage(joined)
      added = { ...current, message: joined }
      return added
    })
    if (added !== undefined) return added
  }
  return undefined
}

/** Makes the daemon stop the start of a task and undo what it made. Returns once it has, or after a minute. */
async function stopStart(
  home: Home,
  { queue, item, isStopped }: { queue: Queue; item: Item; isStopped: (item: Item) => boolean },
): Promise<void> {
  const cancelled = await home.daemon.cancelStart({ issue: item.issue_ref, item: item.id })
  const until = performance.now() + (cancelled ? undoMs : 0)
  for (;;) {
    const now = await queue.get(item.id)
    if (now === undefined || isStopped(now) || performance.now() >= until) return
    await sleep(lookMs, undefined, { signal: home.signal })
  }
}

/** Puts a task that ended as an error back. Throws KugetsuError `not_failed` for any other. */
export async function retryTask(home: Home, text: string): Promise<Queued> {
  const queue = await openTasks(home)
  const { id } = await findTask(queue, text)
  let before: Item | undefined
  const item = await queue.change(id, (current) => {
    before = current
    return retried(current, home.now())
  })
  if (item === undefined || before?.state !== 'error') {
    throw new KugetsuError(`${id} has not ended as an error: it is ${before?.state ?? 'gone'}`, {
      hint: 'Only a task that ended as an error can be retried.',
      code: 'not_failed',
    })
  }
  return tellOf(home, item)
}

/** Removes the tasks that ended, all or those that ended more than `days` ago; returns their ids. */
export async function clearTasks(home: Home, days: number | 'all'): Promise<string[]> {
  const queue = await openTasks(home)
  const before = days === 'all' ? Infinity : home.now().getTime() - days * dayMs
  const isOld = (item: Item) => days === 'all' || Date.parse(item.completed_at ?? item.pending_since ?? '') < before
  const mayGo = (item: Item) => isFinished(item) && isOld(item)
  const { items } = await queue.list({ states: ['completed', 'error'] })
  const ids = items.filter(mayGo).map(({ id }) => id)
  const removed = await queue.remove(ids, mayGo)
  if (removed.length > 0) await home.daemon.takesTasks()
  return removed
}
