import * as fs from 'node:fs'
import * as path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Home } from '../../config/home.ts'
import { withoutCaller } from '../../core/callers-variables.ts'
import { helperCommand, helperVariable } from '../../core/credential-helper.ts'
import { KugetsuError } from '../../core/errors.ts'
import { lazy } from '../../core/lazy.ts'
import { addModelsVariable, allModelsVariable } from '../models/variables.ts'
import { unattended } from '../../core/unattended.ts'
import { withoutAgent } from '../../core/within-agent.ts'
import { ensureDirectory, writeAtomic } from '../../platform/files.ts'
import { packedText } from '../../platform/single-executable.ts'
import type { ModelChoice } from '../models/in-use.ts'

/** Set in the server, and so in every command its agents run, to find commands that outlive the server. */
export const markerVariable = 'KUGETSU_SERVER'

/** Agents to define in addition to the user's own, by name, in the form of opencode's configuration. */
export type AgentDefinitions = Record<string, object>

/**
 * Nothing may open an editor or wait for a password: no person is there to answer. ssh needs no more than this, because
 * the server has no terminal to ask on; the user's own ssh command stays as it is.
 */
const silent = {
  ...unattended,
  GIT_MERGE_AUTOEDIT: 'no',
  GCM_INTERACTIVE: 'never',
  SSH_ASKPASS_REQUIRE: 'never',
  PAGER: 'cat',
}

/** Variables of an opencode that kugetsu was called in, or of a directory that the server is not in. */
const foreign = [
  'OPENCODE',
  'OPENCODE_PID',
  'OPENCODE_SERVER_USERNAME',
  'PWD',
  'OLDPWD',
  allModelsVariable,
  addModelsVariable,
]

/** The environment of the server: the user's own, without what would block or misdirect it. */
export function serverEnvironment(
  home: Home,
  own: { password: string; marker: string; agents: AgentDefinitions; models: ModelChoice },
): NodeJS.ProcessEnv {
  const surroundings = withoutCaller(withoutAgent(home.env))
  for (const name of foreign) delete surroundings[name]
  return {
    // Newer versions write a line for each thing they do into a log that they never rotate.
    OPENCODE_LOG_LEVEL: 'WARN',
    ...surroundings,
    ...silent,
    OPENCODE_SERVER_PASSWORD: own.password,
    OPENCODE_DISABLE_AUTOUPDATE: '1',
    ...modelVariables(own.models),
    OPENCODE_CONFIG_CONTENT: configContent(home, own.agents),
    [markerVariable]: own.marker,
    KUGETSU_DIR: home.paths.home,
    KUGETSU_TEMP_DIR: home.settings().tempDir,
    KUGETSU_BIN_DIR: home.paths.bin,
    [helperVariable]: helperCommand(home.paths.home, home.self),
  }
}

/** For opencode and for the plugin. The plugin may add what is left out, and gives all to an opencode that agents run. */
function modelVariables({ served, logins }: ModelChoice): Record<string, string> {
  if (served === undefined) return {}
  return {
    OPENCODE_MODELS_PATH: served.some,
    [allModelsVariable]: served.all,
    ...(logins && { [addModelsVariable]: JSON.stringify(logins) }),
  }
}

const pluginFile = 'environment-plugin.js'

/** The text of the plugin, which hands agents their variables. The daemon reads it when it starts: an upgrade replaces it. */
export const pluginText = lazy(
  () => packedText(pluginFile) ?? fs.readFileSync(new URL(pluginFile, import.meta.url), 'utf8'),
)

/** Copies the plugin into the home: kugetsu's own files may be gone later. */
export function writePlugin(home: Home): void {
  writeAtomic(home.paths.plugin, pluginText())
}

/** Lets agents call the kugetsu that started them, by its name, whatever else is on their search path. */
export function writeProgram(home: Home): void {
  const file = path.join(home.paths.bin, 'kugetsu')
  const words = home.self.filter((word) => word !== '').map((word) => `'${word.replaceAll("'", `'\\''`)}'`)
  ensureDirectory(home.paths.bin)
  writeAtomic(file, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`)
  fs.chmodSync(file, 0o700)
}

/** The user's OPENCODE_CONFIG_CONTENT, if any, with our plugin and agents added. */
function configContent(home: Home, ours: AgentDefinitions): string {
  const theirs = parseConfig(home.env['OPENCODE_CONFIG_CONTENT'])
  const plugins = Array.isArray(theirs['plugin']) ? theirs['plugin'] : []
  const agents = typeof theirs['agent'] === 'object' ? theirs['agent'] : {}
  const experimental = typeof theirs['experimental'] === 'object' ? theirs['experimental'] : {}
  return JSON.stringify({
    ...theirs,
    plugin: [...plugins, pathToFileURL(home.paths.plugin).href],
    agent: { ...agents, ...ours },
    // Older versions end a run when a question is rejected: the agent is to read the rejection and go on.
    experimental: { continue_loop_on_deny: true, ...experimental },
    // A user's setting to share all sessions would publish those of agents too.
    share: 'disabled',
  })
}

function parseConfig(text: string | undefined): Record<string, unknown> {
  if (text === undefined || text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // thrown below
  }
  throw new KugetsuError('OPENCODE_CONFIG_CONTENT is not a JSON object', {
    hint: 'Mend or unset it: kugetsu adds its plugin to it.',
    code: 'bad_config',
  })
}
