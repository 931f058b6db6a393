/** What may not be told, wherever an agent's words and errors are written down. */
import { isSecretName, maskCredentials, maskSecrets } from '../core/masking.ts'
import { fileVariables } from './env-files.ts'

/** A shorter line of a value with several is nothing that one would know again. */
const shortestLine = 16

interface SecretsHome {
  paths: { env: string }
  env: Readonly<Record<string, string | undefined>>
}

/** Masks in texts the secrets that a home has now, and what URLs hold of users and passwords; half characters with them. */
export function maskerOf(home: SecretsHome): (text: string) => string {
  const secrets = knownSecrets(home)
  return (text) => maskCredentials(maskSecrets(text, secrets)).toWellFormed()
}

/**
 * The values of all variables that hold secrets by their names, of the env files and the environment: as they stand,
 * without their outer blanks, and the lines of those that have several, as commands may print them. A file that cannot
 * be read has none: what is to be told must not wait for that.
 */
export function knownSecrets({ paths, env }: SecretsHome): string[] {
  const files = ['default', 'dev', 'pm-agent'].flatMap((name) => readable(paths.env, name))
  const values = [...Object.entries(env), ...files].flatMap(([name, value]) =>
    value !== undefined && isSecretName(name) ? [value] : [],
  )
  return [...new Set(values.flatMap(formsOf))]
}

function formsOf(value: string): string[] {
  const lines = value.split('\n').map((line) => line.trim())
  return [value, value.trim(), ...lines.filter((line) => line.length >= shortestLine)]
}

function readable(directory: string, name: string): [string, string][] {
  try {
    return [...fileVariables(directory, name)]
  } catch {
    return []
  }
}
