/** Completion of opencode's models and agents, from its files only: asking opencode could take seconds. */
import * as path from 'node:path'
import stripJsonComments from 'strip-json-comments'
import type { Home } from '../config/home.ts'
import { findCatalogue, variablesOf } from './models/catalogue.ts'
import { configurationDirectory, configurationFiles, loginsOf } from './directories.ts'
import { listDirectory } from '../platform/files.ts'
import { at, jsonOf, type Fields } from '../platform/soft-json.ts'

/** The agents for people that opencode has without any configuration. */
const builtIn = ['build', 'plan']

/** The models that can be used, as `provider/model`, sorted. */
export function models(home: Home): string[] {
  const asked = jsonOf(home.paths.connected)['providers']
  const usable = new Set<unknown>([...(Array.isArray(asked) ? asked : []), ...loginsOf(home)])
  const known = Object.entries(findCatalogue(home)?.catalogue ?? {}).filter(
    ([id, provider]) => usable.has(id) || variablesOf(provider).some((name) => home.env[name]),
  )
  const found = [...known, ...configured(home, 'provider')].flatMap(([id, provider]) =>
    Object.keys(at({ ...provider }, 'models')).map((model) => `${id}/${model}`),
  )
  return [...new Set(found)].toSorted()
}

/** The agents that a session can be with, sorted. */
export function primaryAgents(home: Home): string[] {
  const directory = configurationDirectory(home.env, home.userHome)
  const files = ['agent', 'agents'].flatMap((name) => listDirectory(path.join(directory, name)))
  const named = new Map(configured(home, 'agent')) // the last file wins
  const names = [
    ...builtIn,
    ...[...named.keys()].filter((name) => named.get(name)?.['mode'] !== 'subagent'),
    ...files.filter((file) => file.endsWith('.md')).map((file) => path.basename(file, '.md')),
  ]
  return [...new Set(names)].toSorted()
}

/** The entries of the object `field` in the files of opencode's configuration, by name. */
function configured(home: Home, field: string): [string, Fields][] {
  return configurationFiles(home.env, home.userHome).flatMap((file) => {
    const fields = at(jsonOf(file, withoutComments), field)
    return Object.keys(fields).map((name): [string, Fields] => [name, at(fields, name)])
  })
}

function withoutComments(text: string): string {
  return stripJsonComments(text, { trailingCommas: true })
}
