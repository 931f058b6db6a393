import { KugetsuError } from '../../../core/errors.ts'
import { agentServer } from '../../../sessions/runs/agent-server.ts'
import type { Context } from '../../terminal/context.ts'
import { runOpencode } from '../agents/attach.ts'

/** Logs in to a provider of models on the home's server, by opencode's own dialogue. */
export async function runLogin(context: Context, options: { provider?: string | undefined }): Promise<void> {
  if (!context.io.interactive) {
    throw new KugetsuError('login needs a terminal', {
      hint: 'opencode asks for a key, or shows an address to open in a browser.',
      code: 'usage',
    })
  }
  const server = await agentServer(context)
  await runOpencode(context, 'auth login', server.driver.login(server.endpoint, options.provider))
}
