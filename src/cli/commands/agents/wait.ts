import { KugetsuError } from '../../../core/errors.ts'
import type { Item } from '../../../queue/item.ts'
import type { SessionRecord } from '../../../sessions/file/session-file.ts'
import { sessionView, type SessionView } from '../../../sessions/status/session-view.ts'
import { describeMade } from '../../../worktrees/at-risk/made-so-far.ts'
import { waitForRuns } from '../../../sessions/runs/wait.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson, styled } from '../../terminal/output.ts'
import { madeIn } from '../../made-in.ts'
import { knownAgent } from '../../refs.ts'

export interface WaitOptions {
  timeout?: number
  json?: boolean
}

export async function runWait(context: Context, options: WaitOptions & { refs: string[] }): Promise<void> {
  const agents = await Promise.all(options.refs.map((ref) => knownAgent(context, ref)))
  const names = agents.map(({ name }) => name)
  const queued = agents.flatMap(({ record, label }) => (record === undefined ? [label] : []))
  await reportEnds(context, names, { ...options, withTasks: true, queued })
}

/** Waits for the agents and says how they ended. Throws KugetsuError `agent_failed` when one ended badly, or as waitForRuns(). */
export async function reportEnds(context: Context, names: string[], options: EndOptions): Promise<void> {
  const { views, problem } = await waitForEnds(context, names, options)
  if (options.json !== true && problem !== undefined) throw problem
  if (options.json !== true) return
  printJson(context, views)
  if (problem !== undefined) context.setExitCode(problem.exitCode)
}

export interface EndOptions extends WaitOptions {
  /** Also wait for the tasks of the issues in the queue. */
  withTasks?: boolean
  /** Issues without a session yet. */
  queued?: readonly string[]
}

/**
 * Waits for the agents; without `json` prints how each ended. `problem` is what to say when one ended badly
 * (`agent_failed`). Throws KugetsuError as waitForRuns().
 */
export async function waitForEnds(
  context: Context,
  names: string[],
  options: EndOptions,
): Promise<{ views: SessionView[]; problem: KugetsuError | undefined }> {
  const timeoutMs = options.timeout === undefined ? undefined : options.timeout * 1000
  const { withTasks = false, queued = [] } = options
  const waited = await waitForRuns(context, names, {
    timeoutMs,
    withTasks,
    queued,
    onWaiting: (label) => context.io.err(`${label} waits for a permission: kugetsu attach ${label}\n`),
  })
  const { sessions: ended, failed: tasks } = waited
  const left = ended.flatMap(({ name, record }) =>
    record === undefined ? [] : [{ record, view: sessionView(context, name, record) }],
  )
  if (options.json !== true) for (const { record, view } of left) await printEnd(context, record, view)
  const views = left.map(({ view }) => view)
  return { views, problem: problemOf(views, ended.length, tasks) }
}

/** What to say when not all of `count` sessions are left and ended well, or a task of theirs failed. */
function problemOf(views: readonly SessionView[], count: number, tasks: readonly Item[]): KugetsuError | undefined {
  const refs = views.flatMap(({ state, issue_ref: ref, type }) => (state === 'idle' ? [] : [ref ?? type]))
  const [task] = tasks
  if (refs.length > 0) {
    return new KugetsuError(`${refs.length} of ${count} did not end well: ${refs.join(', ')}`, {
      hint: `See what happened: kugetsu logs ${refs[0] ?? ''}`,
      code: 'agent_failed',
    })
  }
  if (task !== undefined) {
    return new KugetsuError(
      `the task ${task.id} of ${task.issue_ref ?? 'the PM agent'} did not end well: ${task.error}`,
      {
        hint: `See what happened: kugetsu queue show ${task.id}`,
        code: 'agent_failed',
      },
    )
  }
  if (views.length === count) return undefined
  return new KugetsuError('nothing is left to wait for: the task was removed, or the session was destroyed', {
    hint: 'See "kugetsu list" and "kugetsu queue list".',
    code: 'agent_failed',
  })
}

/** A pipe gets the words of 0.1.0; a person gets the status, and what the agent has made. */
async function printEnd(context: Context, record: SessionRecord, view: SessionView): Promise<void> {
  const { state, status, issue_ref: ref, type, last_error: error } = view
  const style = state === 'idle' ? 'green' : 'red'
  const made = context.io.terminal && record.worktree_path ? describeMade(await madeIn(context, record)) : undefined
  const about = [error, made].filter(Boolean).join('; ')
  const word = context.io.terminal ? status : state
  context.io.out(`${styled(context, style, word)}  ${ref ?? type}${about === '' ? '' : `: ${about}`}\n`)
}
