/** What has to be there before an agent begins, made by the command that begins one. */
import type { IssueAt } from '../config/issue-url.ts'
import { forgeFacts, type ForgeType } from '../config/forge-types.ts'
import { readIndex } from '../sessions/file/store.ts'
import type { Context } from './terminal/context.ts'
import { tilde } from './terminal/output.ts'

/** Makes ready for an agent the home, and the server of the issue. Throws KugetsuError as the two below. */
export async function makeReady(
  context: Context,
  options: { model?: string; boots: boolean; json?: boolean },
  issue?: IssueAt,
): Promise<void> {
  await makeHomeReady(context, options)
  if (issue !== undefined) await makeIssueReady(context, options, issue)
}

/**
 * Sets a new home up, as `kugetsu init` does, with a line; before the first agent of a home looks whether opencode has a
 * model for it. `boots`: the command needs opencode's server anyway. Throws KugetsuError as setUp() and
 * requireFirstModel() do.
 */
export async function makeHomeReady(
  context: Context,
  { model, boots }: { model?: string; boots: boolean },
): Promise<void> {
  const index = readIndex(context)
  if (index?.base && Object.keys(index.issues).length > 0) return
  const [{ setUp }, { requireFirstModel }] = await Promise.all([
    import('../sessions/pm/initialise.ts'),
    import('../sessions/pm/first-model.ts'),
  ])
  await setUp(context, () => context.io.err(`Setting up ${tilde(context, context.paths.home)} …\n`))
  await requireFirstModel(context, model, boots)
}

/**
 * Makes the server known of an issue that was named by a URL, with a line; on a terminal offers a token for it. Throws
 * KugetsuError as learnRepository() and offerToken() do.
 */
export async function makeIssueReady(context: Context, { json }: { json?: boolean }, issue: IssueAt): Promise<void> {
  if (issue.url !== undefined) {
    const { learnRepository } = await import('../sessions/starting/new-repository.ts')
    const server = await learnRepository(context, issue)
    if (server !== undefined) context.io.err(`Git server ${server.name}: ${nameOf(server.type)}\n`)
  }
  // Loaded only where a person can be asked.
  if (json === true || !context.io.interactive || !context.io.terminal) return
  await (await import('./token-offer.ts')).offerToken(context, issue.ref)
}

function nameOf(type: ForgeType): string {
  return type === 'unknown' ? 'plain git, no pull requests' : forgeFacts[type].name
}
