/**
 * How git is told to ask kugetsu for tokens: by its environment alone, as a credential helper that calls back. The token is
 * in no URL, no configuration and no argument. Also part of the plugin inside opencode: plain JavaScript only.
 */

/** The name of the helper as a command of kugetsu. */
export const credentialCommand = 'credential'
/** In the server's environment: the helper command without its agent, for the plugin. */
export const helperVariable = 'KUGETSU_CREDENTIAL_HELPER'

/** The command that git runs: the program and arguments of kugetsu, quoted for a shell. git appends the operation. */
export function helperCommand(home: string, self: readonly string[]): string {
  return ['!KUGETSU_DIR=' + quoted(home), ...self.filter((word) => word !== '').map(quoted), credentialCommand].join(
    ' ',
  )
}

/** git's configuration in `env` (GIT_CONFIG_COUNT and so on; git 2.31 and newer) with the helper for an agent added. */
export function credentialVariables(
  env: Readonly<Record<string, string | undefined>>,
  helper: string,
  agent: 'dev' | 'pm-agent',
): Record<string, string> {
  const entries = othersOf(env)
  // Git itself reports a malformed count.
  return entries === undefined ? {} : variablesOf([...entries, ['credential.helper', `${helper} ${agent}`]])
}

/** The same without a helper of ours: only what the user has set. */
export function withoutHelper(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return variablesOf(othersOf(env) ?? [])
}

type Entry = [key: string, value: string]

/** The entries without our own helper, which is there when an agent called kugetsu. */
function othersOf(env: Readonly<Record<string, string | undefined>>): Entry[] | undefined {
  const count = env['GIT_CONFIG_COUNT'] || '0'
  if (!/^\d{1,4}$/.test(count)) return undefined
  const entries = Array.from({ length: Number(count) }, (_, index): Entry => {
    return [env[`GIT_CONFIG_KEY_${index}`] ?? '', env[`GIT_CONFIG_VALUE_${index}`] ?? '']
  })
  return entries.filter(
    ([, value]) => !(value.startsWith('!KUGETSU_DIR=') && / credential (dev|pm-agent)$/.test(value)),
  )
}

function variablesOf(entries: Entry[]): Record<string, string> {
  const numbered = entries.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ])
  return Object.fromEntries([['GIT_CONFIG_COUNT', String(entries.length)], ...numbered])
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
