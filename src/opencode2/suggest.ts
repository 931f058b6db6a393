/** Completion of opencode 2's models and agents, from its files only: asking opencode could take seconds. */
import * as path from 'node:path'
import stripJsonComments from 'strip-json-comments'
import type { Home } from '../config/home.ts'
import { configurationDirectory, configurationFiles } from '../opencode/directories.ts'
import { listDirectory } from '../platform/files.ts'
import { at, jsonOf, type Fields } from '../platform/soft-json.ts'

/** The agents for people that opencode has without any configuration. */
const builtIn = ['build', 'plan']

/** The models that the user's configuration names, as `provider/model`, sorted. */
export function models(home: Home): string[] {
  const found = configured(home, ['providers', 'provider']).flatMap(([id, provider]) =>
    Object.keys(at(provider, 'models')).map((model) => `${id}/${model}`),
  )
  return [...new Set(found)].toSorted()
}

/** The agents that a session can be with, sorted. */
export function primaryAgents(home: Home): string[] {
  const directory = configurationDirectory(home.env, home.userHome)
  const files = ['agent', 'agents'].flatMap((name) => listDirectory(path.join(directory, name)))
  const named = new Map(configured(home, ['agent', 'agents'])) // the last file wins
  const names = [
    ...builtIn,
    ...[...named.keys()].filter((name) => named.get(name)?.['mode'] !== 'subagent'),
    ...files.filter((file) => file.endsWith('.md')).map((file) => path.basename(file, '.md')),
  ]
  return [...new Set(names)].toSorted()
}

/** The entries of the objects in these fields of opencode's configuration, by name: in the form of opencode 1 or 2. */
function configured(home: Home, fields: readonly string[]): [string, Fields][] {
  return configurationFiles(home.env, home.userHome).flatMap((file) => {
    const all = jsonOf(file, (text) => stripJsonComments(text, { trailingCommas: true }))
    return fields.flatMap((field) => {
      const found = at(all, field)
      return Object.keys(found).map((name): [string, Fields] => [name, at(found, name)])
    })
  })
}
