import { supervisionOf } from '../../daemon/control.ts'
import { stopAgent } from '../../sessions/stop.ts'
import { pmAgentSession } from '../../sessions/store.ts'
import { sessionView } from '../../sessions/view.ts'
import type { Context } from '../context.ts'
import { printJson } from '../output.ts'
import { agentSession } from '../refs.ts'

export async function runStop(context: Context, options: { ref: string; json?: boolean }): Promise<void> {
  const { label, name } = await agentSession(context, options.ref)
  const record = await stopAgent(context, supervisionOf(context), name)
  if (options.json === true) return printJson(context, sessionView(context, name, record))
  const next = name === pmAgentSession ? 'kugetsu delegate "…"' : `kugetsu continue ${label} "…"`
  const kept = name === pmAgentSession ? 'Its session stays' : 'Its session and worktree stay'
  context.io.out(`Stopped ${label}. ${kept}; go on with: ${next}\n`)
}
