/** Which of opencode's agents (a prompt, with tools and rules) a run gets: the one it is started with, else its default. */
import { pmAgentName } from '../../agents/pm-agent.ts'
import { KugetsuError } from '../../core/errors.ts'
import type { AgentInfo, Client } from '../../driver/client.ts'
import { badSetting, type Place } from './configured.ts'

/**
 * The agent to work in a directory, as opencode describes it there. opencode accepts a prompt for an agent that it does
 * not have and silently drops it, so the agent is checked first. Throws KugetsuError `no_such_agent`,
 * `bad_agent_setting`, or `bad_repository_config`.
 */
export async function agentFor(client: Client, at: Place & { asked: string | undefined }): Promise<AgentInfo> {
  const agents = await client.agents(at.directory)
  const configured = (await at.defaults).agent
  const usable = agents.filter(({ isPrimary }) => isPrimary)
  const name = at.asked ?? configured
  const found = name === undefined ? usable.find((each) => each.name !== pmAgentName) : named(usable, name)
  if (found !== undefined) return found
  const names = usable.flatMap((each) => (each.name === pmAgentName ? [] : [each.name])).join(', ')
  const hint = `Agents that can be used there: ${names || 'none'}`
  const isOther = name !== undefined && named(agents, name) !== undefined
  if (at.asked === undefined && configured !== undefined) {
    const why = isOther ? 'which only works for other agents' : 'which it does not have'
    throw await badSetting(client, at, { name: 'agent', why, hint, code: 'bad_agent_setting' })
  }
  const message = isOther
    ? `opencode's agent ${name} only works for other agents`
    : `opencode has no agent ${name ?? 'that can be given work there'}`
  throw new KugetsuError(message, { hint: `${hint}.`, code: 'no_such_agent' })
}

function named(agents: AgentInfo[], name: string): AgentInfo | undefined {
  return agents.find((each) => each.name === name)
}
