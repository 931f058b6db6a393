/** What a kugetsu has of its process: environment, streams, signals. main.ts has the arguments and the exit code. */
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import type { Context, Io } from './cli/context.ts'
import { styled } from './cli/output.ts'
import { homeDirectory, pathsOf } from './config/paths.ts'
import { isNews } from './config/said-once.ts'
import { loadSettings, type Settings } from './config/settings.ts'
import { fit } from './core/columns.ts'
import { codeOf, exitCodes, KugetsuError } from './core/errors.ts'
import { plainLine, plainText } from './core/plain-text.ts'
import { isPacked } from './platform/packed.ts'

/** `inBackground`: what it says is read by nobody. */
export function createContext(interruption: Interruption, inBackground: boolean): Context {
  const env = process.env
  const known = homeOfUser(env)
  const userHome = known ?? '/'
  // Some of the programs that are called take an empty one for the directory in which they are called.
  if (!env['HOME'] && known !== undefined) env['HOME'] = known
  const io = createIo(interruption.readerGone)
  let settings: Settings | undefined
  const paths = pathsOf(homeDirectory(env, userHome))
  const context: Context = {
    io,
    env,
    cwd: process.cwd(),
    setExitCode: (code) => (process.exitCode = code),
    userHome,
    paths,
    now: () => new Date(),
    get signal() {
      return interruption.signal()
    },
    settings: () => (settings ??= readSettings()),
    warn: (text) => io.err(`${styled(context, 'yellow', 'Warning:')} ${plainText(text)}\n`),
    progress: io.progress,
    system: '/',
    self: isPacked ? [process.execPath] : [process.execPath, process.argv[1] ?? ''],
  }
  const readSettings = () => {
    const read = loadSettings({ configFile: paths.config, env, userHome })
    read.warnings.forEach(context.warn)
    // Not by the daemon, whose words nobody reads.
    if (!inBackground) read.gone.forEach((text, name) => isNews(paths, name) && context.warn(text))
    return read
  }
  return context
}

/**
 * The user's home directory: HOME, else what the system has on file. Undefined where neither says one; a HOME that is empty
 * or relative (in cron, under `env -i`) would be the directory in which kugetsu is called.
 */
function homeOfUser(env: NodeJS.ProcessEnv): string | undefined {
  const given = env['HOME'] ?? ''
  if (path.isAbsolute(given)) return given
  try {
    const { homedir } = os.userInfo()
    return path.isAbsolute(homedir) ? homedir : undefined
  } catch {
    return undefined // a user of no entry, as in containers
  }
}

/** Throws KugetsuError `bad_home` where the environment of createContext() leaves open where the user's home directory is. */
export function requireHome(env: NodeJS.ProcessEnv): void {
  const given = env['HOME'] ?? ''
  if (given !== '' && !path.isAbsolute(given)) {
    throw new KugetsuError(`HOME is a relative path: ${JSON.stringify(given)}`, {
      hint: 'Set it to the full path of your home directory.',
      code: 'bad_home',
    })
  }
  if (given === '' && !env['KUGETSU_DIR']) {
    throw new KugetsuError('HOME is not set, and the system knows no home directory of this user', {
      hint: 'Set HOME, or KUGETSU_DIR to where kugetsu shall keep its files.',
      code: 'bad_home',
    })
  }
}

function createIo(readerGone: () => void): Io & Pick<Context, 'progress'> {
  const terminal = isTerminal(1)
  let passing = false
  const put = (descriptor: 1 | 2, text: string) => {
    if (passing) write(2, '\r\u001b[K', readerGone)
    passing = false
    write(descriptor, text, readerGone)
  }
  return {
    out: (text) => put(1, text),
    err: (text) => put(2, text),
    progress: (said, kind) => {
      const text = plainLine(said, 1000) // git passes on what the other side says
      if (isTerminal(2)) {
        put(2, fit(`… ${text}`, (process.stderr.columns ?? 80) - 1).trimEnd())
        passing = true
      } else if (kind === undefined) put(2, `… ${text}\n`)
    },
    terminal,
    get interactive() {
      return isTerminal(0) && isTerminal(2)
    },
    columns: (terminal ? process.stdout.columns : undefined) ?? 80,
    colour: terminal && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb',
    readInput: async () => {
      const chunks: Buffer[] = []
      for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array))
      return Buffer.concat(chunks).toString('utf8')
    },
    ask: async (question) => {
      // Not import(): the code cache has no loader for that (scripts/build.mjs refuses it).
      const { createInterface } = process.getBuiltinModule('node:readline/promises')
      const asking = createInterface({ input: process.stdin, output: process.stderr })
      try {
        return await asking.question(question)
      } finally {
        asking.close()
      }
    },
  }
}

/** Opening the streams of the process loads a good part of Node, so it is first seen whether that can be one at all. */
function isTerminal(descriptor: 0 | 1 | 2): boolean {
  try {
    const device = fs.fstatSync(descriptor)
    if (!device.isCharacterDevice() || device.rdev === fs.statSync('/dev/null').rdev) return false
  } catch {
    return false // closed
  }
  const streams = { 0: () => process.stdin, 1: () => process.stdout, 2: () => process.stderr }
  return streams[descriptor]().isTTY === true
}

/** Writes all of it before it returns; whoever reads may be slow, or gone (`kugetsu list | head -1`), which is no error. */
function write(descriptor: 1 | 2, text: string, readerGone: () => void): void {
  let rest = Buffer.from(text)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(fs.writeSync(descriptor, rest))
    } catch (error) {
      const code = codeOf(error)
      if (code === 'EPIPE' && descriptor === 1) {
        readerGone()
        process.exit()
      }
      if (code !== 'EAGAIN') return // there is nowhere left to tell it
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

export interface Interruption {
  /** Aborted by the first signal; whoever never asks for it is ended by a signal as any process is. */
  signal: () => AbortSignal
  happened: () => boolean
  /** Whoever read our output is gone: for what the command can undo at once, before the process ends. */
  readerGone: () => void
}

/** The first signal lets the command clean up; the second ends it the way it would have without us. */
export function createInterruption(): Interruption {
  let abort: AbortController | undefined
  const listen = () => {
    const controller = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        process.once(signal, () => {
          process.removeAllListeners(signal)
          process.kill(process.pid, signal)
        })
        controller.abort(new KugetsuError('interrupted', { code: 'interrupted', exitCode: exitCodes.interrupted }))
      })
    }
    return controller
  }
  return {
    signal: () => (abort ??= listen()).signal,
    happened: () => abort?.signal.aborted === true,
    readerGone: () => abort?.abort(),
  }
}
