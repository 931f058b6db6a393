import type { AgentInfo } from '../driver/client.ts'
import type { Agent } from './api/schemas.ts'

/** An agent as opencode describes it. */
export function infoOf({ id, mode, hidden, permissions = [] }: Agent): AgentInfo {
  // By opencode's own rule, a tool is hidden from the model when the last rule about it denies all of it.
  const isHidden = (tool: string) => {
    const rule = permissions.findLast(({ action }) => action === '*' || action === tool)
    return rule?.effect === 'deny' && rule.resource === '*'
  }
  return {
    name: id,
    isPrimary: mode !== 'subagent' && hidden !== true,
    isWithoutTools: ['shell', 'edit'].every(isHidden),
  }
}
