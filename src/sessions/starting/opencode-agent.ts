/** Which of opencode's agents (a prompt, with tools and rules) a run gets: the one it is started with, else its default. */
import type * as z from 'zod/mini'
import { pmAgentName } from '../../agents/pm-agent.ts'
import { KugetsuError } from '../../core/errors.ts'
import type { Client } from '../../opencode/api/client.ts'
import { permissionRules, type OpencodeAgent } from '../../opencode/api/schemas.ts'
import { badSetting, type Place } from './configured.ts'

/**
 * The agent to work in a directory, as opencode describes it there. opencode accepts a prompt for an agent that it does
 * not have and silently drops it, so the agent is checked first. Throws KugetsuError `no_such_agent`,
 * `bad_agent_setting`, or `bad_repository_config`.
 */
export async function agentFor(client: Client, at: Place & { asked: string | undefined }): Promise<OpencodeAgent> {
  const agents = await client.agents(at.directory)
  const configured = (await at.configuration).default_agent
  const usable = agents.filter(({ mode, hidden }) => mode !== 'subagent' && hidden !== true)
  const name = at.asked ?? configured
  const found = name === undefined ? usable.find((each) => each.name !== pmAgentName) : named(usable, name)
  if (found !== undefined) return found
  const names = usable.flatMap((each) => (each.name === pmAgentName ? [] : [each.name])).join(', ')
  const hint = `Those that can be given work there: ${names || 'none'}`
  const isOther = name !== undefined && named(agents, name) !== undefined
  if (at.asked === undefined && configured !== undefined) {
    const why = isOther ? 'which only works for other agents' : 'which it does not have'
    throw await badSetting(client, at, { name: 'default_agent', why, hint, code: 'bad_agent_setting' })
  }
  const message = isOther
    ? `opencode's agent ${name} only works for other agents`
    : `opencode has no agent ${name ?? 'that can be given work there'}`
  throw new KugetsuError(message, { hint: `${hint}.`, code: 'no_such_agent' })
}

function named(agents: OpencodeAgent[], name: string): OpencodeAgent | undefined {
  return agents.find((each) => each.name === name)
}

/** Whether an agent can neither change files nor run commands, so that it can only answer. */
export function isWithoutTools(agent: OpencodeAgent): boolean {
  const { success, data: rules } = permissionRules.safeParse(agent.permission)
  return success && ['bash', 'edit'].every((tool) => isDisabled(rules, tool))
}

/** Whether opencode hides a tool from the model, by opencode's own rule: the last rule about the tool denies all of it. */
function isDisabled(rules: z.infer<typeof permissionRules>, tool: string): boolean {
  const rule = rules.findLast(({ permission }) => permission === '*' || permission === tool)
  return rule?.action === 'deny' && rule.pattern === '*'
}
