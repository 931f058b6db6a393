import type { AgentInfo } from '../driver/client.ts'
import { permissionRules, type OpencodeAgent } from './api/schemas.ts'

/** An agent as opencode describes it. */
export function infoOf(agent: OpencodeAgent): AgentInfo {
  const { success, data: rules } = permissionRules.safeParse(agent.permission)
  // By opencode's own rule, a tool is hidden from the model when the last rule about it denies all of it.
  const isHidden = (tool: string) => {
    const rule = rules?.findLast(({ permission }) => permission === '*' || permission === tool)
    return rule?.action === 'deny' && rule.pattern === '*'
  }
  return {
    name: agent.name,
    isPrimary: agent.mode !== 'subagent' && agent.hidden !== true,
    isWithoutTools: success && ['bash', 'edit'].every(isHidden),
  }
}
