/** Asks opencode about the agent's worktree, for a start. */
import type { Home } from '../../config/home.ts'
import { awaitedLater } from '../../core/awaited-later.ts'
import { formatRef, type IssueRef } from '../../core/issue-ref.ts'
import type { Client } from '../../driver/client.ts'
import { modelFor } from './choose-model.ts'
import { agentFor } from './opencode-agent.ts'
import type { SessionRecord } from '../file/session-file.ts'

export interface Facts {
  /** Model and agent to name in the prompt; an undefined model keeps the session's model. */
  model: string | undefined
  agent: string | undefined
}

/** The choices for the run: those of the call, else those of the session, else opencode's settings. */
export interface WantedFacts {
  ref: IssueRef
  directory: string
  model?: string | undefined
  agent?: string | undefined
  existing: SessionRecord | undefined
  /** Whether its session is a new fork of the base session. */
  forked: boolean
}

/** Sends all requests at once, and returns once opencode has answered all. Throws what modelFor and agentFor throw. */
export async function factsOf(home: Home, client: Client, wanted: WantedFacts): Promise<Facts> {
  const { directory, forked, existing } = wanted
  const at = { directory, base: home.paths.base, defaults: awaitedLater(client.defaults(directory)) }
  const agent = awaitedLater(agentFor(client, { ...at, asked: wanted.agent ?? existing?.agent ?? undefined }))
  const asked = wanted.model ?? (forked ? (existing?.model ?? undefined) : undefined)
  const { modelProviders: providers } = home.settings(formatRef(wanted.ref))
  const model = awaitedLater(modelFor(client, { ...at, asked, forked, providers }))
  await Promise.allSettled([agent, model])
  const facts = { model: await model, agent: (await agent).name }
  // Warned about here, because its run would still end as a success.
  if ((await agent).isWithoutTools) {
    home.warn(
      `${formatRef(wanted.ref)}: the agent "${facts.agent}" may neither change files nor run commands there ` +
        '("permission" or "tools" in opencode.json), so it can only answer',
    )
  }
  return facts
}
