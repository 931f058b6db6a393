/** The configuration: `~/.kugetsu/config`, overridden by the environment. Read on every call, so no zod here. */
import { KugetsuError } from '../core/errors.ts'
import { similarTo } from '../core/similar.ts'
import { type ConfigFile, readConfig } from './config-file.ts'
import {
  branch,
  directory,
  fromEnvironment,
  type Given,
  gitServer,
  oneOf,
  positive,
  providers,
  type Reader,
  wholeNumber,
  yesOrNo,
  zeroOrMore,
} from './setting-values.ts'

interface Setting<T> {
  name: string
  /** The default as text. */
  initial: string
  /** What it is for, as in a new config file. */
  meaning: string
  read: Reader<T>
}

function setting<T>(name: string, initial: string, read: Reader<T>, meaning: string): Setting<T> {
  return { name, initial, meaning, read }
}

// Timers overflow at 2^31 milliseconds, about 596 hours, and then fire at once.
const longestHours = 500
const longestMinutes = longestHours * 60

/** Every setting by its field in Settings, in the order of a new config file. */
const table = {
  maxConcurrentAgents: setting(
    'MAX_CONCURRENT_AGENTS',
    '3',
    wholeNumber({ from: 1, to: 1000 }),
    'How many agents may run at once.',
  ),
  /** MB of 2^20 bytes. */
  minFreeMemoryMb: setting(
    'MIN_FREE_MEMORY_MB',
    '256',
    wholeNumber({ from: 0, to: 100_000_000 }),
    'MB of memory that must be left beside one more agent; 0 turns the check off.',
  ),
  taskTimeoutHours: setting(
    'TASK_TIMEOUT_HOURS',
    '1',
    positive(longestHours),
    'Hours after which an agent is stopped; fractions are allowed.',
  ),
  queueIntervalMinutes: setting(
    'QUEUE_DAEMON_INTERVAL_MINUTES',
    '5',
    positive(longestMinutes),
    'Minutes after which the daemon looks at the queue even if it heard of no change.',
  ),
  queueCleanupAgeDays: setting(
    'QUEUE_CLEANUP_AGE_DAYS',
    '7',
    zeroOrMore(36500),
    'Days that finished queue items are kept.',
  ),
  queueKeepFinished: setting(
    'QUEUE_KEEP_FINISHED',
    '2000',
    wholeNumber({ from: 1, to: 1_000_000 }),
    'How many finished queue items are kept at most, the newest.',
  ),
  verbosity: setting(
    'KUGETSU_VERBOSITY',
    'default',
    oneOf('verbose', 'default', 'quiet'),
    'How much the PM agent says: verbose, default or quiet.',
  ),
  /** Absolute. */
  tempDir: setting(
    'KUGETSU_TEMP_DIR',
    '~/.local/share/opencode/tool-output',
    directory,
    'Where agents put temporary files.',
  ),
  /** Undefined: the remote's HEAD. */
  baseBranch: setting(
    'KUGETSU_BASE_BRANCH',
    '',
    branch,
    'The branch that work starts from; empty means the default branch of the remote.',
  ),
  checkPrStatus: setting(
    'WORKTREE_CHECK_PR_STATUS',
    'true',
    yesOrNo,
    'Look up the pull request before destroying a worktree.',
  ),
  contextDump: setting(
    'ENABLE_CONTEXT_DUMP',
    'true',
    yesOrNo,
    'Remember what was asked and answered, in case a session is lost.',
  ),
  /** servers.json may have a default of its own, which wins. */
  defaultGitServer: setting(
    'DEFAULT_GIT_SERVER',
    'github.com',
    gitServer,
    'The git server of refs without one, such as owner/repo#14.',
  ),
  permissionPolicy: setting(
    'PERMISSION_POLICY',
    'reject',
    oneOf('reject', 'allow'),
    'The answer to permission requests of agents: reject or allow.',
  ),
  modelProviders: setting(
    'KUGETSU_MODEL_PROVIDERS',
    'connected',
    providers,
    'The providers whose models opencode loads: connected, all, or ids such as anthropic,openai.',
  ),
  serverIdleMinutes: setting(
    'KUGETSU_SERVER_IDLE_MINUTES',
    '10',
    zeroOrMore(longestMinutes),
    'Minutes without work after which the opencode server is stopped.',
  ),
}

type Table = typeof table
type Values = { [Field in keyof Table]: ReturnType<Table[Field]['read']> }

export interface Settings extends Values {
  /** What was not understood in the config, one sentence each. */
  warnings: string[]
  /** Settings without a meaning any more, a sentence by the name of the variable: worth saying once. */
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

const settings: readonly Setting<unknown>[] = Object.values(table)

/** The names of all settings, in the order of a new config file. */
export const settingNames: readonly string[] = settings.map(({ name }) => name)

/** What `init` writes: every setting with its default, commented out. */
export const defaultConfigText: string = [
  '# Configuration of kugetsu. Every command reads it, so a change holds at once. Environment variables win over it.',
  '# Remove the "# " before a setting to change it.',
  ...settings.map(({ name, initial, meaning }) => `\n# ${meaning}\n# ${name}=${initial}`),
  '\n# Git servers are best added with: kugetsu server add <name> <url>\n',
].join('\n')

/**
 * Reads the settings. Throws KugetsuError `bad_setting`, naming the variable, its value, where it comes from and what
 * is allowed; `unreadable` when the config file cannot be read.
 */
export function loadSettings(source: SettingsSource): Settings {
  const { configFile, userHome } = source
  const config = configOf(source)
  const sources = { ...source, config }
  const values = Object.entries(table as Record<string, Setting<unknown>>).map(([field, each]) => {
    return [field, each.read(givenValue(each, sources).given, userHome)]
  })
  return {
    ...(Object.fromEntries(values) as Values),
    warnings: config.warnings.map(({ line, text }) => `${configFile}, line ${line}: ${text}`),
    gone: goneSettings(sources),
    mistyped: mistypedSettings(configFile, config),
  }
}

/** One setting as it is now. */
export interface SettingView {
  name: string
  /** As it is used: `true`, not `yes`; null when it cannot be used. */
  value: string | null
  default: string
  source: 'environment' | 'config' | 'default'
  /** The line of the config file that counts, if the file is the source. */
  line: number | null
  meaning: string
  /** Why it cannot be used. */
  problem: string | null
}

/** All settings as they are now. Throws KugetsuError `unreadable` when the config file cannot be read. */
export function describeSettings(source: SettingsSource): SettingView[] {
  const sources = { ...source, config: configOf(source) }
  return settings.map((each) => {
    const { given, from } = givenValue(each, sources)
    const line = from === 'config' ? (sources.config.lines.get(each.name) ?? null) : null
    const view = { name: each.name, default: each.initial, source: from, line, meaning: each.meaning }
    try {
      return { ...view, value: shownValue(each.read(given, source.userHome)), problem: null }
    } catch (error) {
      if (!(error instanceof KugetsuError)) throw error
      return { ...view, value: null, problem: error.message }
    }
  })
}

/** Reads a value for a setting as loadSettings() would. Throws KugetsuError `bad_setting`. */
export function checkSetting(given: Given, userHome: string): string {
  const found = settings.find(({ name }) => name === given.name)
  return shownValue(found?.read(given, userHome))
}

function shownValue(value: unknown): string {
  return value === undefined ? '' : Array.isArray(value) ? value.join(',') : String(value)
}

function configOf({ configFile, env, userHome }: SettingsSource): ConfigFile {
  return readConfig(configFile, { ...env, HOME: userHome })
}

interface Sources extends SettingsSource {
  config: ConfigFile
}

/** An empty value counts as unset, as with the shell's `${NAME:-default}`. */
function givenValue(
  { name, initial }: Setting<unknown>,
  { configFile, env, config }: Sources,
): { given: Given; from: SettingView['source'] } {
  const set = env[name]?.trim() ?? ''
  if (set !== '') return { given: { name, text: set, origin: fromEnvironment }, from: 'environment' }
  const fromFile = config.values.get(name)?.trim() ?? ''
  if (fromFile !== '') {
    return { given: { name, text: fromFile, origin: lineOf(name, configFile, config) }, from: 'config' }
  }
  return { given: { name, text: initial, origin: 'the defaults' }, from: 'default' }
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
  const unknown = [...config.values.keys()].filter((name) => !settingNames.includes(name) && name !== goneSetting)
  return new Map(
    unknown.flatMap((name) => {
      const meant = similarTo(name, settingNames)
      if (meant === undefined) return []
      return [
        [name, `${lineOf(name, configFile, config)}: there is no setting ${name}. Did you mean ${meant}?`] as const,
      ]
    }),
  )
}
