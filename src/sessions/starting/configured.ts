/** opencode's settings that an agent begins with: from the user's configuration, or from the repository's. */
import { KugetsuError } from '../../core/errors.ts'
import type { Client } from '../../driver/client.ts'

/** Where an agent is to work, and opencode's settings there. */
export interface Place {
  directory: string
  /** A directory outside of any repository, where only the user's configuration counts. */
  base: string
  defaults: Promise<Defaults>
}

type Defaults = Awaited<ReturnType<Client['defaults']>>

/**
 * The error for a setting that opencode has for `directory` and cannot use. Code `bad_repository_config` where only the
 * repository sets it, else `code`, because the setting then affects every agent.
 */
export async function badSetting(
  client: Client,
  at: Place,
  wrong: { name: keyof Defaults; why: string; hint: string; code: string },
): Promise<KugetsuError> {
  const { name, why, hint, code } = wrong
  const value = (await at.defaults)[name]
  const isUsers = (await client.defaults(at.base))[name] === value
  const where = isUsers ? 'opencode.json' : 'the opencode.json of the repository'
  return new KugetsuError(`opencode is set to ${name === 'model' ? '' : 'the agent '}${value}, ${why}`, {
    hint: `${hint}; the setting is "${name === 'agent' ? 'default_agent' : name}" in ${where}.`,
    code: isUsers ? code : 'bad_repository_config',
  })
}
