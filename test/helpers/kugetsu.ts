/** Runs kugetsu as a user would: the built program, through bin/kugetsu.js or as one file, in a home of its own. */
import { spawn, type ChildProcess } from 'node:child_process'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Home } from './home.ts'

/** The kugetsu that the tests run: KUGETSU_TEST_PROGRAM (an executable file), else this checkout's bin/kugetsu.js. */
export const programPath = path.resolve(
  process.env['KUGETSU_TEST_PROGRAM'] ?? fileURLToPath(new URL('../../bin/kugetsu.js', import.meta.url)),
)

/** The same as a command: program and first arguments. */
export const kugetsuCommand: readonly [string, ...string[]] = programPath.endsWith('.js')
  ? [process.execPath, programPath]
  : [programPath]

export interface RunOptions {
  /** Standard input; empty and closed without it. */
  input?: string | Buffer
  /** Added to the home's environment; undefined takes a variable away. */
  env?: Record<string, string | undefined>
  cwd?: string
  /** Another kugetsu than kugetsuCommand: program and first arguments. */
  command?: readonly [string, ...string[]]
  /** After that many milliseconds (120000) it is killed and the call rejects. */
  timeoutMs?: number
  /** Kills it (SIGKILL); the call then resolves with code null. */
  signal?: AbortSignal
}

export interface Finished {
  /** The exit code, null when a signal ended it. */
  code: number | null
  stdout: string
  stderr: string
}

/** A kugetsu that is still running. */
export interface Running {
  child: ChildProcess
  pid: number
  stdout: () => string
  stderr: () => string
  /** Resolves once it has ended and its output is complete; never rejects because of an exit code. */
  finished: Promise<Finished>
  /** Sends the signal (SIGTERM) and waits for the end. */
  kill: (signal?: NodeJS.Signals) => Promise<Finished>
}

/** Starts kugetsu and returns at once. */
export function spawnKugetsu(
  home: Home,
  args: string[],
  options: Omit<RunOptions, 'timeoutMs' | 'signal'> = {},
): Running {
  const [program, ...first] = options.command ?? kugetsuCommand
  const child = spawn(program, [...first, ...args], {
    cwd: options.cwd ?? home.cwd,
    env: { ...home.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdin.on('error', () => {}) // it may end without reading its input
  child.stdin.end(options.input ?? '')
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
  return {
    child,
    pid: child.pid ?? 0,
    stdout: () => stdout,
    stderr: () => stderr,
    finished,
    kill: (signal = 'SIGTERM') => {
      child.kill(signal)
      return finished
    },
  }
}

/** Runs kugetsu to its end, whatever its exit code. Rejects only when it takes too long or cannot be started. */
export async function run(home: Home, args: string[], options: RunOptions = {}): Promise<Finished> {
  const { timeoutMs = 120_000, signal, ...rest } = options
  const running = spawnKugetsu(home, args, rest)
  const kill = () => void running.child.kill('SIGKILL')
  signal?.addEventListener('abort', kill)
  if (signal?.aborted === true) kill()
  let timer: NodeJS.Timeout | undefined
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const { exitCode } = running.child
      // A daemon that inherits the output of its starter would make `kugetsu start … | cat` hang.
      const how = exitCode === null ? 'did not end' : `ended with ${exitCode}, but something keeps its output open,`
      reject(new Error(`${how} within ${timeoutMs} ms: ${describe(args, running.stdout(), running.stderr())}`))
      kill()
      running.child.stdout?.destroy()
      running.child.stderr?.destroy()
    }, timeoutMs)
  })
  try {
    return await Promise.race([running.finished, tooLong])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', kill)
  }
}

/** Like run, but rejects, with all that it said, unless it ended with 0. */
export async function runOk(home: Home, args: string[], options: RunOptions = {}): Promise<Finished> {
  const finished = await run(home, args, options)
  if (finished.code !== 0) {
    throw new Error(`exit code ${finished.code}: ${describe(args, finished.stdout, finished.stderr)}`)
  }
  return finished
}

/**
 * Like run, with standard output parsed as one JSON document (pass `--json` yourself). The type is the caller's
 * word. Rejects when it is not JSON, not because of an exit code: errors are JSON documents too.
 */
export async function runJson<T>(
  home: Home,
  args: string[],
  options: RunOptions = {},
): Promise<Finished & { json: T }> {
  const finished = await run(home, args, options)
  try {
    return { ...finished, json: JSON.parse(finished.stdout) as T }
  } catch (cause) {
    throw new Error(`not JSON: ${describe(args, finished.stdout, finished.stderr)}`, { cause })
  }
}

function describe(args: string[], stdout: string, stderr: string): string {
  return `kugetsu ${args.join(' ')}\n--- stdout\n${stdout}\n--- stderr\n${stderr}`
}
