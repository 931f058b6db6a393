import { setTimeout as sleep } from 'node:timers/promises'
import { KugetsuError } from '../../../core/errors.ts'
import { formatRef } from '../../../core/issue-ref.ts'
import { plainLine, plainText } from '../../../core/plain-text.ts'
import { daemonStatus, pokeDispatcher, supervisionOf } from '../../../daemon/control.ts'
import { openQueue } from '../../../queue/file-queue.ts'
import { countItems, findId } from '../../../queue/find.ts'
import type { Attempt, Item } from '../../../queue/item.ts'
import { takeOverOldQueue } from '../../../queue/old-queue.ts'
import type { Queue } from '../../../queue/queue.ts'
import { isFinished, openAttempt, retried } from '../../../queue/transitions.ts'
import { waitingOf } from '../../../queue/waiting.ts'
import { note } from '../../../activity/journal.ts'
import { spoolQueued } from '../../../activity/notification-spool.ts'
import { nameOf } from '../../../sessions/file/session-name.ts'
import { readSession } from '../../../sessions/file/store.ts'
import type { Context } from '../../terminal/context.ts'
import { enqueue, tellQueued } from '../../enqueue.ts'
import { messageFrom } from '../../message.ts'
import { age, printJson, styled, table } from '../../terminal/output.ts'
import { issueRef, pmAgentWord } from '../../refs.ts'

interface Options {
  json?: boolean
}

const header = ['ID', 'STATE', 'AGE', 'ISSUE_REF', 'MESSAGE']
const shownMessage = 200
const dayMs = 86_400_000
/** How long a start that was told to stop may take to take back what it has made. */
const undoMs = 60_000
const lookMs = 50

export async function runQueueList(context: Context, options: Options): Promise<void> {
  const queue = await queueOf(context)
  if (options.json === true) return printJson(context, (await queue.all()).items)
  const now = context.now()
  const rows = await queue.each((item) => [
    item.id,
    item.state,
    age(item.pending_since, now),
    item.kind === 'pm' ? pmAgentWord : plainLine(item.issue_ref ?? '', shownMessage),
    plainLine(item.error === null ? item.message : `${item.error} ← ${item.message}`, shownMessage),
  ])
  const fit = { columns: context.io.columns, cutFirst: ['MESSAGE'], keepEnd: ['ISSUE_REF'] }
  context.io.out(table(header, rows, context.io.terminal ? fit : undefined))
  const shortage = rows.some(([, state]) => state === 'pending') ? await shortageNow(context) : undefined
  if (shortage !== undefined) context.io.err(`Tasks wait: ${shortage}\n`)
}

export async function runQueueEnqueue(
  context: Context,
  options: Options & { ref: string; message: string; base?: string; model?: string; agent?: string },
): Promise<void> {
  const ref = await issueRef(context, options.ref, { begins: true })
  const message = await messageFrom(context, options.message)
  if (message.trim() === '') {
    throw new KugetsuError('the message is empty', {
      hint: `Say what is to be done: kugetsu queue enqueue ${formatRef(ref)} "fix the login bug"`,
      code: 'usage',
    })
  }
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

export async function runQueueStats(context: Context, options: Options): Promise<void> {
  const counts = countItems(await (await queueOf(context)).each(({ state }) => ({ state })))
  if (options.json === true) return printJson(context, counts)
  context.io.out(
    table(
      ['STATE', 'TASKS'],
      Object.entries(counts).map(([state, count]) => [state, String(count)]),
    ),
  )
}

export async function runQueueShow(context: Context, options: Options & { id: string }): Promise<void> {
  const queue = await queueOf(context)
  const item = await itemOf(queue, options.id)
  if (options.json === true) return printJson(context, item)
  const { io } = context
  const line = (name: string, value: string | null | undefined) =>
    value && io.out(`  ${name.padEnd(10)}${plainLine(value, 1000)}\n`)
  io.out(
    `${styled(context, 'bold', item.id)}  ${item.kind === 'pm' ? pmAgentWord : plainLine(item.issue_ref ?? '', shownMessage)}\n`,
  )
  line('state', item.state)
  line('waits', item.state === 'pending' ? await whyItWaits(context, queue, item) : null)
  line('queued', item.pending_since)
  line('started', item.notified_at)
  line('ended', item.completed_at)
  line('error', item.error)
  line('session', item.opencode_session_id)
  line('branch', item.result?.branch)
  line('commits', item.result?.commits === undefined || item.result.commits === null ? null : `${item.result.commits}`)
  line('pr', item.pr_url)
  line('cost', item.result?.cost === undefined || item.result.cost === null ? null : `$${item.result.cost.toFixed(4)}`)
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
  const queue = await queueOf(context)
  const item = await itemOf(queue, options.id)
  const isFree = (current: Item) => current.state === 'pending' && openAttempt(current) === undefined
  const isStopped = (current: Item) => isFree(current) || current.attempts.at(-1)?.outcome === 'stopped'
  const isStarting = (current: Item) => current.state === 'pending' && openAttempt(current) !== undefined
  const [removed] = isStarting(item)
    ? await removeStarting(context, queue, item, isStopped)
    : await queue.remove([item.id], isFree)
  if (removed === undefined) {
    const now = (await queue.get(item.id)) ?? item
    throw new KugetsuError(`${item.id} is not pending any more: ${now.state === 'pending' ? 'starting' : now.state}`, {
      hint: isFinished(now)
        ? 'What has ended is removed by "kugetsu queue clear --all".'
        : `Stop its agent: kugetsu stop ${now.issue_ref ?? pmAgentWord}`,
      code: 'not_pending',
    })
  }
  note(context, 'removed', { issue_ref: item.issue_ref, reason: `queue item ${item.id}` })
  await pokeDispatcher(context) // takes back what is prepared for it
  if (options.json === true) return printJson(context, item)
  context.io.out(`Removed ${item.id} (${plainLine(item.issue_ref ?? pmAgentWord, shownMessage)})\n`)
}

/** Has the daemon end the start of the task and take back what it made, then removes the task. */
async function removeStarting(
  context: Context,
  queue: Queue,
  { id, issue_ref: issue }: Item,
  mayGo: (item: Item) => boolean,
): Promise<string[]> {
  const cancelled = await supervisionOf(context).cancelStart({ issue, item: id })
  const until = performance.now() + (cancelled ? undoMs : 0)
  const isStopped = (item: Item | undefined) => item === undefined || mayGo(item)
  while (!isStopped(await queue.get(id)) && performance.now() < until) {
    await sleep(lookMs, undefined, { signal: context.signal })
  }
  return queue.remove([id], mayGo)
}

export async function runQueueRetry(context: Context, options: Options & { id: string }): Promise<void> {
  const queue = await queueOf(context)
  const { id } = await itemOf(queue, options.id)
  let before: Item | undefined
  const item = await queue.change(id, (current) => {
    before = current
    return retried(current, context.now())
  })
  if (item === undefined || before?.state !== 'error') {
    throw new KugetsuError(`${id} has not ended as an error: it is ${before?.state ?? 'gone'}`, {
      hint: 'Only what ended as an error can be tried again.',
      code: 'not_failed',
    })
  }
  spoolQueued(context, item)
  tellQueued(context, options, { item, dispatching: await pokeDispatcher(context) })
}

export async function runQueueClear(context: Context, options: Options & { all?: boolean }): Promise<void> {
  const queue = await queueOf(context)
  const days = context.settings().queueCleanupAgeDays
  const before = context.now().getTime() - days * dayMs
  const mayGo = (item: Item) =>
    isFinished(item) && (options.all === true || Date.parse(item.completed_at ?? item.pending_since ?? '') < before)
  const ids = (await queue.all()).items.filter(mayGo).map(({ id }) => id)
  const removed = await queue.remove(ids, mayGo)
  if (removed.length > 0) await pokeDispatcher(context)
  if (options.json === true) return printJson(context, { removed })
  const which = options.all === true ? 'that had ended' : `that had ended more than ${days} days ago`
  context.io.out(`Removed ${removed.length} ${removed.length === 1 ? 'task' : 'tasks'} ${which}\n`)
}

/** The queue, with what a first version of the bash tool may have left in queue.json. */
async function queueOf(context: Context): Promise<Queue> {
  await takeOverOldQueue(context)
  return openQueue(context)
}

async function itemOf(queue: Queue, text: string): Promise<Item> {
  const id = findId(await queue.ids(), text)
  const item = await queue.get(id)
  if (item !== undefined) return item
  throw new KugetsuError(`no item ${id} in the queue`, { hint: 'See "kugetsu queue list".', code: 'unknown_item' })
}

async function whyItWaits(context: Context, queue: Queue, item: Item): Promise<string> {
  const waiting = waitingOf(item, (await queue.all()).items, context.now())
  const { ahead, busy, pauseMs } = waiting
  if (waiting.starting) return 'it is being started'
  const reasons: string[] = []
  if ((await daemonStatus(context))?.dispatching !== true)
    reasons.push('no daemon takes tasks: kugetsu queue-daemon start')
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
