/** What opencode has for completion, as far as files tell: it is not asked, which could take seconds. */
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { findCatalogue, variablesOf } from '../../opencode/catalogue.ts'
import { configurationDirectory, loginsOf } from '../../opencode/directories.ts'
import { listDirectory } from '../../platform/files.ts'
import { at, jsonOf, type Fields } from './json.ts'

/** The agents for people that opencode has without any configuration. */
const builtIn = ['build', 'plan']

/** The models that can be used, as `provider/model`, sorted. */
export function models(home: Home): string[] {
  const asked = jsonOf(home.paths.connected)['providers']
  const usable = new Set<unknown>([...(Array.isArray(asked) ? asked : []), ...loginsOf(home)])
  const known = Object.entries(findCatalogue(home)?.catalogue ?? {}).filter(
    ([id, provider]) => usable.has(id) || variablesOf(provider).some((name) => home.env[name]),
  )
  const configured = at(configuration(home), 'provider')
  const found = [...known, ...Object.keys(configured).map((id) => [id, at(configured, id)] as const)].flatMap(
    ([id, provider]) => Object.keys(at({ ...provider }, 'models')).map((model) => `${id}/${model}`),
  )
  return [...new Set(found)].toSorted()
}

/** The agents that a session can be with, sorted. */
export function primaryAgents(home: Home): string[] {
  const directory = configurationDirectory(home.env, home.userHome)
  const configured = at(configuration(home), 'agent')
  const files = ['agent', 'agents'].flatMap((name) => listDirectory(path.join(directory, name)))
  const names = [
    ...builtIn,
    ...Object.keys(configured).filter((name) => at(configured, name)['mode'] !== 'subagent'),
    ...files.filter((file) => file.endsWith('.md')).map((file) => path.basename(file, '.md')),
  ]
  return [...new Set(names)].toSorted()
}

function configuration(home: Home): Fields {
  return jsonOf(path.join(configurationDirectory(home.env, home.userHome), 'opencode.json'))
}
