import { codeOf, KugetsuError } from '../../../core/errors.ts'
import { formatRef, pmAgentWord } from '../../../core/issue-ref.ts'
import { plainLine, plainText } from '../../../core/plain-text.ts'
import { daemonStatus } from '../../../daemon/control.ts'
import type { Attempt, Item } from '../../../queue/item.ts'
import { findId } from '../../../queue/find.ts'
import { issueKey } from '../../../queue/pick.ts'
import type { Queue } from '../../../queue/queue.ts'
import { isFinished } from '../../../queue/transitions.ts'
import { waitingOf } from '../../../queue/waiting.ts'
import { nameOf } from '../../../sessions/file/session-name.ts'
import { readSession, trackedRefs } from '../../../sessions/file/store.ts'
import type { Context } from '../../terminal/context.ts'
import { clearTasks, findTask, removeTask, retryTask } from '../../../tasks/change.ts'
import { enqueue } from '../../../tasks/enqueue.ts'
import { openTasks } from '../../../tasks/open-tasks.ts'
import { tellQueued } from '../../queued.ts'
import { wordFor } from './queue-list.ts'
import { messageFrom } from '../../message.ts'
import { makeReady } from '../../ready.ts'
import { printJson, styled } from '../../terminal/output.ts'
import { issueAt, issueRef } from '../../refs.ts'

interface Options {
  json?: boolean
}

const shownMessage = 200

export async function runQueueEnqueue(
  context: Context,
  options: Options & { ref: string; message: string; base?: string; model?: string; agent?: string },
): Promise<void> {
  const at = await issueAt(context, options.ref, { begins: true })
  const { ref } = at
  const message = await messageFrom(context, options.message)
  if (message.trim() === '') {
    throw new KugetsuError('the message is empty', {
      hint: `Say what is to be done: kugetsu queue enqueue ${formatRef(ref)} "fix the login bug"`,
      code: 'usage',
    })
  }
  await makeReady(context, { ...options, boots: false }, at)
  const { base, model, agent } = options
  const isContinuation = Boolean(readSession(context, nameOf(context, ref))?.opencode_session_id)
  const queued = await enqueue(context, {
    issue_ref: formatRef(ref),
    message,
    priority: isContinuation ? 1 : 0,
    ...(base === undefined ? {} : { base }),
    ...(model === undefined ? {} : { model }),
    ...(agent === undefined ? {} : { agent }),
  })
  tellQueued(context, options, queued)
}

/**
 * The id of the task that a person means: by an id or a unique part of one, else by its issue. Of the tasks of an
 * issue, those that `isMeant` accepts go first, then the newest. Throws KugetsuError as findId() and issueRef() do.
 */
async function taskId(context: Context, text: string, isMeant: (item: Item) => boolean): Promise<string> {
  const queue = await openTasks(context)
  try {
    if (!text.includes('#')) return findId(await queue.ids(), text)
  } catch (error) {
    // Not so for a whole id, which names no issue.
    if (codeOf(error) !== 'unknown_item' || text.startsWith('q_')) throw error
  }
  const { items } = await queue.list()
  const refs = items.flatMap(({ issue_ref: ref }) => ref ?? [])
  const ref =
    text === pmAgentWord
      ? null
      : formatRef(await issueRef(context, text, { tracked: [...trackedRefs(context), ...refs] }))
  const own = items.filter(({ kind, issue_ref: each }) =>
    ref === null ? kind === 'pm' : issueKey(each) === issueKey(ref),
  )
  const found = own.findLast(isMeant) ?? own.at(-1)
  if (found !== undefined) return found.id
  throw new KugetsuError(`${ref ?? 'the PM agent'} has no task in the queue`, {
    hint: 'See "kugetsu queue list".',
    code: 'unknown_item',
  })
}

export async function runQueueShow(context: Context, options: Options & { id: string }): Promise<void> {
  const queue = await openTasks(context)
  const item = await findTask(queue, await taskId(context, options.id, (each) => !isFinished(each)))
  if (options.json === true) return printJson(context, item)
  const { io } = context
  const line = (name: string, value: string | null | undefined) =>
    value && io.out(`  ${name.padEnd(10)}${plainLine(value, 1000)}\n`)
  io.out(
    `${styled(context, 'bold', item.id)}  ${item.kind === 'pm' ? pmAgentWord : plainLine(item.issue_ref ?? '', shownMessage)}\n`,
  )
  if (context.io.terminal) line('status', wordFor(item))
  else line('state', item.state)
  line('waits', item.state === 'pending' ? await whyItWaits(context, queue, item) : null)
  line('queued', item.pending_since)
  line('started', item.notified_at)
  line('ended', item.completed_at)
  line('error', item.error)
  line('session', item.opencode_session_id)
  line('branch', item.result?.branch)
  line('commits', item.result?.commits === undefined || item.result.commits === null ? null : `${item.result.commits}`)
  line('pr', item.pr_url)
  line('cost', item.result?.cost === undefined || item.result.cost === null ? null : `$${item.result.cost.toFixed(2)}`)
  io.out('  message\n')
  for (const each of plainText(item.message).trimEnd().split('\n')) io.out(`    ${each}\n`)
  if (item.result?.answer) {
    io.out('  answer\n')
    for (const each of plainText(item.result.answer).trimEnd().split('\n')) io.out(`    ${each}\n`)
  }
  if (item.attempts.length > 0) io.out('  attempts\n')
  item.attempts.forEach((attempt, index) => io.out(`    ${index + 1}. ${attemptLine(attempt)}\n`))
}

export async function runQueueRemove(context: Context, options: Options & { id: string }): Promise<void> {
  const id = await taskId(context, options.id, ({ state }) => state === 'pending')
  const item = await removeTask(context, id)
  if (options.json === true) return printJson(context, item)
  context.io.out(`Removed ${item.id} (${plainLine(item.issue_ref ?? pmAgentWord, shownMessage)})\n`)
}

export async function runQueueRetry(context: Context, options: Options & { id: string }): Promise<void> {
  const id = await taskId(context, options.id, ({ state }) => state === 'error')
  tellQueued(context, options, await retryTask(context, id))
}

export async function runQueueClear(context: Context, options: Options & { all?: boolean }): Promise<void> {
  const days = context.settings().queueCleanupAgeDays
  const removed = await clearTasks(context, options.all === true ? 'all' : days)
  if (options.json === true) return printJson(context, { removed })
  const which = options.all === true ? 'that had ended' : `that had ended more than ${days} days ago`
  context.io.out(`Removed ${removed.length} ${removed.length === 1 ? 'task' : 'tasks'} ${which}\n`)
}

async function whyItWaits(context: Context, queue: Queue, item: Item): Promise<string> {
  const { items } = await queue.list({ states: ['pending', 'notified'] })
  const waiting = waitingOf(item, items, context.now())
  const { ahead, busy, pauseMs } = waiting
  if (waiting.starting) return 'it is being started'
  const reasons: string[] = []
  if ((await daemonStatus(context))?.dispatching !== true)
    reasons.push('no daemon takes tasks (run: kugetsu queue-daemon start)')
  if (pauseMs > 0) reasons.push(`the next attempt is in ${Math.ceil(pauseMs / 1000)} s`)
  if (ahead > 0) reasons.push(`${ahead} ${ahead === 1 ? 'is' : 'are'} ahead of it`)
  if (busy !== undefined) reasons.push(`${busy.id} is at work on the same issue`)
  const shortage = item.kind === 'dev' ? await shortageNow(context) : undefined
  if (shortage !== undefined) reasons.push(shortage)
  if (reasons.length > 0) return reasons.join('; ')
  return item.kind === 'pm' ? 'for the PM agent' : 'for a free slot'
}

async function shortageNow(context: Context): Promise<string | undefined> {
  return (await import('../../shortage.ts')).shortageNow(context)
}

function attemptLine(attempt: Attempt): string {
  const ended = attempt.ended_at === null ? '' : ` to ${plainLine(attempt.ended_at, 40)}`
  const times = `${plainLine(attempt.started_at ?? '?', 40)}${ended}`
  const reason = attempt.reason === null ? '' : `: ${plainLine(attempt.reason, 1000)}`
  return `${times}  ${plainLine(attempt.outcome ?? 'going on', 40)}${reason}`
}
