/** The directories of opencode, and the logins that it keeps. Also part of the plugin inside opencode. */
import * as path from 'node:path'
import { readText } from '../platform/files.ts'
import { parseJson } from '../platform/state-file.ts'

/** Where opencode keeps its data. */
export function dataDirectory(env: NodeJS.ProcessEnv, userHome: string): string {
  return path.join(env['XDG_DATA_HOME'] || path.join(userHome, '.local', 'share'), 'opencode')
}

/** Where opencode reads the user's configuration. */
export function configurationDirectory(env: NodeJS.ProcessEnv, userHome: string): string {
  return path.join(env['XDG_CONFIG_HOME'] || path.join(userHome, '.config'), 'opencode')
}

/** The files of the user's configuration, which may be missing, in the order opencode reads them: a later one wins. */
export function configurationFiles(env: NodeJS.ProcessEnv, userHome: string): string[] {
  const directory = configurationDirectory(env, userHome)
  return ['config.json', 'opencode.json', 'opencode.jsonc'].map((name) => path.join(directory, name))
}

/** The ids of the providers that opencode keeps a login to, sorted. opencode rewrites the file when it renews a login. */
export function loginsOf({ env, userHome }: { env: NodeJS.ProcessEnv; userHome: string }): string[] {
  try {
    const logins = parseJson(readText(path.join(dataDirectory(env, userHome), 'auth.json')) ?? '{}')
    return Object.keys(logins as object).toSorted()
  } catch {
    return []
  }
}
