import { codeOf, exitCodes, KugetsuError } from '../../../core/errors.ts'
import { formatRef } from '../../../core/issue-ref.ts'
import { supervisionOf } from '../../../daemon/control.ts'
import { hasTask } from '../../../sessions/file/queued-tasks.ts'
import { nameOf } from '../../../sessions/file/session-name.ts'
import type { Supervision } from '../../../sessions/runs/supervision.ts'
import { sessionView } from '../../../sessions/runs/session-view.ts'
import { waitForRuns } from '../../../sessions/runs/wait.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson, styled } from '../../terminal/output.ts'
import { agentSession, issueRef, type AgentSession } from '../../refs.ts'

export interface WaitOptions {
  timeout?: number
  json?: boolean
}

export async function runWait(context: Context, options: WaitOptions & { refs: string[] }): Promise<void> {
  const agents = await Promise.all(options.refs.map((ref) => agentOrTask(context, ref)))
  const names = agents.map(({ name }) => name)
  const queued = agents.flatMap(({ record, label }) => (record === undefined ? [label] : []))
  await reportEnds(context, supervisionOf(context), names, { ...options, withTasks: true, queued })
}

/** As agentSession(), but an issue that is only in the queue is not unknown: it gets its session when it begins. */
async function agentOrTask(
  context: Context,
  text: string,
): Promise<Partial<AgentSession> & { name: string; label: string }> {
  try {
    return await agentSession(context, text)
  } catch (error) {
    if (codeOf(error) !== 'unknown_session') throw error
    const ref = await issueRef(context, text)
    if (!(await hasTask(context, formatRef(ref)))) throw error
    return { name: nameOf(context, ref), label: formatRef(ref) }
  }
}

/**
 * Waits for the agents, `withTasks` also for their tasks in the queue, and says how they ended. Throws KugetsuError
 * `agent_failed` when one ended badly.
 */
export async function reportEnds(
  context: Context,
  supervision: Supervision,
  names: string[],
  options: WaitOptions & { withTasks?: boolean; queued?: readonly string[] },
): Promise<void> {
  const timeoutMs = options.timeout === undefined ? undefined : options.timeout * 1000
  const { withTasks = false, queued = [] } = options
  const waited = await waitForRuns(context, supervision, names, { timeoutMs, withTasks, queued })
  const { sessions: ended, failed: tasks } = waited
  const views = ended.flatMap(({ name, record }) => (record === undefined ? [] : [sessionView(context, name, record)]))
  const failed = views.filter(({ state }) => state !== 'idle')
  const gone = ended.filter(({ record }) => record === undefined).length
  if (options.json === true) printJson(context, views)
  else {
    for (const view of views) {
      const style = view.state === 'idle' ? 'green' : 'red'
      const error = view.last_error === null ? '' : `: ${view.last_error}`
      context.io.out(`${styled(context, style, view.state)}  ${view.issue_ref ?? view.type}${error}\n`)
    }
  }
  if (failed.length + gone + tasks.length === 0) return
  if (options.json === true) {
    context.setExitCode(exitCodes.failed)
    return
  }
  const refs = failed.map(({ issue_ref, type }) => issue_ref ?? type)
  const [task] = tasks
  if (refs.length === 0 && task !== undefined) {
    throw new KugetsuError(
      `the task ${task.id} of ${task.issue_ref ?? 'the PM agent'} did not end well: ${task.error}`,
      {
        hint: `See what happened: kugetsu queue show ${task.id}`,
        code: 'agent_failed',
      },
    )
  }
  if (refs.length === 0) {
    throw new KugetsuError('nothing is left to wait for: the task was removed, or the session was destroyed', {
      hint: 'See "kugetsu list" and "kugetsu queue list".',
      code: 'agent_failed',
    })
  }
  throw new KugetsuError(`${refs.length} of ${ended.length} did not end well: ${refs.join(', ')}`, {
    hint: `See what happened: kugetsu logs ${refs[0] ?? ''}`,
    code: 'agent_failed',
  })
}
