import * as fs from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { Home } from '../config/home.ts'
import { lazy } from '../core/lazy.ts'
import type { AgentDefinitions, Own } from '../driver/driver.ts'
import { surroundings, usersConfiguration } from '../driver/environment.ts'
import { writeAtomic } from '../platform/files.ts'
import { packedText } from '../platform/single-executable.ts'
import type { ModelChoice } from './models/in-use.ts'
import { addModelsVariable, allModelsVariable } from './models/variables.ts'

/** The environment of the server: the user's own, without variables that would block or misdirect it. */
export function serverEnvironment(home: Home, own: Omit<Own, 'program'> & { models: ModelChoice }): NodeJS.ProcessEnv {
  return {
    ...surroundings(home, own.marker, [allModelsVariable, addModelsVariable]),
    OPENCODE_SERVER_PASSWORD: own.password,
    ...modelVariables(own.models),
    OPENCODE_CONFIG_CONTENT: configContent(home, own.agents),
  }
}

/** For opencode and for the plugin. The plugin may add left-out models, and gives all to an opencode that agents run. */
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

/** The user's OPENCODE_CONFIG_CONTENT, if any, with our plugin and agents added. */
function configContent(home: Home, ours: AgentDefinitions): string {
  const theirs = usersConfiguration(home.env)
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
