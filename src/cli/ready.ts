/** What has to be there before an agent begins, made by the command that begins one. */
import type { IssueAt } from '../config/issue-url.ts'
import { forgeFacts, type ForgeType } from '../config/forge-types.ts'
import { readIndex } from '../sessions/file/store.ts'
import type { Context } from './terminal/context.ts'
import { tilde } from './terminal/output.ts'

/**
 * Makes a home ready for an agent: sets a new one up, as `kugetsu init` does; before the first agent of a home looks whether
 * opencode has a model for it; makes the server known of an issue that was named by a URL, each with a line; and on a
 * terminal offers a token for it. `boots`: the command needs opencode's server anyway. Throws KugetsuError as setUp(),
 * requireFirstModel(), learnRepository() and offerToken() do.
 */
export async function makeReady(
  context: Context,
  { model, boots, json }: { model?: string; boots: boolean; json?: boolean },
  issue?: IssueAt,
): Promise<void> {
  const index = readIndex(context)
  if (!index?.base || Object.keys(index.issues).length === 0) {
    const [{ setUp }, { requireFirstModel }] = await Promise.all([
      import('../sessions/pm/initialise.ts'),
      import('../sessions/pm/first-model.ts'),
    ])
    await setUp(context, () => context.io.err(`Setting up ${tilde(context, context.paths.home)} …\n`))
    await requireFirstModel(context, model, boots)
  }
  if (issue?.url !== undefined) {
    const { learnRepository } = await import('../sessions/starting/new-repository.ts')
    const server = await learnRepository(context, issue)
    if (server !== undefined) context.io.err(`Git server ${server.name}: ${nameOf(server.type)}\n`)
  }
  // Loaded only where a person can be asked.
  if (issue === undefined || json === true || !context.io.interactive || !context.io.terminal) return
  await (await import('./token-offer.ts')).offerToken(context, issue.ref)
}

function nameOf(type: ForgeType): string {
  return type === 'unknown' ? 'plain git: no pull requests' : forgeFacts[type].name
}
