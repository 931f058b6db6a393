/** The PM agent: its prompts and its permissions. It coordinates; its limits are rules, not only words. */
import afterInterruption from '../../skills/kugetsu/pm/after-interruption.md'
import firstMessage from '../../skills/kugetsu/pm/first-message.md'
import instructions from '../../skills/kugetsu/pm/instructions.md'
import { pmShellCommand } from '../core/pm-shell.ts'
import type { PermissionRule } from '../driver/client.ts'
import { rememberedSection, type Conversation } from './remembered-section.ts'

export const pmAgentName = 'kugetsu-pm'

export type Verbosity = 'verbose' | 'default' | 'quiet'

/**
 * In order; the last rule that matches decides. The plugin turns a shell command into a call of kugetsu's own runner
 * (pm-shell/), which judges the command by its words. Without the plugin no command matches.
 */
export const pmAgentRules: readonly PermissionRule[] = [
  { permission: '*', pattern: '*', action: 'deny' },
  // The plugin also limits these to worktrees, and refers the agent to grep in the shell (pm-shell/tools.ts).
  ...allow('read', ['*']),
  ...deny('read', ['*.env', '*.env.*', '*/.ssh/*', '*/opencode/server.json', 'mcp:*']),
  ...allow('glob', ['*']),
  ...allow('list', ['*']),
  ...allow('webfetch', ['*']),
  ...allow('todowrite', ['*']),
  ...allow('todoread', ['*']),
  ...allow('skill', ['*']),
  ...allow('websearch', ['*']),
  ...allow('external_directory', ['*']),
  // `ask`, not `deny`: the refusal then says why, and the run goes on.
  { permission: 'doom_loop', pattern: '*', action: 'ask' },
  ...deny('edit', ['*']),
  // A sub-agent has permissions of its own, a shell among them.
  ...deny('task', ['*']),
  ...deny('bash', ['*']),
  ...allow('bash', [`kugetsu ${pmShellCommand} *`]),
]

/** The first message of the PM agent's session. */
export const pmPriming = firstMessage.trimEnd()

/** For a request that was cut off because the server went away. */
export const pmResumeMessage = afterInterruption.trimEnd()

/** The agent definition for opencode's configuration (`agent.<name>`). */
export function pmAgentDefinition() {
  return {
    mode: 'primary' as const,
    description:
      'Coordinates kugetsu agents: hands out issues, follows them up, reports. Cannot edit or run anything else.',
    prompt: instructions.trimEnd(),
    permission: asConfiguration(pmAgentRules),
  }
}

const earlierSession =
  'You had another session, which is lost. This is what is left of it, oldest first: what you were asked, and what you said at the end. Much may have changed since: look it up.'

const verbosityLines: Record<Verbosity, string> = {
  verbose: 'Report at length: what you looked at, what you decided and why, each command you ran.',
  default: '',
  quiet: 'Report in one line, or not at all when everything went as asked.',
}

/** The prompt for a delegated message. `context` says what is known, or missing, about the issues that it names. */
export function buildPmMessage(request: {
  message: string
  verbosity: Verbosity
  context?: string | undefined
  /** The questions and answers of a lost session. */
  remembered?: Conversation | undefined
}): string {
  const context =
    request.context === undefined || request.context === '' ? '' : `What kugetsu knows about this:\n${request.context}`
  const before = request.remembered === undefined ? '' : rememberedSection(request.remembered, earlierSession)
  const sections = [before, context, verbosityLines[request.verbosity], `===== The request =====\n${request.message}`]
  return sections.filter((section) => section !== '').join('\n\n')
}

type Configuration = Record<string, PermissionRule['action'] | Record<string, PermissionRule['action']>>

/** The rules as nested objects; the order of the keys is the order of the rules. */
function asConfiguration(rules: readonly PermissionRule[]): Configuration {
  const configuration: Record<string, Record<string, PermissionRule['action']>> = {}
  for (const { permission, pattern, action } of rules) {
    const patterns = (configuration[permission] ??= {})
    patterns[pattern] = action
  }
  return Object.fromEntries(
    Object.entries(configuration).map(([permission, patterns]) => {
      const [first, ...others] = Object.entries(patterns)
      return [permission, first !== undefined && others.length === 0 && first[0] === '*' ? first[1] : patterns]
    }),
  )
}

function allow(permission: string, patterns: string[]): PermissionRule[] {
  return patterns.map((pattern) => ({ permission, pattern, action: 'allow' }))
}

function deny(permission: string, patterns: string[]): PermissionRule[] {
  return patterns.map((pattern) => ({ permission, pattern, action: 'deny' }))
}
