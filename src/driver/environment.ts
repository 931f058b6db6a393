/** The environment of every server of a home, whatever its kind. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { withoutCaller } from '../core/callers-variables.ts'
import { helperCommand, helperVariable } from '../core/credential-helper.ts'
import { KugetsuError } from '../core/errors.ts'
import { unattended } from '../core/unattended.ts'
import { withoutAgent } from '../core/within-agent.ts'
import { ensureDirectory, writeAtomic } from '../platform/files.ts'

/** Set in the server, and so in every command its agents run, to find commands that outlive the server. */
export const markerVariable = 'KUGETSU_SERVER'

/**
 * Nothing may open an editor or wait for a password: no person is there to answer. ssh needs no more than this, because
 * the server has no terminal to ask on; the user's own ssh command stays as it is.
 */
const silent = {
  ...unattended,
  GIT_MERGE_AUTOEDIT: 'no',
  GCM_INTERACTIVE: 'never',
  SSH_ASKPASS_REQUIRE: 'never',
  PAGER: 'cat',
}

/** Variables of an opencode that kugetsu was called in, or of a directory that the server is not in. */
const foreign = ['OPENCODE', 'OPENCODE_PID', 'OPENCODE_SERVER_USERNAME', 'PWD', 'OLDPWD']

/**
 * The user's own environment, without variables that would block or misdirect a server, and without `more`; with what
 * agents' commands need of kugetsu.
 */
export function surroundings(home: Home, marker: string, more: readonly string[] = []): NodeJS.ProcessEnv {
  const own = withoutCaller(withoutAgent(home.env))
  for (const name of [...foreign, ...more]) delete own[name]
  return {
    // Newer versions write a line for each thing they do into a log that they never rotate.
    OPENCODE_LOG_LEVEL: 'WARN',
    ...own,
    ...silent,
    OPENCODE_DISABLE_AUTOUPDATE: '1',
    [markerVariable]: marker,
    KUGETSU_DIR: home.paths.home,
    KUGETSU_TEMP_DIR: home.settings().tempDir,
    KUGETSU_BIN_DIR: home.paths.bin,
    [helperVariable]: helperCommand(home.paths.home, home.self),
  }
}

/** Lets agents call the kugetsu that started them, by its name, whatever else is on their search path. */
export function writeProgram(home: Home): void {
  const file = path.join(home.paths.bin, 'kugetsu')
  const words = home.self.filter((word) => word !== '').map((word) => `'${word.replaceAll("'", `'\\''`)}'`)
  ensureDirectory(home.paths.bin)
  writeAtomic(file, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`)
  fs.chmodSync(file, 0o700)
}

/** The user's own OPENCODE_CONFIG_CONTENT; empty without one. Throws KugetsuError `bad_config` when it is no JSON object. */
export function usersConfiguration(env: NodeJS.ProcessEnv): Record<string, unknown> {
  const text = env['OPENCODE_CONFIG_CONTENT']
  if (text === undefined || text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // thrown below
  }
  throw new KugetsuError('OPENCODE_CONFIG_CONTENT is not a JSON object', {
    hint: 'Mend or unset it: kugetsu adds its plugin to it.',
    code: 'bad_config',
  })
}
