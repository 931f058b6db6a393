/** What agents may do, as opencode's permission rules. The last rule that matches decides, so order matters. */
import { plainLine } from '../core/plain-text.ts'
import type { PermissionRule } from '../driver/client.ts'

/** No person can answer a question or leave plan mode; work outside the worktree (caches, scratch files) is normal. */
const unattendedRules: readonly PermissionRule[] = [
  { permission: 'question', pattern: '*', action: 'deny' },
  { permission: 'plan_enter', pattern: '*', action: 'deny' },
  { permission: 'plan_exit', pattern: '*', action: 'deny' },
  { permission: 'external_directory', pattern: '*', action: 'allow' },
]

/**
 * The rules stored with the session of a dev agent or of the PM agent. They come after the rules of the agent's
 * definition (where the PM agent's limits are), so they win over those.
 */
export function permissionRules(): PermissionRule[] {
  return [...unattendedRules]
}

/** The answer to a request, in words for the journal. */
export function permissionAnswer(
  policy: 'reject' | 'allow',
  { permission, patterns }: { permission: string; patterns: readonly string[] },
): string {
  return `${policy === 'allow' ? 'allowed' : 'rejected'} ${permission} ${patterns.join(' ')}`
}

/** The text for an agent with a refused request: why it was refused, and how to go on. */
export function permissionDenial(request: { permission: string; patterns: readonly string[] }): string {
  const what = request.patterns.map((pattern) => plainLine(pattern, 200)).join(', ')
  const asked = plainLine(request.permission, 60) + (what === '' ? '' : ` (${what})`)
  return `kugetsu refused this by policy: ${asked}. Nobody is there to grant it, so do not ask again. ${advice(request.permission)}`
}

function advice(permission: string): string {
  switch (permission) {
    case 'doom_loop':
      return 'You have made the same call several times in a row. Its result will not change: read what it says, and do something else or stop and report.'
    case 'question':
      return 'Ask on the issue or the pull request instead, and stop there if you cannot go on without an answer.'
    case 'external_directory':
      return 'Do it inside your worktree, or use $KUGETSU_TEMP_DIR for scratch files.'
    case 'read':
      return 'Do not read files that may hold secrets: use the variables in your environment by name, and look at an example file for their meaning.'
    default:
      return 'Do it in a way that does not need it; if there is none, stop and say in your report what you need and why.'
  }
}
