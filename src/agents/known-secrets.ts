/** The secrets to mask wherever an agent's words and errors are written down. */
import { isSecretName, maskCredentials, maskSecrets } from '../core/masking.ts'
import { fileVariables } from './env-files.ts'

/** A shorter line of a multi-line value is not masked: it could be any text. */
const shortestLine = 16

interface SecretsHome {
  paths: { env: string }
  env: Readonly<Record<string, string | undefined>>
}

/** A function that masks the home's current secrets and the users and passwords in URLs, and replaces half characters. */
export function maskerOf(home: SecretsHome): (text: string) => string {
  const secrets = knownSecrets(home)
  return (text) => maskCredentials(maskSecrets(text, secrets)).toWellFormed()
}

/**
 * The values of all variables in the env files and the environment with a name of a secret: as they stand, without outer
 * blanks, and line by line if there are several lines, as commands may print them. A file that cannot be read counts as
 * empty, so that texts can still be written.
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
