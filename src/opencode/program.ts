import * as fs from 'node:fs'
import * as path from 'node:path'
import { startOf } from '../core/columns.ts'
import { KugetsuError, messageOf } from '../core/errors.ts'
import { requireHandles } from '../platform/handles.ts'

/** The oldest opencode that kugetsu can drive: older ones keep their sessions in JSON files. */
const oldest = [1, 2] as const
/** The newest one the tests have run on. */
export const testedVersion = '1.18.33'

export interface OpencodeProgram {
  path: string
  version: string
  /** Set when this version is newer than any that was tested. */
  warning?: string
}

/**
 * The path of the opencode to use: `KUGETSU_OPENCODE` (a path or a name), else `opencode` on the PATH.
 * Throws KugetsuError `no_opencode` when there is none.
 */
export function findOpencode(env: NodeJS.ProcessEnv): string {
  const chosen = env['KUGETSU_OPENCODE'] || 'opencode'
  const candidates = chosen.includes('/')
    ? [path.resolve(chosen)]
    : (env['PATH'] ?? '')
        .split(path.delimiter)
        .filter((directory) => directory !== '')
        .map((directory) => path.join(directory, chosen))
  const found = candidates.find(isExecutable)
  if (found !== undefined) return found
  throw new KugetsuError(
    chosen === 'opencode' ? 'no opencode on the PATH' : `no opencode program at ${chosen} (KUGETSU_OPENCODE)`,
    {
      hint: 'Install it with "npm install -g opencode-ai", or name the program in KUGETSU_OPENCODE.',
      code: 'no_opencode',
    },
  )
}

/** Tells one program on disk from the next version at the same path, without running it. */
export function fingerprintOf(file: string): string {
  const real = fs.realpathSync(file)
  const { mtimeMs, size } = fs.statSync(real)
  return `${real} ${mtimeMs} ${size}`
}

/**
 * Asks the program at `file` for its version. Throws KugetsuError when it does not run (`opencode_broken`) or is older
 * than 1.2 (`opencode_too_old`).
 */
export async function checkOpencode(
  file: string,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<OpencodeProgram> {
  const version = await askVersion(file, env, signal)
  const comparison = compare(version, oldest.join('.'))
  if (comparison < 0) {
    throw new KugetsuError(`opencode ${version} is too old: kugetsu needs ${oldest.join('.')} or newer`, {
      hint: `Upgrade it with "npm install -g opencode-ai" (${file} is the one in use).`,
      code: 'opencode_too_old',
    })
  }
  if (compare(version, testedVersion) <= 0) return { path: file, version }
  return {
    path: file,
    version,
    warning: `opencode ${version} is newer than ${testedVersion}, the newest that kugetsu was tested with`,
  }
}

async function askVersion(file: string, env: NodeJS.ProcessEnv, signal: AbortSignal | undefined): Promise<string> {
  const { execa } = await import('execa')
  requireHandles()
  let said: string
  try {
    const result = await execa(file, ['--version'], {
      env,
      extendEnv: false,
      stdin: 'ignore',
      timeout: 30_000,
      ...(signal === undefined ? {} : { cancelSignal: signal }),
    })
    said = result.stdout
  } catch (cause) {
    throw broken(file, startOf(messageOf(cause), 300), cause)
  }
  const version = /\d+\.\d+\.\d+\S*/.exec(said)?.[0]
  if (version === undefined) throw broken(file, 'it does not tell its version')
  return version
}

function broken(file: string, why: string, cause?: unknown): KugetsuError {
  return new KugetsuError(`opencode does not run (${file}): ${why}`, {
    hint: 'Try "opencode --version" by hand, and reinstall it if that fails.',
    code: 'opencode_broken',
    cause,
  })
}

/** Orders two versions by their numbers; what follows them (`-beta`) does not count. */
export function compare(one: string, other: string): number {
  const numbers = (version: string) => version.split(/[.\-+]/, 3).map((part) => Number.parseInt(part, 10) || 0)
  const [a, b] = [numbers(one), numbers(other)]
  for (const index of [0, 1, 2]) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0)
    if (difference !== 0) return Math.sign(difference)
  }
  return 0
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return fs.statSync(file).isFile()
  } catch {
    return false
  }
}
