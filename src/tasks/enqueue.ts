/** Puts tasks into the queue, and waits for their end. */
import { setTimeout as sleep } from 'node:timers/promises'
import { note } from '../activity/journal.ts'
import { notifyNew } from '../activity/notifications.ts'
import type { Home } from '../config/home.ts'
import { exitCodes, KugetsuError } from '../core/errors.ts'
import type { Item, Task } from '../queue/item.ts'
import { isFinished } from '../queue/transitions.ts'
import { requireBase } from '../sessions/file/store.ts'
import { daemonLookMs, requireDispatching } from '../sessions/runs/wait.ts'
import { checkMessage } from '../sessions/starting/message.ts'
import { openTasks } from './open-tasks.ts'

const lookMs = 200

export interface Queued {
  item: Item
  /** A daemon takes tasks from the queue. */
  dispatching: boolean
}

/** Puts a task into the queue and wakes the daemon. Throws KugetsuError when the task is not safely in the queue. */
export async function enqueue(home: Home, task: Task): Promise<Queued> {
  requireBase(home)
  checkMessage(task.message)
  const item = await (await openTasks(home)).add(task)
  note(home, 'queued', { issue_ref: item.issue_ref, reason: `queue item ${item.id}` })
  return tellOf(home, item)
}

/** Notifies of a task just queued, and wakes the daemon. */
export async function tellOf(home: Home, item: Item): Promise<Queued> {
  // The task has one more attempt each time it is put back, so each id is new.
  const id = `task_queued_${item.id}_${item.attempts.length}`
  const { issue_ref, message } = item
  notifyNew(home, { id, type: 'task_queued', issue_ref, message, queue_item: item.id })
  return { item, dispatching: await home.daemon.takesTasks() }
}

/**
 * Waits until a task has ended; returns it. Throws KugetsuError `agent_failed` when it was removed, `timed_out` (exit code
 * 124) after `timeoutMs` milliseconds, `not_dispatching` when no daemon takes it.
 */
export async function waitForTask(
  home: Home,
  { id, timeoutMs = Infinity }: { id: string; timeoutMs?: number | undefined },
): Promise<Item> {
  const queue = home.queue()
  const until = performance.now() + timeoutMs
  let looked = -Infinity
  for (;;) {
    const item = await queue.get(id)
    if (item === undefined) throw new KugetsuError(`${id} was removed from the queue`, { code: 'agent_failed' })
    if (isFinished(item)) return item
    if (performance.now() >= until) {
      const how = item.state === 'pending' ? 'still queued' : 'still at work'
      throw new KugetsuError(`${item.issue_ref ?? id} is ${how}`, {
        hint: `See its state: kugetsu queue show ${id}`,
        code: 'timed_out',
        exitCode: exitCodes.timedOut,
      })
    }
    if (performance.now() - looked > daemonLookMs) {
      await requireDispatching(home, [item])
      looked = performance.now()
    }
    await sleep(lookMs, undefined, { signal: home.signal })
  }
}
