/**
 * The one place that runs git: no editor, no prompt, no hook, no monitor, nothing of the repository that it happens to run
 * in.
 */
import { setMaxListeners } from 'node:events'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { simpleGit, type SimpleGitOptions } from 'simple-git'
import { exitCodes, KugetsuError } from '../core/errors.ts'
import { maskCredentials } from '../core/masking.ts'
import { createGate } from '../platform/gate.ts'
import { requireHandles } from '../platform/file-handles.ts'
import { gitEnvironment } from './environment.ts'
import { disarmed, listSettings, mayNamePrograms } from './foreign-programs.ts'
import { explain, type FailureReason, GitFailure, gitFailure, reasonOf } from './failure.ts'

/** The longest silence of a git that asks no remote, in milliseconds. Git prints nothing while it reads a large worktree. */
export const localGitMs = 120_000

/** A disk with less room is full: a file of git's can take several blocks. */
const fullBytes = 65_536

export interface GitOptions {
  /** The user's environment, as the base of git's. */
  env: NodeJS.ProcessEnv
  /** The longest silence of a git, in milliseconds. A git that prints nothing for longer is ended. */
  timeoutMs: number
  signal?: AbortSignal | undefined
  /** Advice for a person when a remote wants a login that git did not have; the general advice when absent. */
  loginHint?: (() => string | undefined) | undefined
}

export interface GitCall extends GitOptions {
  cwd: string
  /** Variables of git's own, such as GIT_INDEX_FILE, which the user's environment cannot bring in. */
  variables?: Record<string, string>
  /** The call reads settings as they are: it runs nothing, so nothing is cancelled. */
  settingsAsTheyAre?: boolean
  /** The call asks a remote. It is given up after remoteSilenceMs without output, even if `timeoutMs` is longer. */
  asksRemote?: boolean
  /** Gets git's progress, one line at a time. */
  onProgress?: ((text: string) => void) | undefined
  /** Gets git's messages on standard error despite success, such as a directory that it could not read. */
  onWarning?: ((text: string) => void) | undefined
  /** How to report a failure: what could not be done, and the error's code. */
  failure?: { message: string; code: string }
}

/**
 * Runs git and returns what it printed. Throws a KugetsuError of one line without credentials, caused by a GitFailure;
 * its code is that of `call.failure`, or `git_failed`, `git_missing`, `interrupted`.
 */
export async function runGit(args: readonly string[], call: GitCall): Promise<string> {
  return await execute(args, await withTakenBack(call))
}

/** Like runGit, with one character for each byte of what git printed: for names (platform/byte-names.ts). */
export async function runGitForBytes(args: readonly string[], call: GitCall): Promise<string> {
  const chunks: string[] = []
  await execute(args, await withTakenBack(call), (chunk) => chunks.push(chunk.toString('latin1')))
  return chunks.join('')
}

async function withTakenBack(call: GitCall): Promise<GitCall> {
  return { ...call, variables: { ...call.variables, ...(await takenBack(call)) } }
}

/** The variables that cancel what the repository's own settings would have git run; usually none. */
async function takenBack(call: GitCall): Promise<Record<string, string>> {
  if (call.settingsAsTheyAre === true) return {}
  const { GIT_DIR: own, GIT_COMMON_DIR: common } = call.variables ?? {}
  const directories = [own, common].filter((directory) => directory !== undefined)
  if (!mayNamePrograms(directories)) return {}
  const listing = await execute(listSettings, { ...call, onProgress: undefined, onWarning: undefined })
  return disarmed(listing, call.env)
}

/**
 * How many gits that ask no remote may run at a time: they take processors and file handles. Those that ask a remote are not
 * counted, since a remote may take its time.
 */
const atATime = createGate(8)

async function execute(args: readonly string[], call: GitCall, onOutput?: (chunk: Buffer) => void): Promise<string> {
  const { signal, release } = ownSignal(call.signal)
  const work = () => executeNow(args, { ...call, signal }, onOutput)
  try {
    return await (call.asksRemote === true ? work() : atATime(work))
  } finally {
    release()
  }
}

/**
 * A signal for one call. Each git adds several listeners, and Node warns of a signal with more than ten. One signal may end
 * hundreds of calls.
 */
function ownSignal(signal: AbortSignal | undefined): { signal: AbortSignal | undefined; release: () => void } {
  if (signal === undefined) return { signal, release: () => {} }
  const own = new AbortController()
  const abort = () => own.abort(signal.reason)
  if (signal.aborted) abort()
  setMaxListeners(0, signal)
  signal.addEventListener('abort', abort, { once: true })
  return { signal: own.signal, release: () => signal.removeEventListener('abort', abort) }
}

async function executeNow(args: readonly string[], call: GitCall, onOutput?: (chunk: Buffer) => void): Promise<string> {
  if (!fs.existsSync(call.cwd)) throw new KugetsuError(`${call.cwd} does not exist`, { code: 'missing_directory' })
  requireHandles()
  let exitCode: number | undefined
  let stderr = ''
  let ended = false
  let timedOut = false
  const git = simpleGit({
    baseDir: call.cwd,
    config: [...gitConfiguration],
    // By default simple-git also watches the exit, and 50 ms later drops what was not read yet.
    completion: { onClose: true, onExit: false },
    timeout: { block: call.asksRemote === true ? Math.min(call.timeoutMs, remoteSilenceMs) : call.timeoutMs },
    ...(call.signal === undefined ? {} : { abort: call.signal }),
    unsafe: everythingAllowed,
    // By default simple-git treats a failure without output on standard error as a success.
    errors: (error, result) => {
      ended = true
      exitCode = result.exitCode ?? undefined
      stderr = maskCredentials(Buffer.concat(result.stdErr).toString('utf8'))
      if (error !== undefined && 'plugin' in error && error.plugin === 'timeout') timedOut = true
      return error ?? (exitCode === 0 ? undefined : new Error('git failed'))
    },
  })
  try {
    const printed = await git
      .env({ ...gitEnvironment(call.env), ...call.variables })
      .outputHandler((_command, stdout, errors) => {
        if (onOutput !== undefined) stdout.on('data', onOutput)
        settle(stdout, errors)
        letGo(call.signal, stdout, errors)
        if (call.onProgress !== undefined) report(errors, call.onProgress)
      })
      .raw([...args])
    if (stderr.trim() !== '') call.onWarning?.(stderr.trim())
    return printed
  } catch (error) {
    const told = call.signal?.aborted === true ? 'aborted' : timedOut ? 'timed_out' : reasonOf(stderr)
    const reason = told === 'other' && isFull(call.cwd) ? 'disk_full' : told
    if (!ended && reason === 'other') stderr = maskCredentials(String(error)) // it was never started
    throw failed(args, call, new GitFailure(reason, exitCode, stderr))
  }
}

/** Whether the disk of a directory has no room left. git does not always say that this is why it failed. */
function isFull(directory: string): boolean {
  try {
    const { bavail, bsize, files, ffree } = fs.statfsSync(directory)
    return bavail * bsize < fullBytes || (files > 0 && ffree === 0)
  } catch {
    return false
  }
}

/** Like runGit, for questions: undefined when git answers no (exit code 1). */
export async function askGit(args: readonly string[], call: GitCall): Promise<string | undefined> {
  try {
    return await runGit(args, call)
  } catch (error) {
    if (gitFailure(error)?.exitCode === 1) return undefined
    throw error
  }
}

/**
 * The variables for the git directory of a worktree or clone. The repository is named too, because a file in the git
 * directory could point to another one.
 */
export function gitDirectories(gitDirectory: string): { GIT_DIR: string; GIT_COMMON_DIR: string } {
  const above = path.dirname(gitDirectory)
  const isEntry = path.basename(above) === 'worktrees' && path.basename(gitDirectory) !== '.git'
  return { GIT_DIR: gitDirectory, GIT_COMMON_DIR: isEntry ? path.dirname(above) : gitDirectory }
}

/** The longest silence of a remote, in milliseconds. While anything moves, git reports progress every second. */
const remoteSilenceMs = 120_000

/** Settings that hold for every call, as `name=value`. */
export const gitConfiguration = [
  'core.alternateRefsCommand=true', // the program `true` prints nothing
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.quotePath=false',
  'color.ui=false',
  'credential.interactive=false',
  'gc.auto=0',
  'log.showSignature=false',
  'maintenance.auto=false',
  'submodule.recurse=false',
  'worktree.useRelativePaths=false',
]

/**
 * simple-git guards against settings that came from strangers. It refuses the user's own environment (EDITOR, PAGER) and the
 * settings above that make git safe. Ours are constants, so all guards are off.
 */
const everythingAllowed: NonNullable<SimpleGitOptions['unsafe']> = {
  allowUnsafeAlias: true,
  allowUnsafeAskPass: true,
  allowUnsafeConfigEnvCount: true,
  allowUnsafeConfigPaths: true,
  allowUnsafeCredentialHelper: true,
  allowUnsafeDiffExternal: true,
  allowUnsafeDiffTextConv: true,
  allowUnsafeEditor: true,
  allowUnsafeFilter: true,
  allowUnsafeFsMonitor: true,
  allowUnsafeGitProxy: true,
  allowUnsafeGpgProgram: true,
  allowUnsafeHooksPath: true,
  allowUnsafeMergeDriver: true,
  allowUnsafePack: true,
  allowUnsafePager: true,
  allowUnsafeProtocolOverride: true,
  allowUnsafeSshCommand: true,
  allowUnsafeTemplateDir: true,
}

const lingerMs = 2000

/**
 * Two things simple-git needs at the end of a command. An empty chunk, because it waits 50 ms after a command that printed
 * nothing. And an end of standard error once standard output has ended: an ssh that stays behind as a shared connection
 * (ControlPersist) may hold it open for hours.
 */
function settle(stdout: NodeJS.ReadableStream, stderr: NodeJS.ReadableStream): void {
  stdout.once('end', () => {
    stdout.emit('data', Buffer.alloc(0))
    const timer = setTimeout(() => 'destroy' in stderr && (stderr as { destroy(): void }).destroy(), lingerMs)
    stderr.once('close', () => clearTimeout(timer))
  })
}

/**
 * A git killed while it starts another program can leave that program behind with its output open (measured: one in
 * fifteen). A caller that has aborted must not wait for it.
 */
function letGo(signal: AbortSignal | undefined, ...outputs: NodeJS.ReadableStream[]): void {
  const destroy = () => outputs.forEach((output) => 'destroy' in output && (output as { destroy(): void }).destroy())
  const onAbort = () => void setTimeout(destroy, lingerMs).unref()
  signal?.addEventListener('abort', onAbort, { once: true })
  outputs[0]?.once('close', () => signal?.removeEventListener('abort', onAbort))
}

function report(stderr: NodeJS.ReadableStream, onProgress: (text: string) => void): void {
  stderr.on('data', (chunk: Buffer) => {
    const line = chunk
      .toString('utf8')
      .split(/[\r\n]+/)
      .findLast((part) => part.trim() !== '')
    if (line !== undefined) onProgress(maskCredentials(line.trim()))
  })
}

function failed(args: readonly string[], call: GitCall, failure: GitFailure): KugetsuError {
  const { text, hint: general } = explain(failure)
  const hint = (failure.reason === 'authentication' ? call.loginHint?.() : undefined) ?? general
  const command = args.find((argument) => !argument.startsWith('-')) ?? ''
  const codes: Partial<Record<FailureReason, string>> = { aborted: 'interrupted', git_missing: 'git_missing' }
  return new KugetsuError(maskCredentials(`${call.failure?.message ?? `git ${command} failed`}: ${text}`), {
    code: codes[failure.reason] ?? call.failure?.code ?? 'git_failed',
    ...(hint === undefined ? {} : { hint }),
    ...(failure.reason === 'aborted' ? { exitCode: exitCodes.interrupted } : {}),
    cause: failure,
  })
}
