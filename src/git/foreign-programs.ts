/**
 * Settings by which a repository makes git run programs. Agents write into the configuration of the mirror, by hand or
 * by a tool (git-lfs, husky, a test suite), and kugetsu's git must not run those programs in its own name. The user's
 * own settings for all repositories apply; the repository's own settings do not.
 *
 * Hooks, the monitor and other settings with a fixed name are switched off for every call (git.ts). This file handles
 * settings with names that the repository chooses.
 */
import * as path from 'node:path'
import { isNoText, readRegular } from '../platform/regular-file.ts'

/** A text without these words has no setting of the kinds below: the names of settings can be written in no other way. */
const telling = /filter|helper|gitproxy|hook|include/i

/**
 * Whether the configuration in one of these directories may name programs, or other files that do. Reads files only. Throws
 * KugetsuError when a configuration is not a regular file: git could read something else from a pipe than was read here.
 */
export function mayNamePrograms(directories: readonly string[]): boolean {
  const files = directories.flatMap((directory) =>
    ['config', 'config.worktree'].map((name) => path.join(directory, name)),
  )
  return files.some((file) => {
    try {
      return telling.test(readRegular(file)?.toString('latin1') ?? '')
    } catch (error) {
      if (isNoText(error)) throw error
      return false // git cannot read it either
    }
  })
}

/** The command that lists the settings for disarmed(). It runs nothing itself. */
export const listSettings = ['config', '--list', '--show-scope', '--includes', '-z'] as const

/**
 * The variables that cancel, for one call, what the listed settings of a repository would have git run. `environment` is
 * what git gets otherwise.
 */
export function disarmed(listing: string, environment: NodeJS.ProcessEnv): Record<string, string> {
  const settings = settingsIn(listing)
  const given = (name: string) => settings.filter((each) => !each.own && each.name === name).map(({ value }) => value)
  const names = new Set(settings.filter(({ own }) => own).map(({ name }) => name))
  const pairs: [string, string][] = []
  const variables: Record<string, string> = {}
  for (const name of names) {
    const key = name.toLowerCase()
    if (/^filter\..*\.(clean|smudge|process)$/s.test(key)) pairs.push([name, given(name).at(-1) ?? ''])
    else if (/^filter\..*\.required$/s.test(key)) pairs.push([name, given(name).at(-1) ?? 'false'])
    else if (/^credential\.(.*\.)?helper$/s.test(key)) {
      // An empty value restarts the list.
      const usual = name === 'credential.helper' ? [] : given('credential.helper')
      for (const value of ['', ...usual, ...given(name)]) pairs.push([name, value])
    } else if (/^hook\..*\.command$/s.test(key)) pairs.push([name.replace(/command$/i, 'enabled'), 'false'])
    else if (key === 'core.gitproxy') variables['GIT_PROXY_COMMAND'] = environment['GIT_PROXY_COMMAND'] ?? ''
  }
  if (pairs.length === 0) return variables
  const before = Number(environment['GIT_CONFIG_COUNT'] ?? 0) || 0
  pairs.forEach(([name, value], index) => {
    variables[`GIT_CONFIG_KEY_${before + index}`] = name
    variables[`GIT_CONFIG_VALUE_${before + index}`] = value
  })
  return { ...variables, GIT_CONFIG_COUNT: String(before + pairs.length) }
}

/** The last value in a listing with scopes that comes from the user, not the repository. */
export function usersValue(listing: string, name: string): string | undefined {
  return settingsIn(listing).findLast((each) => !each.own && each.name === name)?.value
}

export interface Setting {
  /** Section and last part in lower case, as git prints them. */
  name: string
  value: string
  /** The repository's own. */
  own: boolean
}

/** The settings of a listing: scope, NUL, name, line end, value, NUL; a setting without `=` has no line end. */
export function settingsIn(listing: string): Setting[] {
  const parts = listing.split('\0')
  const settings: Setting[] = []
  for (let at = 0; at + 1 < parts.length; at += 2) {
    const [scope = '', record = ''] = [parts[at], parts[at + 1]]
    const { name, value = '' } = settingOf(record)
    settings.push({
      name,
      value,
      own: scope === 'local' || scope === 'worktree',
    })
  }
  return settings
}

/** One record of `git config -z`: name, line end, value; a setting without `=` has no line end, and no value. */
export function settingOf(record: string): { name: string; value: string | undefined } {
  const end = record.indexOf('\n')
  return end === -1 ? { name: record, value: undefined } : { name: record.slice(0, end), value: record.slice(end + 1) }
}
