import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { KugetsuError, messageOf } from '../core/errors.ts'
import { plainLine } from '../core/plain-text.ts'
import { compare } from '../core/versions.ts'
import { driverOfVersion, oldestVersion, supportedVersions } from '../driver/choose.ts'
import type { Driver } from '../driver/driver.ts'
import { isExecutable } from '../platform/executable.ts'
import { requireHandles } from '../platform/file-handles.ts'
import { killGroupOf } from '../platform/processes.ts'

/** An answer takes a second; on a machine under heavy load it was seen to take 30. */
const versionLimitMs = 60_000
export interface OpencodeProgram {
  path: string
  version: string
  driver: Driver
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
      hint: 'Install it with "curl -fsSL https://opencode.ai/install | bash" or "npm install -g opencode-ai", or name the program in KUGETSU_OPENCODE.',
      code: 'no_opencode',
    },
  )
}

/** Distinguishes a program on disk from the next version at the same path, without running it. */
export function fingerprintOf(file: string): string {
  const real = fs.realpathSync(file)
  const { mtimeMs, size } = fs.statSync(real)
  return `${real} ${mtimeMs} ${size}`
}

/**
 * Asks the program at `file` for its version, for at most `limitMs` milliseconds; this touches nothing of the user's. Throws
 * KugetsuError when it does not run (`opencode_broken`), is older than 1.2 (`opencode_too_old`), or is of a kind that
 * kugetsu cannot drive (`opencode_unsupported`).
 */
export async function checkOpencode(
  file: string,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
  limitMs = versionLimitMs,
): Promise<OpencodeProgram> {
  const version = await askVersion(file, env, signal, limitMs)
  const driver = driverOfVersion(version)
  if (driver === 'too old') {
    throw new KugetsuError(`opencode ${version} is too old: kugetsu needs ${oldestVersion} or newer`, {
      hint: `Upgrade it with "npm install -g opencode-ai" (${file} is the one in use).`,
      code: 'opencode_too_old',
    })
  }
  if (driver === undefined) {
    throw new KugetsuError(`opencode ${version} is not supported: kugetsu works with ${supportedVersions}`, {
      hint: `Install version 1 beside it (npm install --prefix ~/.opencode-1 opencode-ai) and set KUGETSU_OPENCODE=~/.opencode-1/node_modules/.bin/opencode (${file} is the one in use).`,
      code: 'opencode_unsupported',
    })
  }
  const { tested } = driver.versions
  if (compare(version, tested) <= 0) return { path: file, version, driver }
  return {
    path: file,
    version,
    driver,
    warning: `opencode ${version} is newer than ${tested}, the newest that kugetsu was tested with`,
  }
}

async function askVersion(
  file: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
  limitMs: number,
): Promise<string> {
  const said = await saidBy(file, env, { limitMs, signal })
  const version = /\d+\.\d+\.\d+\S*/.exec(said)?.[0]
  if (version === undefined) throw broken(file, 'it does not tell its version')
  return version
}

/**
 * What `file --version` writes to its standard output. When it takes too long, its process group is killed: else this would
 * wait for a child that holds the output.
 */
async function saidBy(
  file: string,
  env: NodeJS.ProcessEnv,
  { limitMs, signal }: { limitMs: number; signal: AbortSignal | undefined },
): Promise<string> {
  signal?.throwIfAborted()
  requireHandles()
  const child = spawn(file, ['--version'], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const [said, complaint]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (chunk: Buffer) => said.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => complaint.push(chunk))
  let timer: NodeJS.Timeout | undefined
  let isClosed = false
  try {
    const ended = await new Promise<string>((resolve, reject) => {
      const late = `it has not answered within ${limitMs / 1000} s`
      timer = setTimeout(() => reject(broken(file, late)), limitMs)
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
      child.once('error', (cause) => reject(broken(file, messageOf(cause), cause)))
      child.once('close', (code, by) => {
        isClosed = true
        resolve(code === 0 ? '' : `it ended with ${by ?? `exit code ${code}`}`)
      })
    })
    if (ended === '') return Buffer.concat(said).toString('utf8')
    throw broken(file, `${ended} ${plainLine(Buffer.concat(complaint).toString('utf8'), 200)}`.trim())
  } finally {
    clearTimeout(timer)
    if (!isClosed && child.pid !== undefined) killGroupOf(child.pid)
    child.stdout.destroy()
    child.stderr.destroy()
  }
}

function broken(file: string, why: string, cause?: unknown): KugetsuError {
  return new KugetsuError(`opencode does not run (${file}): ${why}`, {
    hint: 'Try "opencode --version" by hand, and reinstall it if that fails; if it works, try again.',
    code: 'opencode_broken',
    cause,
  })
}
