/** The env files, for a person: listed, read whole, written under a lock. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Paths } from '../config/paths.ts'
import { KugetsuError, messageOf } from '../core/errors.ts'
import { ensureDirectory, isNoText, listDirectory, readText, writeAtomic } from '../platform/files.ts'
import { exclusively } from '../platform/locks.ts'
import { parseEnv, type EnvFile } from './env-files.ts'

/** The owners of files: every agent, the PM agent, the agents that work on issues. */
export const envOwners = ['default', 'pm-agent', 'dev'] as const
export type EnvOwner = (typeof envOwners)[number]

export interface StoredEnv extends EnvFile {
  file: string
  exists: boolean
  text: string
  /** Whether users other than its owner may read or write it. */
  open: boolean
}

type EnvHome = { paths: Pick<Paths, 'env' | 'lock'>; signal?: AbortSignal | undefined }

const lockTimeoutMs = 60_000

/** Reads an env file; an empty one when there is none. Throws KugetsuError `unreadable`, `bad_env_file`. */
export function readEnvFile({ paths }: EnvHome, owner: EnvOwner): StoredEnv {
  const file = path.join(paths.env, `${owner}.env`)
  let text: string | undefined
  try {
    text = readText(file)
  } catch (error) {
    if (!isNoText(error)) throw error
    const isFile = fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true
    throw new KugetsuError(messageOf(error), {
      hint: `${isFile ? 'Convert it (iconv), or move' : 'Move'} it away and set its variables again.`,
      code: isFile ? 'bad_env_file' : 'unreadable',
      cause: error,
    })
  }
  if (text === undefined) return { file, exists: false, text: '', open: false, ...parseEnv('') }
  const mode = fs.statSync(file, { throwIfNoEntry: false })?.mode ?? 0
  return { file, exists: true, text, open: (mode & 0o077) !== 0, ...parseEnv(text) }
}

/** Files in the directory that no agent gets, by name. */
export function foreignEnvFiles({ paths }: EnvHome): string[] {
  const known = new Set(envOwners.map((owner) => `${owner}.env`))
  return listDirectory(paths.env).filter((name) => name.endsWith('.env') && !name.startsWith('.') && !known.has(name))
}

/**
 * Changes the text of an env file, which only its owner can read afterwards. Concurrent changes are all kept. Returns its
 * path. Throws what `edit` throws, and then nothing has changed.
 */
export async function changeEnvFile(
  home: EnvHome,
  owner: EnvOwner,
  edit: (text: string, current: StoredEnv) => string,
): Promise<string> {
  return exclusively(home.paths.lock('env'), { timeoutMs: lockTimeoutMs, signal: home.signal }, () => {
    const current = readEnvFile(home, owner)
    const text = edit(current.text, current)
    ensureDirectory(home.paths.env)
    closeToOthers(home.paths.env)
    writeAtomic(target(current), text)
    return current.file
  })
}

/** The path to write to: the file may be a link to another place, and the link is kept. */
function target({ file, exists }: StoredEnv): string {
  return exists ? fs.realpathSync(file) : file
}

function closeToOthers(directory: string): void {
  const { mode } = fs.statSync(directory)
  if ((mode & 0o077) === 0) return
  try {
    fs.chmodSync(directory, mode & 0o700)
  } catch (cause) {
    throw new KugetsuError(
      `other users can read ${directory}, and its permissions cannot be changed: ${messageOf(cause)}`,
      {
        hint: 'Secrets need a directory that only you can read. Check who owns it, or choose another home with KUGETSU_DIR.',
        code: 'unwritable',
        cause,
      },
    )
  }
}
