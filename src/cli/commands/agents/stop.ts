import { codeOf, KugetsuError } from '../../../core/errors.ts'
import { counted } from '../../../core/wording.ts'
import { stopAgent } from '../../../sessions/runs/stop.ts'
import { pmAgentSession } from '../../../sessions/file/store.ts'
import { sessionView } from '../../../sessions/status/session-view.ts'
import { removeTasksOf, waitingTasksOf } from '../../../tasks/change.ts'
import { knownAgent, type KnownAgent } from '../../refs.ts'
import { forEachRef, selected, type Selection } from '../../several.ts'
import { confirm } from '../../terminal/confirm.ts'
import type { Context } from '../../terminal/context.ts'

export interface StopOptions extends Selection {
  yes?: boolean
  json?: boolean
}

/** Stops agents, and takes the tasks of issues without an agent out of the queue. */
export async function runStop(context: Context, options: StopOptions): Promise<void> {
  const chosen = await selected(context, options, ['running', 'starting', 'waiting', 'interrupted', 'queued'])
  if ('refs' in chosen) return forEachRef(context, options, chosen.refs, (ref) => stop(context, options, ref))
  const refs = chosen.issues.map(({ issue_ref: ref }) => ref ?? '')
  if (refs.length === 0) return nothingToDo(context, options)
  const queued = chosen.issues.filter(({ status }) => status === 'queued').length
  const parts = [
    ...(refs.length > queued ? [`stop ${counted(refs.length - queued, 'agent')}`] : []),
    ...(queued > 0 ? [`take the tasks of ${counted(queued, 'issue')} out of the queue`] : []),
  ].join(' and ')
  const question = `${parts[0]?.toUpperCase()}${parts.slice(1)}?`
  await confirm(context, options, question, { action: 'stop --all', declined: 'not stopped' })
  await forEachRef(context, { ...options, isList: true }, refs, (ref) => stop(context, options, ref))
}

function nothingToDo(context: Context, options: StopOptions): void {
  context.io.out(options.json === true ? '[]\n' : 'No agent runs and no task waits\n')
}

async function stop(context: Context, options: StopOptions, text: string): Promise<unknown> {
  const agent = await knownAgent(context, text)
  const { label, name } = agent
  const stopped = await stopOrRemove(context, agent)
  if (options.json === true) {
    const gone = { type: 'forked', issue_ref: label, state: 'idle' }
    return sessionView(context, name, ('record' in stopped ? stopped.record : undefined) ?? gone)
  }
  const next = name === pmAgentSession ? 'kugetsu delegate "…"' : `kugetsu continue ${label} "…"`
  if ('removed' in stopped) {
    const tasks = stopped.removed === 1 ? 'Its task was' : `Its ${stopped.removed} tasks were`
    context.io.out(`Stopped ${label}, which had no agent yet. ${tasks} taken out of the queue\n`)
  } else if (stopped.what === 'start') {
    context.io.out(`Stopped the start of ${label}; what it had made was removed again\n`)
  } else {
    const kept = name === pmAgentSession ? 'Its session stays' : 'Its session and worktree stay'
    context.io.out(`Stopped ${label}. ${kept}; go on with: ${next}\n`)
    const behind = name === pmAgentSession ? 0 : (await waitingTasksOf(context, label)).length
    if (behind > 0) {
      const which = behind === 1 ? 'Its next task starts' : `${behind} more tasks of it start`
      context.io.err(
        `${which} when a slot is free. To take ${behind === 1 ? 'it' : 'them'} out: kugetsu stop ${label}\n`,
      )
    }
  }
  return undefined
}

/** Stops the agent; where none is at work, removes the tasks that would start one. */
async function stopOrRemove(
  context: Context,
  { label, name, record }: KnownAgent,
): Promise<Awaited<ReturnType<typeof stopAgent>> | { removed: number }> {
  try {
    if (record !== undefined) return await stopAgent(context, name)
  } catch (error) {
    if (codeOf(error) !== 'not_running') throw error
    const removed = name === pmAgentSession ? [] : await removeTasksOf(context, label)
    if (removed.length === 0) throw error
    return { removed: removed.length }
  }
  const removed = await removeTasksOf(context, label)
  if (removed.length > 0) return { removed: removed.length }
  throw new KugetsuError(`no agent is at work on ${label}`, { hint: 'See "kugetsu list".', code: 'not_running' })
}
