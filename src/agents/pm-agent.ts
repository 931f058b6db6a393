/** The PM agent: what it is told, and what it may do. It coordinates; its limits are rules, not only words. */
import afterInterruption from '../../skills/kugetsu/pm/after-interruption.md'
import firstMessage from '../../skills/kugetsu/pm/first-message.md'
import instructions from '../../skills/kugetsu/pm/instructions.md'
import type { PermissionRule } from '../opencode/database.ts'
import { callsIn } from './plain-commands.ts'
import { rememberedSection, type Conversation } from './remembered-section.ts'

export const pmAgentName = 'kugetsu-pm'

export type Verbosity = 'verbose' | 'default' | 'quiet'

/** Commands of kugetsu that the PM agent works with. What is not named here (delegate, init, env, demo …) is refused. */
const kugetsuCommands = [
  'start',
  'continue',
  'list',
  'status',
  'logs',
  'wait',
  'stop',
  'destroy',
  'set-pr',
  'context',
  'queue',
  'notify',
  'explain',
  'help',
  'queue-daemon status',
  'queue-daemon start',
  'queue-daemon logs',
  'server list',
  'server get',
  'env list',
].flatMap((command) => [`kugetsu ${command}`, `kugetsu ${command} *`])

const exactCommands = [
  'kugetsu',
  'kugetsu --help',
  'kugetsu --version',
  'kugetsu prune',
  'kugetsu doctor',
  'kugetsu doctor --json',
]

/** `git log` and `git log *`, not `git log*`: that would let `git difftool` in by way of `git diff*`. */
const gitReads = [
  'log',
  'show',
  'diff',
  'status',
  'blame',
  'shortlog',
  'rev-parse',
  'ls-files',
  'branch --list',
  'remote get-url',
]
  .map((command) => `git ${command}`)
  .flatMap((command) => [command, `${command} *`])
const gitExact = ['git branch', 'git branch -a', 'git branch -r', 'git branch -vv', 'git remote', 'git remote -v']

const digits = ['1', '2', '3', '4', '5', '6', '7', '8', '9']
const forgeReads = [
  ...[
    'issue list',
    'issue view',
    'pr list',
    'pr view',
    'pr checks',
    'pr diff',
    'pr status',
    'run list',
    'run view',
    'repo view',
  ].map((command) => `gh ${command}`),
  ...['issue list', 'issue view', 'mr list', 'mr view', 'mr diff', 'ci list', 'repo view'].map(
    (command) => `glab ${command}`,
  ),
  ...['issues', 'issues list', 'pulls', 'pulls list', 'repos list'].map((command) => `tea ${command}`),
].flatMap((command) => (/^tea (issues|pulls)$/.test(command) ? [command] : [command, `${command} *`]))
// `tea issues 14` shows one, `tea issues close 14` closes it.
const teaShows = digits.flatMap((digit) => [`tea issues ${digit}*`, `tea pulls ${digit}*`])

const filters = ['head', 'tail', 'grep', 'wc', 'jq'].flatMap((command) => [command, `${command} *`])

const refused = [
  'kugetsu destroy*--force*',
  'kugetsu destroy* -f*',
  // The person's override of the limit.
  'kugetsu continue*--now*',
  'kugetsu start*--now*',
  'kugetsu destroy*--base*',
  'kugetsu destroy*--pm-agent*',
  // Options by which reading commands write files or run programs.
  'git *--ou*',
  'git *--ext*',
  'gh * --web*',
  'gh * -w*',
  'glab * --web*',
  'glab * -w*',
]

/**
 * In order; the last that matches decides. They see the calls in a command only: plain-commands.ts refuses the rest,
 * redirections among them.
 */
export const pmAgentRules: readonly PermissionRule[] = [
  { permission: '*', pattern: '*', action: 'deny' },
  ...allow('read', ['*']),
  ...deny('read', ['*.env', '*.env.*']),
  ...allow('grep', ['*']),
  ...allow('glob', ['*']),
  ...allow('list', ['*']),
  ...allow('webfetch', ['*']),
  ...allow('todowrite', ['*']),
  ...allow('todoread', ['*']),
  ...allow('skill', ['*']),
  ...allow('websearch', ['*']),
  ...allow('external_directory', ['*']),
  // Asked, not denied: the refusal then says why, and the run goes on.
  { permission: 'doom_loop', pattern: '*', action: 'ask' },
  ...deny('edit', ['*']),
  // A sub-agent has permissions of its own, a shell among them.
  ...deny('task', ['*']),
  ...deny('bash', ['*']),
  ...allow('bash', [
    ...kugetsuCommands,
    ...exactCommands,
    ...gitReads,
    ...gitExact,
    ...forgeReads,
    ...teaShows,
    ...filters,
  ]),
  ...deny('bash', refused),
]

/**
 * What the PM agent reads when its shell refuses `command`, undefined when it may run it. opencode refuses the same by
 * the rules above; it says so by printing all of them, which would fill the session that is to last for weeks.
 */
export function refusedToPm(command: string): string | undefined {
  const read = callsIn(command)
  if ('problem' in read) return read.problem
  const call = read.calls.find((each) => !/^cd(\s|$)/.test(each) && !isAllowed(each))
  if (call === undefined) return undefined
  return `${JSON.stringify(call.slice(0, 100))} is not among the commands for you; they are those of your instructions, in their plain form`
}

/** opencode's way of matching: `*` is anything, a last ` *` may be missing, the last rule that matches decides. */
function isAllowed(call: string): boolean {
  const rules = pmAgentRules.filter(({ permission }) => permission === 'bash')
  return rules.findLast(({ pattern }) => matcherOf(pattern).test(call))?.action === 'allow'
}

function matcherOf(pattern: string): RegExp {
  const expression = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')
  return new RegExp(`^${expression.replace(/ \.\*$/, '( .*)?')}$`, 's')
}

/** What the PM agent's session begins with. */
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

/** What the PM agent is sent for a delegated message. `context` is what is known, or missing, about the issues it names. */
export function buildPmMessage(request: {
  message: string
  verbosity: Verbosity
  context?: string | undefined
  /** What was asked and answered in a session that is lost. */
  remembered?: Conversation | undefined
}): string {
  const context =
    request.context === undefined || request.context === '' ? '' : `What kugetsu knows about this:\n${request.context}`
  const before = request.remembered === undefined ? '' : rememberedSection(request.remembered, earlierSession)
  const sections = [before, context, verbosityLines[request.verbosity], `===== The request =====\n${request.message}`]
  return sections.filter((section) => section !== '').join('\n\n')
}

type Configuration = Record<string, PermissionRule['action'] | Record<string, PermissionRule['action']>>

/** The rules as nested objects, whose order of keys is the order of the rules. */
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
