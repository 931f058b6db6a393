import type { PermissionRule } from '../driver/client.ts'

/** A rule of opencode 2; the last one that matches applies. */
export interface Rule {
  action: string
  resource: string
  effect: PermissionRule['action']
}

/** opencode 2 has other names for two tools. */
const newNames: Record<string, string> = { bash: 'shell', task: 'subagent' }

export function asRules(rules: readonly PermissionRule[]): Rule[] {
  return rules.map(({ permission, pattern, action }) => ({
    action: newNames[permission] ?? permission,
    resource: pattern,
    effect: action,
  }))
}
