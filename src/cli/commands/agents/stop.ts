import { supervisionOf } from '../../../daemon/control.ts'
import { stopAgent } from '../../../sessions/runs/stop.ts'
import { pmAgentSession } from '../../../sessions/file/store.ts'
import { sessionView } from '../../../sessions/runs/session-view.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson } from '../../terminal/output.ts'
import { agentSession } from '../../refs.ts'

export async function runStop(context: Context, options: { ref: string; json?: boolean }): Promise<void> {
  const { label, name } = await agentSession(context, options.ref)
  const { what, record } = await stopAgent(context, supervisionOf(context), name)
  if (options.json === true) {
    const gone = { type: 'forked', issue_ref: label, state: 'idle' }
    return printJson(context, sessionView(context, name, record ?? gone))
  }
  if (what === 'start') {
    return context.io.out(`Stopped the start of ${label}; what it had made was removed again\n`)
  }
  const next = name === pmAgentSession ? 'kugetsu delegate "…"' : `kugetsu continue ${label} "…"`
  const kept = name === pmAgentSession ? 'Its session stays' : 'Its session and worktree stay'
  context.io.out(`Stopped ${label}. ${kept}; go on with: ${next}\n`)
}
