import type { IssueAt } from '../../../config/issue-url.ts'
import { startOf } from '../../../core/columns.ts'
import { KugetsuError } from '../../../core/errors.ts'
import { formatRef, isPageUrl } from '../../../core/issue-ref.ts'
import { isPmAgent } from '../../../core/within-agent.ts'
import { readSession } from '../../../sessions/file/store.ts'
import { sessionView, type SessionView } from '../../../sessions/status/session-view.ts'
import { requireWith } from '../../flags.ts'
import { messageFrom } from '../../message.ts'
import { makeHomeReady, makeIssueReady } from '../../ready.ts'
import { refReader } from '../../refs.ts'
import { attemptEach, finishAttempts, type Attempt } from '../../several.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson } from '../../terminal/output.ts'
import { beginIssue, tellBegun, viewOf, type BeginOptions, type Begun, type Wish } from './begin-issue.ts'
import { reportEnds, waitForEnds } from './wait.ts'

export interface StartOptions extends BeginOptions {
  /** The words after the command: an issue, a message, the URL of a pull request. With `message` each is an issue. */
  words: readonly string[]
  /** Given by a flag, and so for several issues. */
  message?: string
  wait?: boolean
  timeout?: number
}

export async function runStart(context: Context, options: StartOptions): Promise<void> {
  requireWith('--timeout', options.timeout !== undefined, '--wait', options.wait === true)
  const { refs, text, prUrl } = readWords(options)
  const read = refReader(context, { begins: options.command === 'start' })
  // All are read before the first one begins.
  const named: IssueAt[] = []
  for (const ref of refs) named.push(await read(ref))
  // The same issue may be named in two ways, of which one says where its repository is.
  const inOrder = named.toSorted((a, b) => Number(a.url !== undefined) - Number(b.url !== undefined))
  const byRef = new Map(inOrder.map((at) => [formatRef(at.ref), at]))
  const issues = [...new Set(named.map(({ ref }) => formatRef(ref)))].flatMap((label) => byRef.get(label) ?? [])
  const message = await messageFrom(context, text ?? '')
  if (message.trim() === '') for (const at of issues) requireStandardTask(options, at, text)
  if (options.now === true && isPmAgent(context.env)) {
    throw new KugetsuError('the PM agent may not use --now', {
      hint: 'Without it the message waits for a free slot.',
      code: 'not_for_pm_agent',
    })
  }
  const wish = { message, prUrl: checkedUrl(prUrl) }
  await makeHomeReady(context, { ...options, boots: true })
  const [only, ...more] = issues
  if (only !== undefined && more.length === 0) await startOne(context, options, only, wish)
  else await startSeveral(context, options, issues, wish)
}

/** What the words after the command mean. Throws KugetsuError `usage`. */
function readWords({ command, words, message }: StartOptions): {
  refs: readonly string[]
  text: string | undefined
  prUrl?: string | undefined
} {
  if (message !== undefined) return { refs: words, text: message }
  const [ref = '', text, prUrl, ...more] = words
  const severalWith = `For several issues give the message by -m: kugetsu ${command} app#14 app#15 -m "fix the login bug"`
  if (more.length > 0 || (command === 'continue' && prUrl !== undefined)) {
    throw new KugetsuError(`too many arguments for '${command}'`, {
      hint: `Put the message in quotes. ${severalWith}`,
      code: 'usage',
    })
  }
  if (text !== undefined && isRef(text, command)) {
    throw new KugetsuError(`the message is a ref: ${startOf(text, 100)}`, { hint: severalWith, code: 'usage' })
  }
  return { refs: [ref], text, prUrl }
}

/** Whether a message is a ref and nothing else: it names a second issue. */
function isRef(text: string, command: StartOptions['command']): boolean {
  // To an agent that has asked a question, a number can be the answer.
  if (/^\d+$/.test(text)) return command === 'start'
  return /^[\w./-]*#(?:\d+|-\w[\w-]*)$/.test(text) || (isPageUrl(text) && /\/\d+$/.test(text))
}

/** Throws KugetsuError `usage` unless there is a task without a message: `continue` has one, and the start of an issue. */
function requireStandardTask({ command }: StartOptions, { ref }: IssueAt, text: string | undefined): void {
  // A -word has no issue that could tell what is to be done.
  const hasTask = command === 'continue' || /^\d+$/.test(ref.id)
  if (hasTask && text === undefined) return
  throw new KugetsuError('the message is empty', {
    hint: `Say what is to be done: kugetsu ${command} ${formatRef(ref)} "fix the login bug"`,
    code: 'usage',
  })
}

async function startOne(context: Context, options: StartOptions, at: IssueAt, wish: Wish): Promise<void> {
  await makeIssueReady(context, options, at)
  const begun = await beginIssue(context, options, at.ref, wish)
  if (options.json !== true) tellBegun(context, begun)
  else if (options.wait !== true) printJson(context, viewOf(context, begun))
  if (options.wait !== true) return
  const { task, label } = begun
  if (task !== undefined) return (await import('../../queued.ts')).reportQueuedEnd(context, task.item.id, options)
  await orSayWhatGoesOn(context, [label], () => reportEnds(context, [begun.name], options))
}

/** Begins one after the other; one failure does not hold up the others. All are waited for together. */
async function startSeveral(
  context: Context,
  options: StartOptions,
  issues: readonly IssueAt[],
  wish: Wish,
): Promise<void> {
  const byRef = new Map(issues.map((at) => [formatRef(at.ref), at]))
  const begun: Begun[] = []
  const labels: string[] = []
  const beginEach = async (label: string) => {
    const at = byRef.get(label) as IssueAt
    await makeIssueReady(context, options, at)
    const one = await beginIssue(context, options, at.ref, wish)
    begun.push(one)
    labels.push(label)
    if (options.json !== true) tellBegun(context, one)
    return one
  }
  const attempts = await orSayWhatGoesOn(context, labels, () =>
    attemptEach(context, options, [...byRef.keys()], beginEach),
  )
  if (options.wait !== true || begun.length === 0) {
    return finishAttempts(context, options, attempts, (each) => viewOf(context, each))
  }
  const queued = begun.filter(({ hasSession }) => !hasSession).map(({ label }) => label)
  const names = begun.map(({ name }) => name)
  let views: SessionView[] = []
  const ends = await attemptEach(context, options, labels.slice(0, 1), async () => {
    const ended = await orSayWhatGoesOn(context, labels, () =>
      waitForEnds(context, names, { ...options, withTasks: true, queued }),
    )
    views = ended.views
    if (ended.problem !== undefined) throw ended.problem
  })
  const all: Attempt<unknown>[] = [...attempts, ...ends]
  finishAttempts(context, {}, all, () => undefined)
  if (options.json !== true) return
  const error = ends[0]?.error
  const waited = begun.map(
    (each) =>
      views.find((view) => view.issue_ref === each.label) ??
      viewOfEnded(context, each) ?? { issue_ref: each.label, error },
  )
  const failed = attempts.flatMap(({ ref, error: why }) => (why === undefined ? [] : [{ issue_ref: ref, error: why }]))
  printJson(context, [...waited, ...failed])
}

/** The session of an issue when the wait for several is broken off; undefined while it is at work or has a task. */
function viewOfEnded(context: Context, { name, task }: Begun): SessionView | undefined {
  const record = readSession(context, name)
  if (record === undefined || task !== undefined || record.run || record.state === 'starting') return undefined
  return sessionView(context, name, record)
}

async function orSayWhatGoesOn<T>(context: Context, labels: readonly string[], work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const refs = labels.join(' ')
    const what = labels.length === 1 ? 'The agent works' : 'The agents work'
    if (context.signal.aborted && refs !== '')
      context.io.err(`${what} on: kugetsu wait ${refs}, or kugetsu stop ${refs}\n`)
    throw error
  }
}

function checkedUrl(url: string | undefined): string | undefined {
  if (url === undefined || /^https?:\/\/[^\s/]+\/\S+$/.test(url)) return url
  throw new KugetsuError(`not the URL of a pull request: ${JSON.stringify(startOf(url, 100))}`, {
    hint: 'It looks like https://github.com/me/app/pull/15. Put a message of several words in quotes.',
    code: 'usage',
  })
}
