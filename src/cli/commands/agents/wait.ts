import { exitCodes, KugetsuError } from '../../../core/errors.ts'
import { supervisionOf } from '../../../daemon/control.ts'
import type { Supervision } from '../../../sessions/runs/supervision.ts'
import { sessionView } from '../../../sessions/runs/session-view.ts'
import { waitForRuns } from '../../../sessions/runs/wait.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson, styled } from '../../terminal/output.ts'
import { agentSession } from '../../refs.ts'

export interface WaitOptions {
  timeout?: number
  json?: boolean
}

export async function runWait(context: Context, options: WaitOptions & { refs: string[] }): Promise<void> {
  const sessions = await Promise.all(options.refs.map((ref) => agentSession(context, ref)))
  await reportEnds(
    context,
    supervisionOf(context),
    sessions.map(({ name }) => name),
    { ...options, withTasks: true },
  )
}

/**
 * Waits for the agents, `withTasks` also for their tasks in the queue, and says how they ended. Throws KugetsuError
 * `agent_failed` when one ended badly.
 */
export async function reportEnds(
  context: Context,
  supervision: Supervision,
  names: string[],
  options: WaitOptions & { withTasks?: boolean },
): Promise<void> {
  const timeoutMs = options.timeout === undefined ? undefined : options.timeout * 1000
  const waited = await waitForRuns(context, supervision, names, { timeoutMs, withTasks: options.withTasks === true })
  const { sessions: ended, failed: tasks } = waited
  const views = ended.flatMap(({ name, record }) => (record === undefined ? [] : [sessionView(context, name, record)]))
  const failed = views.filter(({ state }) => state !== 'idle')
  const gone = ended.filter(({ record }) => record === undefined).map(({ name }) => name)
  if (options.json === true) printJson(context, views)
  else {
    for (const view of views) {
      const style = view.state === 'idle' ? 'green' : 'red'
      const error = view.last_error === null ? '' : `: ${view.last_error}`
      context.io.out(`${styled(context, style, view.state)}  ${view.issue_ref ?? view.type}${error}\n`)
    }
  }
  if (failed.length + gone.length + tasks.length === 0) return
  if (options.json === true) {
    context.setExitCode(exitCodes.failed)
    return
  }
  const refs = [...failed.map(({ issue_ref, type }) => issue_ref ?? type), ...gone]
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
  throw new KugetsuError(`${refs.length} of ${ended.length} did not end well: ${refs.join(', ')}`, {
    hint: `See what happened: kugetsu logs ${refs[0] ?? ''}`,
    code: 'agent_failed',
  })
}
