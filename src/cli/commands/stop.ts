import { supervisionOf } from '../../daemon/control.ts'
import { stopAgent } from '../../sessions/stop.ts'
import { sessionView } from '../../sessions/view.ts'
import type { Context } from '../context.ts'
import { printJson } from '../output.ts'
import { trackedSession } from '../refs.ts'

export async function runStop(context: Context, options: { ref: string; json?: boolean }): Promise<void> {
  const { name } = await trackedSession(context, options.ref)
  const record = await stopAgent(context, supervisionOf(context), name)
  if (options.json === true) return printJson(context, sessionView(context, name, record))
  const ref = record.issue_ref ?? name
  context.io.out(`Stopped ${ref}. Its session and worktree stay; go on with: kugetsu continue ${ref} "…"\n`)
}
