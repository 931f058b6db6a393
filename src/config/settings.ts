/** The configuration: `~/.kugetsu/config`, overridden by the environment. Read on every call, so no zod here. */
import * as path from 'node:path'
import { startOf } from '../core/columns.ts'
import { isInstance } from '../core/issue-ref.ts'
import { KugetsuError } from '../core/errors.ts'
import { similarTo } from '../core/similar.ts'
import { type ConfigFile, readConfig } from './config-file.ts'

export interface Settings {
  /** How many dev agents may work at once. */
  maxConcurrentAgents: number
  /** MB (2^20 bytes) of memory that must be left beside one more agent; 0 turns the check off. */
  minFreeMemoryMb: number
  /** Hours after which an agent is aborted; fractions allowed. */
  taskTimeoutHours: number
  /** The fallback poll of the queue daemon. */
  queueIntervalMinutes: number
  /** Finished queue items older than this are cleared away. */
  queueCleanupAgeDays: number
  /** At most so many finished queue items are kept, the newest. */
  queueKeepFinished: number
  verbosity: 'verbose' | 'default' | 'quiet'
  /** Where agents may put temporary files, absolute. */
  tempDir: string
  /** Undefined: the remote's HEAD. */
  baseBranch: string | undefined
  /** Look up the pull request before a worktree is destroyed. */
  checkPrStatus: boolean
  /** Remember what was asked and answered, to seed a new session when one is lost. */
  contextDump: boolean
  /** The instance of `owner/repo#n`, unless servers.json has a default of its own. */
  defaultGitServer: string
  /** The answer to an agent's permission request. */
  permissionPolicy: 'reject' | 'allow'
  /** The providers whose models the opencode server loads: by id, or `connected` (those it can use), or `all`. */
  modelProviders: readonly string[] | 'connected' | 'all'
  /** How long the opencode server may be idle before it is stopped; 0 is at once. */
  serverIdleMinutes: number
  /** What was not understood in the config, one sentence each. */
  warnings: string[]
  /** Settings that mean nothing any more, a sentence by the name of the variable: worth saying once. */
  gone: ReadonlyMap<string, string>
  /** Settings in the file that look misspelled, in the same form. */
  mistyped: ReadonlyMap<string, string>
}

export interface SettingsSource {
  /** Path of the config file; it need not exist. */
  configFile: string
  env: NodeJS.ProcessEnv
  /** The user's home directory, for `~`. */
  userHome: string
}

/** Every option, as it appears in a new config file: its name, its default as text, what it is for. */
const options = [
  ['MAX_CONCURRENT_AGENTS', '3', 'How many agents may run at once.'],
  ['MIN_FREE_MEMORY_MB', '256', 'MB of memory that must be left beside one more agent; 0 turns the check off.'],
  ['TASK_TIMEOUT_HOURS', '1', 'Hours after which an agent is stopped; fractions are allowed.'],
  [
    'QUEUE_DAEMON_INTERVAL_MINUTES',
    '5',
    'Minutes after which the daemon looks at the queue even if it heard of no change.',
  ],
  ['QUEUE_CLEANUP_AGE_DAYS', '7', 'Days that finished queue items are kept.'],
  ['QUEUE_KEEP_FINISHED', '2000', 'How many finished queue items are kept at most, the newest.'],
  ['KUGETSU_VERBOSITY', 'default', 'How much the PM agent says: verbose, default or quiet.'],
  ['KUGETSU_TEMP_DIR', '~/.local/share/opencode/tool-output', 'Where agents put temporary files.'],
  ['KUGETSU_BASE_BRANCH', '', 'The branch that work starts from; empty means the default branch of the remote.'],
  ['WORKTREE_CHECK_PR_STATUS', 'true', 'Look up the pull request before destroying a worktree.'],
  ['ENABLE_CONTEXT_DUMP', 'true', 'Remember what was asked and answered, in case a session is lost.'],
  ['DEFAULT_GIT_SERVER', 'github.com', 'The git server of refs without one, such as owner/repo#14.'],
  ['PERMISSION_POLICY', 'reject', 'The answer to permission requests of agents: reject or allow.'],
  [
    'KUGETSU_MODEL_PROVIDERS',
    'connected',
    'The providers whose models opencode loads: connected, all, or ids such as anthropic,openai.',
  ],
  ['KUGETSU_SERVER_IDLE_MINUTES', '10', 'Minutes without work after which the opencode server is stopped.'],
] as const

type OptionName = (typeof options)[number][0]

/** What `init` writes: every option with its default, commented out. */
export const defaultConfigText: string = [
  '# Configuration of kugetsu. Every command reads it, so a change holds at once. Environment variables win over it.',
  '# Remove the "# " before a setting to change it.',
  ...options.map(([name, value, meaning]) => `\n# ${meaning}\n# ${name}=${value}`),
  '\n# Git servers are best added with: kugetsu server add <name> <url>\n',
].join('\n')

// Timers overflow at 2^31 milliseconds, about 596 hours, and then fire at once.
const longestHours = 500
const longestMinutes = longestHours * 60

/**
 * Reads the settings. Throws KugetsuError `bad_setting`, naming the variable, its value, where it comes from and what
 * is allowed; `unreadable` when the config file cannot be read.
 */
export function loadSettings({ configFile, env, userHome }: SettingsSource): Settings {
  const config = readConfig(configFile, { ...env, HOME: userHome })
  const given = (name: OptionName) => givenValue(name, { configFile, env, config })
  return {
    maxConcurrentAgents: wholeNumber(given('MAX_CONCURRENT_AGENTS'), { from: 1, to: 1000 }),
    minFreeMemoryMb: wholeNumber(given('MIN_FREE_MEMORY_MB'), { from: 0, to: 100_000_000 }),
    taskTimeoutHours: positive(given('TASK_TIMEOUT_HOURS'), longestHours),
    queueIntervalMinutes: positive(given('QUEUE_DAEMON_INTERVAL_MINUTES'), longestMinutes),
    queueCleanupAgeDays: zeroOrMore(given('QUEUE_CLEANUP_AGE_DAYS'), 36500),
    queueKeepFinished: wholeNumber(given('QUEUE_KEEP_FINISHED'), { from: 1, to: 1_000_000 }),
    verbosity: oneOf(given('KUGETSU_VERBOSITY'), ['verbose', 'default', 'quiet']),
    tempDir: directory(given('KUGETSU_TEMP_DIR'), userHome),
    baseBranch: branch(given('KUGETSU_BASE_BRANCH')),
    checkPrStatus: yesOrNo(given('WORKTREE_CHECK_PR_STATUS')),
    contextDump: yesOrNo(given('ENABLE_CONTEXT_DUMP')),
    defaultGitServer: gitServer(given('DEFAULT_GIT_SERVER')),
    permissionPolicy: oneOf(given('PERMISSION_POLICY'), ['reject', 'allow']),
    modelProviders: providers(given('KUGETSU_MODEL_PROVIDERS')),
    serverIdleMinutes: zeroOrMore(given('KUGETSU_SERVER_IDLE_MINUTES'), longestMinutes),
    warnings: config.warnings.map(({ line, text }) => `${configFile}, line ${line}: ${text}`),
    gone: goneSettings({ configFile, env, config }),
    mistyped: mistypedSettings(configFile, config),
  }
}

/** A value and where it comes from. */
interface Given {
  name: string
  text: string
  origin: string
}

interface Sources {
  configFile: string
  env: NodeJS.ProcessEnv
  config: ConfigFile
}

/** An empty value counts as unset, as with the shell's `${NAME:-default}`. */
function givenValue(name: OptionName, { configFile, env, config }: Sources): Given {
  const fromEnvironment = env[name]?.trim() ?? ''
  if (fromEnvironment !== '') return { name, text: fromEnvironment, origin: 'the environment' }
  const fromFile = config.values.get(name)?.trim() ?? ''
  if (fromFile !== '') return { name, text: fromFile, origin: lineOf(name, configFile, config) }
  return { name, text: options.find(([option]) => option === name)?.[1] ?? '', origin: 'the defaults' }
}

function lineOf(name: string, configFile: string, config: ConfigFile): string {
  return `${configFile}, line ${config.lines.get(name) ?? '?'}`
}

const goneSetting = 'QUEUE_DAEMON_BATCH_SIZE'

function goneSettings({ configFile, env, config }: Sources): ReadonlyMap<string, string> {
  const name = goneSetting
  const isInFile = config.values.has(name)
  if (!isInFile && env[name] === undefined) return new Map()
  const where = isInFile ? lineOf(name, configFile, config) : 'the environment'
  return new Map([[name, `${where}: ${name} is gone: as many tasks start as there are free slots. Remove it.`]])
}

/** The file may have variables of its own, for use in others: only a name close to a setting's counts as mistyped. */
function mistypedSettings(configFile: string, config: ConfigFile): ReadonlyMap<string, string> {
  const known: string[] = options.map(([name]) => name)
  const unknown = [...config.values.keys()].filter((name) => !known.includes(name) && name !== goneSetting)
  return new Map(
    unknown.flatMap((name) => {
      const meant = similarTo(name, known)
      if (meant === undefined) return []
      return [
        [name, `${lineOf(name, configFile, config)}: there is no setting ${name}. Did you mean ${meant}?`] as const,
      ]
    }),
  )
}

function wholeNumber(given: Given, { from, to }: { from: number; to: number }): number {
  const value = /^\d{1,9}$/.test(given.text) ? Number(given.text) : NaN
  if (value >= from && value <= to) return value
  throw senseless(given, `a whole number from ${from} to ${to}`)
}

function positive(given: Given, most: number): number {
  const value = decimal(given.text)
  if (value > 0 && value <= most) return value
  throw senseless(given, `a number above 0 and up to ${most}, such as 1 or 0.5`)
}

function zeroOrMore(given: Given, most: number): number {
  const value = decimal(given.text)
  if (value <= most) return value
  throw senseless(given, `a number from 0 to ${most}, such as 1 or 0.5`)
}

function decimal(text: string): number {
  return /^(\d{1,9}(\.\d{0,9})?|\.\d{1,9})$/.test(text) ? Number(text) : NaN
}

function oneOf<T extends string>(given: Given, allowed: readonly T[]): T {
  const found = allowed.find((word) => word === given.text.toLowerCase())
  if (found !== undefined) return found
  throw senseless(given, `${allowed.slice(0, -1).join(', ')} or ${allowed.at(-1)}`)
}

function yesOrNo(given: Given): boolean {
  const text = given.text.toLowerCase()
  if (['true', 'yes', 'on', '1'].includes(text)) return true
  if (['false', 'no', 'off', '0'].includes(text)) return false
  throw senseless(given, 'true or false')
}

function directory(given: Given, userHome: string): string {
  // The shell leaves a quoted ~ as it is; nobody means a directory of that name.
  const expanded = given.text.replace(/^~(?=\/|$)/, () => userHome)
  if (path.isAbsolute(expanded) && !hasControls(expanded)) return path.normalize(expanded)
  throw senseless(given, 'an absolute path, or one that begins with ~/')
}

/** Git's own rules for branch names. Also refuses names that git could take for an option. */
function branch(given: Given): string | undefined {
  if (given.text === '') return undefined
  const parts = given.text.split('/')
  const isSound = (part: string) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock')
  const hasForbidden = /[\s~^:?*[\\]|\.\.|@\{|\.$|^-|^@$/.test(given.text) || hasControls(given.text)
  if (!hasForbidden && given.text.length <= 200 && parts.every(isSound)) return given.text
  throw senseless(given, 'the name of a branch, such as main')
}

/** Ids as in https://models.dev, separated by commas or spaces. */
function providers(given: Given): Settings['modelProviders'] {
  if (given.text === 'connected' || given.text === 'all') return given.text
  const ids = given.text.split(/[\s,]+/).filter((id) => id !== '')
  const isId = (id: string) => /^[a-z0-9][\w.-]{0,99}$/i.test(id) && id !== 'connected' && id !== 'all'
  if (ids.length > 0 && ids.every(isId)) return [...new Set(ids)]
  throw senseless(given, 'connected, all, or ids of model providers, such as anthropic,openai')
}

function gitServer(given: Given): string {
  if (isInstance(given.text)) return given.text.toLowerCase()
  throw senseless(given, 'the name or host of a git server, such as github.com')
}

/** Control characters as in Unicode's \p{Cc}. A pattern with that name takes a tenth of a millisecond to make. */
function hasControls(text: string): boolean {
  // oxlint-disable-next-line no-control-regex
  return /[\0-\x1f\x7f-\x9f]/.test(text)
}

function senseless(given: Given, allowed: string): KugetsuError {
  const shown = given.text.length > 60 ? `${startOf(given.text, 57)}...` : given.text
  const message = `${given.name} is ${JSON.stringify(shown)} (from ${given.origin}), but must be ${allowed}`
  return new KugetsuError(message, {
    code: 'bad_setting',
    hint: given.origin === 'the environment' ? `Correct or unset ${given.name}.` : `Correct it in ${given.origin}.`,
  })
}
