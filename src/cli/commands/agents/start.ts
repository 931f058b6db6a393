import { startOf } from '../../../core/columns.ts'
import { exitCodes, KugetsuError } from '../../../core/errors.ts'
import { formatRef, type IssueRef } from '../../../core/issue-ref.ts'
import { isPmAgent } from '../../../core/within-agent.ts'
import { nameOf } from '../../../sessions/file/session-name.ts'
import { startAgent } from '../../../sessions/starting/start.ts'
import type { Started, StartRequest } from '../../../sessions/starting/request.ts'
import { readSession } from '../../../sessions/file/store.ts'
import { sessionView } from '../../../sessions/status/session-view.ts'
import type { Context } from '../../terminal/context.ts'
import { requireWith } from '../../flags.ts'
import { messageFrom } from '../../message.ts'
import { makeReady } from '../../ready.ts'
import { printJson, styled, tilde } from '../../terminal/output.ts'
import { issueAt } from '../../refs.ts'
import { statusWords } from './issue-table.ts'
import { reportEnds } from './wait.ts'

export interface StartOptions {
  command: 'start' | 'continue'
  ref: string
  message?: string | undefined
  prUrl?: string | undefined
  wait?: boolean
  timeout?: number
  base?: string
  model?: string
  agent?: string
  fresh?: boolean
  queue?: boolean
  now?: boolean
  json?: boolean
}

export async function runStart(context: Context, options: StartOptions): Promise<void> {
  requireWith('--timeout', options.timeout !== undefined, '--wait', options.wait === true)
  const at = await issueAt(context, options.ref, { begins: options.command === 'start' })
  const { ref } = at
  const message = await messageFrom(context, options.message ?? '')
  // A -word has no issue that could tell what is to be done.
  const isTask = options.command === 'start' && !/^\d+$/.test(ref.id)
  if (message.trim() === '' && (isTask || options.message !== undefined)) {
    throw new KugetsuError('the message is empty', {
      hint: `Say what is to be done: kugetsu ${options.command} ${formatRef(ref)} "fix the login bug"`,
      code: 'usage',
    })
  }
  if (options.now === true && isPmAgent(context.env)) {
    throw new KugetsuError('the PM agent may not use --now', {
      hint: 'Without it the message waits for a free slot.',
      code: 'not_for_pm_agent',
    })
  }
  const prUrl = checkedUrl(options.prUrl)
  await makeReady(context, { ...options, boots: true }, at)
  const isNew = options.command === 'continue' && readSession(context, nameOf(context, ref)) === undefined
  if (isNew && options.now !== true && (await joinQueued(context, options, ref, message))) return
  const request = {
    ref,
    message,
    prUrl,
    base: options.base,
    model: options.model,
    agent: options.agent,
    fresh: options.fresh,
    now: options.now,
  }
  let started: Started
  try {
    started = await startAgent(context, request)
  } catch (error) {
    if (!(error instanceof KugetsuError) || error.exitCode !== exitCodes.noFreeSlot) throw error
    const priority = options.command === 'continue' && hasSession(context, request.ref) ? 1 : 0
    // `continue` of an issue with a session is never refused; any other task is queued only with --queue.
    if (priority === 0 && options.queue !== true) throw error
    tellIfNew(context, options, request.ref, isNew)
    return await queueInstead(context, options, request, priority)
  }
  tellIfNew(context, options, request.ref, isNew)
  if (options.wait !== true) return print(context, options, started)
  if (options.json !== true) print(context, options, started)
  try {
    await reportEnds(context, [started.name], options)
  } catch (error) {
    const ref = started.record.issue_ref ?? started.name
    if (context.signal.aborted) context.io.err(`The agent works on: kugetsu wait ${ref}, or kugetsu stop ${ref}\n`)
    throw error
  }
}

/** `continue` of an issue that waits in the queue adds the message to its task. False when it has none that waits. */
async function joinQueued(context: Context, options: StartOptions, ref: IssueRef, message: string): Promise<boolean> {
  const [{ addToTask }, { readIssue }] = await Promise.all([
    import('../../../tasks/change.ts'),
    import('../../../tasks/issues.ts'),
  ])
  const label = formatRef(ref)
  const issue = await readIssue(context, label)
  if (issue?.status !== 'queued') return false
  const item = await addToTask(context, label, message)
  if (item === undefined) return false
  if (options.json === true) printJson(context, item)
  else {
    const what = message.trim() === '' ? 'It waits' : `The message was added to its task ${item.id}, which waits`
    context.io.out(`${styled(context, 'bold', label)} is ${statusWords(issue)}. ${what} for a free slot\n`)
  }
  if (options.wait === true) await (await import('../../queued.ts')).reportQueuedEnd(context, item.id, options)
  return true
}

/** `continue` of an issue that was never begun begins it. It may be the wrong issue, so this says so. */
function tellIfNew(context: Context, options: StartOptions, ref: IssueRef, isNew: boolean): void {
  if (isNew && options.json !== true) context.io.out(`kugetsu did not know ${formatRef(ref)}: it starts an agent now\n`)
}

function hasSession(context: Context, ref: IssueRef): boolean {
  return Boolean(readSession(context, nameOf(context, ref))?.opencode_session_id)
}

/** Leaves the task to the queue, and waits for it there if that was asked for. */
async function queueInstead(
  context: Context,
  options: StartOptions,
  request: StartRequest,
  priority: number,
): Promise<void> {
  const [{ enqueue }, { reportQueuedEnd, tellQueued }] = await Promise.all([
    import('../../../tasks/enqueue.ts'),
    import('../../queued.ts'),
  ])
  const { prUrl, base, model, agent, fresh } = request
  const queued = await enqueue(context, {
    issue_ref: formatRef(request.ref),
    message: request.message,
    priority,
    ...(prUrl === undefined ? {} : { pr_url: prUrl }),
    ...(base === undefined ? {} : { base }),
    ...(model === undefined ? {} : { model }),
    ...(agent === undefined ? {} : { agent }),
    ...(fresh === undefined ? {} : { fresh }),
  })
  if (options.wait !== true) return tellQueued(context, options, queued)
  if (options.json !== true) tellQueued(context, options, queued)
  await reportQueuedEnd(context, queued.item.id, options)
}

function print(context: Context, options: StartOptions, { how, name, record, recovery }: Started): void {
  if (options.json === true) return printJson(context, sessionView(context, name, record))
  const what = {
    started: 'An agent works on',
    continued: 'The agent goes on with',
    // A script that reads a pipe finds the words of 0.1.0 there.
    steered: context.io.terminal ? 'Sent to the running agent on' : 'The message joins the work on',
  }[how]
  context.io.out(
    `${styled(context, 'green', what)} ${styled(context, 'bold', record.issue_ref ?? name)}\n` +
      `  session   ${record.opencode_session_id ?? ''}\n` +
      `  worktree  ${tilde(context, record.worktree_path ?? '')}\n` +
      `  branch    ${record.branch_name ?? ''}${record.base_branch ? ` (from ${record.base_branch})` : ''}\n` +
      `  follow    kugetsu logs -f ${record.issue_ref ?? name}\n`,
  )
  if (recovery !== undefined) {
    context.io.out(`  before    saved as ${recovery.ref} in ${tilde(context, recovery.mirror)}\n`)
  }
}

function checkedUrl(url: string | undefined): string | undefined {
  if (url === undefined || /^https?:\/\/[^\s/]+\/\S+$/.test(url)) return url
  throw new KugetsuError(`not the URL of a pull request: ${JSON.stringify(startOf(url, 100))}`, {
    hint: 'It looks like https://github.com/me/app/pull/15.',
    code: 'usage',
  })
}
