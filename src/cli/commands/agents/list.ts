import { setTimeout as sleep } from 'node:timers/promises'
import { KugetsuError } from '../../../core/errors.ts'
import { plainLine } from '../../../core/plain-text.ts'
import { sessionViews } from '../../../sessions/status/session-view.ts'
import type { Status } from '../../../sessions/status/status.ts'
import { readIssues, type Issue } from '../../../tasks/issues.ts'
import { requireStatuses } from '../../statuses.ts'
import type { Context } from '../../terminal/context.ts'
import { age, firstLines, printJson, table, tilde } from '../../terminal/output.ts'
import { inOrderOfNeed, issueTable } from './issue-table.ts'

/** What a pipe gets; scripts rely on it. */
const header = ['ISSUE_REF', 'TYPE', 'STATE', 'SESSION_ID', 'WORKTREE', 'AGE', 'BRANCH', 'PR', 'COST']

const special: Partial<Record<string, string>> = { base: '(base)', pm_agent: '(pm-agent)' }

const importance = {
  cutFirst: ['SESSION_ID', 'WORKTREE', 'BRANCH', 'PR'],
  leaveOut: ['SESSION_ID', 'WORKTREE'],
  keepEnd: ['ISSUE_REF', 'WORKTREE', 'PR'],
}
const nothing = 'No agents yet. Start one: kugetsu start <issue> "what to do"\n'
/** How soon a change is seen while watching. */
const lookMs = 1_000

export interface ListOptions {
  all?: boolean
  json?: boolean
  watch?: boolean
  status?: string[]
  repo?: string
  limit?: number
}

/** Lists the issues: a terminal gets the table of issue-table.ts; a pipe and --json get the sessions, as in 0.1.0. */
export async function runList(context: Context, options: ListOptions): Promise<void> {
  const wanted = options.status && requireStatuses(options.status)
  if (options.watch === true) return watch(context, options, wanted)
  const isForPerson = context.io.terminal && options.json !== true
  const queued = isForPerson || options.all === true
  const withQueue = queued || options.json === true || wanted !== undefined
  const { issues, hint } = await current(context, options, withQueue ? { queued } : 'no queue')
  if (isForPerson) {
    const own = options.all === true ? issues : ofIssues(issues)
    const chosen = choose(options.all === true ? own : inOrderOfNeed(own), options, wanted)
    context.io.out(own.length === 0 ? nothing : render(context, options, chosen.shown, own))
    tellOfRest(context, chosen.left)
  } else {
    const { shown } = choose(issues, options, wanted)
    if (options.json === true) return printJson(context, shown)
    context.io.out(sessionTable(context, shown))
  }
  if (hint !== undefined) context.io.err(`${hint}\n`)
}

/** Shows the table in place of itself again when it changes, until Ctrl-C. */
async function watch(context: Context, options: ListOptions, wanted: Status[] | undefined): Promise<void> {
  if (!context.io.terminal || options.json === true) {
    throw new KugetsuError('list --watch needs a terminal', {
      hint: 'A script can call "kugetsu list --json" or "kugetsu wait".',
      code: 'usage',
    })
  }
  if (context.env['TERM'] === 'dumb') {
    throw new KugetsuError('list --watch needs a terminal that can clear its screen; TERM is "dumb"', {
      hint: 'Show it once: kugetsu list',
      code: 'usage',
    })
  }
  const { out } = context.io
  const { signal } = context // from here on Ctrl-C ends the watching, and the screen is put back
  let [shown, whole] = ['', '']
  out('\u001b[?1049h\u001b[?25l')
  try {
    for (;;) {
      const { issues } = await current(context, options, { queued: true })
      const own = ofIssues(issues)
      const chosen = choose(inOrderOfNeed(own), options, wanted)
      whole = chosen.shown.length === 0 ? nothing : issueTable(context, chosen.shown, own)
      // The last line is for the cursor. A longer text would scroll what needs a person away.
      const text = firstLines(whole, context.io.rows - 1)
      if (text !== shown) out(`\u001b[H\u001b[J${text}`)
      shown = text
      await sleep(lookMs, undefined, { signal })
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    out(`\u001b[?25h\u001b[?1049l${whole}`)
  }
}

async function current(
  context: Context,
  { all = false }: ListOptions,
  queue: { queued: boolean } | 'no queue',
): Promise<{ issues: Issue[]; hint: string | undefined }> {
  const read = async (): Promise<Issue[]> =>
    queue === 'no queue'
      ? sessionViews(context, { all }).map((view) => ({ ...view, ahead: null }))
      : readIssues(context, { all, ...queue })
  let issues = await read()
  if (issues.some(({ state }) => state === 'running' || state === 'waiting') && !(await context.daemon.isRunning())) {
    // Without a daemon, they may have ended long ago unnoticed.
    const { settleWhatEnded } = await import('../../../sessions/runs/settle.ts')
    await settleWhatEnded(context).catch((error: unknown) => {
      if (!(error instanceof KugetsuError)) throw error // without the server's file: they are shown as before
    })
    issues = await read()
  }
  const hint = issues.some(({ state }) => state === 'interrupted') ? await interruption(context, issues) : undefined
  return { issues, hint }
}

function ofIssues(issues: Issue[]): Issue[] {
  return issues.filter(({ type }) => special[type] === undefined)
}

function choose(
  issues: Issue[],
  { repo, limit }: ListOptions,
  wanted: Status[] | undefined,
): { shown: Issue[]; left: number } {
  const part = repo?.toLowerCase()
  const isOfRepository = (ref: string | null) =>
    part === undefined || `/${(ref ?? '').toLowerCase().replace(/#.*$/, '')}`.endsWith(`/${part}`)
  const fitting = issues.filter(
    ({ status, issue_ref: ref }) => (wanted === undefined || wanted.includes(status)) && isOfRepository(ref),
  )
  const shown = limit === undefined ? fitting : fitting.slice(0, limit)
  return { shown, left: fitting.length - shown.length }
}

function tellOfRest(context: Context, left: number): void {
  if (left > 0) context.io.err(`… and ${left} more\n`)
}

function render(context: Context, { all }: ListOptions, issues: Issue[], known: Issue[]): string {
  if (all === true) return sessionTable(context, issues)
  return issues.length === 0 ? 'No issue fits.\n' : issueTable(context, issues, known)
}

/** Reports the interrupted agents; returns how to go on. A daemon resumes them, and this command starts no daemon. */
async function interruption(context: Context, issues: Issue[]): Promise<string | undefined> {
  const { tellOfInterrupted } = await import('../../interrupted.ts')
  const [first] = await tellOfInterrupted(context)
  if (first !== undefined) {
    const ref = plainLine(first.record.issue_ref ?? 'pm-agent', 300)
    return `The next daemon resumes interrupted agents. To start one: kugetsu wait ${ref}`
  }
  if (await context.daemon.isRunning()) return undefined
  // A start that was cut off is not resumed; its task, if it has one, begins anew.
  const ref = issues.find(({ state }) => state === 'interrupted')?.issue_ref ?? undefined
  return ref === undefined
    ? undefined
    : `The process that was starting an agent has died. See: kugetsu explain ${plainLine(ref, 300)}`
}

function sessionTable(context: Context, issues: Issue[]): string {
  const now = context.now()
  // The files were written by others, or are spoiled: nothing in them may move the cursor.
  const rows = issues.map((issue) => cells(context, issue, now).map((cell) => plainLine(cell, 1000)))
  return table(header, rows, context.io.terminal ? { columns: context.io.columns, ...importance } : undefined)
}

function cells(context: Context, issue: Issue, now: Date): string[] {
  return [
    issue.issue_ref ?? special[issue.type] ?? '(unknown)',
    issue.type,
    issue.state,
    issue.opencode_session_id ?? '-',
    issue.worktree_path === null
      ? '-'
      : context.io.terminal
        ? tilde(context, issue.worktree_path)
        : issue.worktree_path,
    age(issue.created_at, now),
    issue.branch ?? '-',
    issue.pr_url ?? '-',
    issue.cost === null ? '-' : `$${issue.cost.toFixed(2)}`,
  ]
}
