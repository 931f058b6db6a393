/** Putting a task into the queue, for the commands that do. */
import { setTimeout as sleep } from 'node:timers/promises'
import { exitCodes, KugetsuError } from '../core/errors.ts'
import { plainLine, plainText } from '../core/plain-text.ts'
import { pokeDispatcher } from '../daemon/control.ts'
import { openQueue } from '../queue/file-queue.ts'
import type { Item, Task } from '../queue/item.ts'
import { takeOverOldQueue } from '../queue/old-queue.ts'
import { isFinished } from '../queue/transitions.ts'
import { requireBase } from '../sessions/file/base-session.ts'
import { note } from '../activity/journal.ts'
import { checkMessage } from '../sessions/starting/message.ts'
import { spoolQueued } from '../activity/notification-spool.ts'
import { daemonLookMs, requireDispatching } from '../sessions/runs/wait.ts'
import type { Context } from './terminal/context.ts'
import { printJson, styled } from './terminal/output.ts'

const lookMs = 200

export interface Queued {
  item: Item
  /** Something takes tasks from the queue. */
  dispatching: boolean
}

/** Puts a task into the queue and says so to the daemon. Throws KugetsuError when it is not safely in. */
export async function enqueue(context: Context, task: Task): Promise<Queued> {
  requireBase(context)
  checkMessage(task.message)
  await takeOverOldQueue(context)
  const item = await openQueue(context).add(task)
  note(context, 'queued', { issue_ref: item.issue_ref, reason: `queue item ${item.id}` })
  spoolQueued(context, item)
  return { item, dispatching: await pokeDispatcher(context) }
}

/** Says what was queued, and that it will stay there when nothing takes it out. */
export function tellQueued(context: Context, options: { json?: boolean }, { item, dispatching }: Queued): void {
  if (options.json === true) return printJson(context, item)
  const what = item.kind === 'pm' ? 'for the PM agent' : styled(context, 'bold', plainLine(item.issue_ref ?? '', 300))
  const ahead = item.priority > 0 ? ', ahead of new work' : ''
  context.io.out(
    `${styled(context, 'green', 'Queued')} ${what} as ${item.id}${ahead}` +
      `${dispatching ? '' : '; no daemon takes tasks: kugetsu queue-daemon start'}\n`,
  )
}

/**
 * Waits for the end of a queued task and says how it ended. Throws KugetsuError `agent_failed` when it ended badly,
 * `timed_out` (exit code 124) after `timeout` seconds, `not_dispatching` when nothing takes it.
 */
export async function reportQueuedEnd(
  context: Context,
  id: string,
  options: { timeout?: number; json?: boolean },
): Promise<void> {
  const queue = openQueue(context)
  const until = options.timeout === undefined ? Infinity : performance.now() + options.timeout * 1000
  let looked = -Infinity
  for (;;) {
    const item = await queue.get(id)
    if (item === undefined) {
      throw new KugetsuError(`${id} was removed from the queue`, { code: 'agent_failed' })
    }
    if (isFinished(item)) {
      if (options.json === true) {
        printJson(context, item)
        if (item.state === 'error') context.setExitCode(exitCodes.failed)
        return
      }
      if (item.state === 'completed') {
        const answer = item.kind === 'pm' ? plainText(item.result?.answer ?? '').trim() : ''
        return context.io.out(answer === '' ? `${styled(context, 'green', 'completed')}  ${item.id}\n` : `${answer}\n`)
      }
      throw new KugetsuError(`${item.issue_ref ?? 'the PM agent'} did not end well: ${item.error ?? ''}`, {
        hint: `See what happened: kugetsu queue show ${id}`,
        code: 'agent_failed',
      })
    }
    if (performance.now() >= until) {
      throw new KugetsuError(
        `${item.issue_ref ?? id} is ${item.state === 'pending' ? 'still queued' : 'still at work'}`,
        {
          hint: `See how it stands: kugetsu queue show ${id}`,
          code: 'timed_out',
          exitCode: exitCodes.timedOut,
        },
      )
    }
    if (performance.now() - looked > daemonLookMs) {
      await requireDispatching({ takesTasks: () => pokeDispatcher(context) }, [item])
      looked = performance.now()
    }
    await sleep(lookMs, undefined, { signal: context.signal })
  }
}
