import { KugetsuError } from '../../../core/errors.ts'
import { plainLine } from '../../../core/plain-text.ts'
import { sessionViews, type SessionView } from '../../../sessions/runs/session-view.ts'
import type { Context } from '../../terminal/context.ts'
import { age, printJson, table, tilde } from '../../terminal/output.ts'

const header = ['ISSUE_REF', 'TYPE', 'STATE', 'SESSION_ID', 'WORKTREE', 'AGE', 'BRANCH', 'PR', 'COST']

const special: Partial<Record<string, string>> = { base: '(base)', pm_agent: '(pm-agent)' }

const importance = {
  cutFirst: ['SESSION_ID', 'WORKTREE', 'BRANCH', 'PR'],
  leaveOut: ['SESSION_ID', 'WORKTREE'],
  keepEnd: ['ISSUE_REF', 'WORKTREE', 'PR'],
}

export async function runList(context: Context, options: { all?: boolean; json?: boolean }): Promise<void> {
  const all = options.all === true
  let views = sessionViews(context, { all })
  if (views.some(({ state }) => state === 'running' || state === 'waiting') && !(await isWatched(context))) {
    // Without a daemon, they may have ended long ago unnoticed.
    const { settleWhatEnded } = await import('../../../sessions/runs/settle.ts')
    await settleWhatEnded(context).catch((error: unknown) => {
      if (!(error instanceof KugetsuError)) throw error // without the server's file: they are shown as they were
    })
    views = sessionViews(context, { all })
  }
  const hint = views.some(({ state }) => state === 'interrupted') ? await interruption(context, views) : undefined
  if (options.json === true) return printJson(context, views)
  const now = context.now()
  const rows = views.map((view) => row(context, view, now))
  context.io.out(table(header, rows, context.io.terminal ? { columns: context.io.columns, ...importance } : undefined))
  if (hint !== undefined) context.io.err(`${hint}\n`)
}

/** Reports the interrupted agents; returns how to go on. A daemon resumes them, and this command starts no daemon. */
async function interruption(context: Context, views: SessionView[]): Promise<string | undefined> {
  const { tellOfInterrupted } = await import('../../interrupted.ts')
  const [first] = await tellOfInterrupted(context)
  if (first !== undefined) {
    const ref = plainLine(first.record.issue_ref ?? 'pm-agent', 300)
    return `The next daemon resumes interrupted agents. To start one: kugetsu wait ${ref}`
  }
  if (await isWatched(context)) return undefined
  // A start that was cut off is not resumed; its task, if it has one, begins anew.
  const ref = views.find(({ state }) => state === 'interrupted')?.issue_ref ?? undefined
  return ref === undefined
    ? undefined
    : `The process that was starting an agent has died. See: kugetsu explain ${plainLine(ref, 300)}`
}

async function isWatched(context: Context): Promise<boolean> {
  const { daemonRuns } = await import('../../../daemon/control.ts')
  return daemonRuns(context)
}

/** The files were written by others, or are spoiled: nothing in them may move the cursor. */
function row(context: Context, view: SessionView, now: Date): string[] {
  return cells(context, view, now).map((cell) => plainLine(cell, 1000))
}

function cells(context: Context, view: SessionView, now: Date): string[] {
  return [
    view.issue_ref ?? special[view.type] ?? '(unknown)',
    view.type,
    view.state,
    view.opencode_session_id ?? '-',
    view.worktree_path === null ? '-' : context.io.terminal ? tilde(context, view.worktree_path) : view.worktree_path,
    age(view.created_at, now),
    view.branch ?? '-',
    view.pr_url ?? '-',
    view.cost === null ? '-' : `$${view.cost.toFixed(2)}`,
  ]
}
