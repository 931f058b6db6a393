/** Begins what `start` and `continue` were asked for on one issue, and tells the outcome. */
import { exitCodes, KugetsuError } from '../../../core/errors.ts'
import { formatRef, type IssueRef } from '../../../core/issue-ref.ts'
import type { Item } from '../../../queue/item.ts'
import { nameOf } from '../../../sessions/file/session-name.ts'
import { readSession } from '../../../sessions/file/store.ts'
import type { Started, StartRequest } from '../../../sessions/starting/request.ts'
import { startAgent } from '../../../sessions/starting/start.ts'
import { sessionView } from '../../../sessions/status/session-view.ts'
import type { Queued } from '../../../tasks/enqueue.ts'
import type { Issue } from '../../../tasks/issues.ts'
import { queuedText } from '../../queued.ts'
import type { Context } from '../../terminal/context.ts'
import { styled, tilde } from '../../terminal/output.ts'
import { statusWords } from './issue-table.ts'

export interface BeginOptions {
  command: 'start' | 'continue'
  base?: string
  model?: string
  agent?: string
  fresh?: boolean
  queue?: boolean
  now?: boolean
  json?: boolean
}

/** What is said to an agent. */
export interface Wish {
  message: string
  prUrl: string | undefined
}

/** What became of it: an agent works, or a task waits in the queue. */
export interface Begun {
  /** The canonical ref. */
  label: string
  /** The session's. */
  name: string
  hasSession: boolean
  /** `continue` began the issue, which kugetsu did not know. */
  isNew: boolean
  message: string
  started?: Started
  /** A new task, or the waiting one (with its issue) to which the message was added. */
  task?: Queued & { waiting?: Issue }
}

/**
 * Starts an agent, or tells the one at work. Where no slot is free, queues the task if --queue or the session of a
 * `continue` allows it; a `continue` of a queued issue adds to its task. Throws KugetsuError as
 * startAgent() does.
 */
export async function beginIssue(
  context: Context,
  options: BeginOptions,
  ref: IssueRef,
  { message, prUrl }: Wish,
): Promise<Begun> {
  const label = formatRef(ref)
  const before = readSession(context, nameOf(context, ref))
  const isNew = options.command === 'continue' && before === undefined
  const about = { label, message, isNew }
  if (isNew && options.now !== true) {
    const task = await addToQueued(context, label, message)
    if (task !== undefined) return { ...about, name: nameOf(context, ref), hasSession: false, isNew: false, task }
  }
  const { base, model, agent, fresh, now } = options
  const request = { ref, message, prUrl, base, model, agent, fresh, now }
  try {
    const started = await startAgent(context, request)
    return { ...about, name: started.name, hasSession: true, started }
  } catch (error) {
    if (!(error instanceof KugetsuError) || error.exitCode !== exitCodes.noFreeSlot) throw error
    const session = readSession(context, nameOf(context, ref))
    const priority = options.command === 'continue' && session?.opencode_session_id ? 1 : 0
    // `continue` of an issue with a session is never refused; any other task is queued only with --queue.
    if (priority === 0 && options.queue !== true) throw error
    const task = await queueInstead(context, request, priority)
    return { ...about, name: nameOf(context, ref), hasSession: session !== undefined, task }
  }
}

/** Adds the message to the waiting task of an issue. Undefined when it has none that waits. */
async function addToQueued(context: Context, label: string, message: string): Promise<Begun['task']> {
  const [{ addToTask }, { readIssue }] = await Promise.all([
    import('../../../tasks/change.ts'),
    import('../../../tasks/issues.ts'),
  ])
  const waiting = await readIssue(context, label)
  if (waiting?.status !== 'queued') return undefined
  const item = await addToTask(context, label, message)
  return item && { item, dispatching: true, waiting }
}

async function queueInstead(context: Context, request: StartRequest, priority: number): Promise<Queued> {
  const { enqueue } = await import('../../../tasks/enqueue.ts')
  const { prUrl, base, model, agent, fresh } = request
  return enqueue(context, {
    issue_ref: formatRef(request.ref),
    message: request.message,
    priority,
    ...(prUrl === undefined ? {} : { pr_url: prUrl }),
    ...(base === undefined ? {} : { base }),
    ...(model === undefined ? {} : { model }),
    ...(agent === undefined ? {} : { agent }),
    ...(fresh === undefined ? {} : { fresh }),
  })
}

/** What --json prints of it: the session, or the task. */
export function viewOf(context: Context, { name, started, task }: Begun): Item | ReturnType<typeof sessionView> {
  if (task !== undefined) return task.item
  return sessionView(context, name, started?.record ?? { type: 'forked', state: 'idle' })
}

export function tellBegun(context: Context, begun: Begun): void {
  const { label, isNew, message, started, task } = begun
  const { out } = context.io
  // It may be the wrong issue.
  if (isNew) out(`kugetsu did not know ${label}: it starts an agent now\n`)
  if (started !== undefined) out(startedText(context, started))
  else if (task?.waiting !== undefined) {
    const { item, waiting } = task
    const what = message.trim() === '' ? 'It waits' : `The message was added to its task ${item.id}, which waits`
    out(`${styled(context, 'bold', label)} is ${statusWords(waiting)}. ${what} for a free slot\n`)
  } else if (task !== undefined) out(queuedText(context, task))
}

function startedText(context: Context, { how, name, record, recovery }: Started): string {
  const what = {
    started: 'An agent works on',
    continued: 'The agent goes on with',
    // A script that reads a pipe finds the words of 0.1.0 there.
    steered: context.io.terminal ? 'Sent to the running agent on' : 'The message joins the work on',
  }[how]
  const before =
    recovery === undefined ? '' : `  before    saved as ${recovery.ref} in ${tilde(context, recovery.mirror)}\n`
  return (
    `${styled(context, 'green', what)} ${styled(context, 'bold', record.issue_ref ?? name)}\n` +
    `  session   ${record.opencode_session_id ?? ''}\n` +
    `  worktree  ${tilde(context, record.worktree_path ?? '')}\n` +
    `  branch    ${record.branch_name ?? ''}${record.base_branch ? ` (from ${record.base_branch})` : ''}\n` +
    `  follow    kugetsu logs -f ${record.issue_ref ?? name}\n${before}`
  )
}
