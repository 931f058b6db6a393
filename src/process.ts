/** What kugetsu uses of its process: environment, directory, streams, signals. main.ts has arguments and the exit code. */
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import type { Context, Io } from './cli/terminal/context.ts'
import { styled } from './cli/terminal/output.ts'
import { homeDirectory, pathsOf } from './config/paths.ts'
import { isNews } from './config/said-once.ts'
import { loadSettings, type Settings } from './config/settings.ts'
import { fit } from './core/columns.ts'
import { codeOf, exitCodes, KugetsuError, messageOf } from './core/errors.ts'
import { plainLine, plainText } from './core/plain-text.ts'
import { isPacked } from './platform/single-executable.ts'
import { lazy } from './core/lazy.ts'
import { loadedLater } from './queue/later.ts'

export interface ProcessOptions {
  /** No person reads the output. */
  inBackground: boolean
  /** Ends the process at once, by default with the exit code that was set. */
  exit: (code?: number) => never
}

export function createContext(interruption: Interruption, { inBackground, exit }: ProcessOptions): Context {
  const env = process.env
  const cwd = currentDirectory() // before anything resolves a relative path against it
  const known = homeOfUser(env)
  const userHome = known ?? '/'
  // Some of the programs that kugetsu calls take an empty HOME for the directory in which they are called.
  if (!env['HOME'] && known !== undefined) env['HOME'] = known
  const io = createIo(interruption, exit)
  let settings: Settings | undefined
  const paths = pathsOf(homeDirectory(env, userHome))
  const queue = loadedLater(async () => (await import('./queue/file-queue.ts')).openQueue(context))
  const daemon = lazy(async () => (await import('./daemon/control.ts')).daemonOf(context))
  const context: Context = {
    io,
    env,
    cwd,
    setExitCode: (code) => (process.exitCode = code),
    onUnhandled: (handler) => void process.removeAllListeners('unhandledRejection').on('unhandledRejection', handler),
    userHome,
    paths,
    now: () => new Date(),
    get signal() {
      return interruption.signal()
    },
    settings: () => (settings ??= readSettings()),
    queue: () => queue,
    daemon: {
      isRunning: async () => (await daemon()).isRunning(),
      wake: async () => (await daemon()).wake(),
      takesTasks: async () => (await daemon()).takesTasks(),
      cancelStart: async (start) => (await daemon()).cancelStart(start),
    },
    warn: (text) => io.err(`${styled(context, 'yellow', 'Warning:')} ${plainText(text)}\n`),
    progress: io.progress,
    system: '/',
    self: isPacked ? [process.execPath] : [process.execPath, process.argv[1] ?? ''],
  }
  const readSettings = () => {
    const read = loadSettings({ configFile: paths.config, env, userHome })
    read.warnings.forEach(context.warn)
    // Not by the daemon, because no person reads its output.
    const remarks = inBackground ? [] : [...read.gone, ...read.mistyped]
    for (const [name, text] of remarks) if (isNews(paths, name)) context.warn(text)
    return read
  }
  return context
}

/**
 * The user's home directory: HOME, else what the system has on file. Undefined when neither says one. An empty or relative
 * HOME (in cron, under `env -i`) does not count: it would be the directory in which kugetsu is called.
 */
function homeOfUser(env: NodeJS.ProcessEnv): string | undefined {
  const given = env['HOME'] ?? ''
  if (path.isAbsolute(given)) return given
  try {
    const { homedir } = os.userInfo()
    return path.isAbsolute(homedir) ? homedir : undefined
  } catch {
    return undefined // a user without an entry, as in containers
  }
}

/** Throws KugetsuError `bad_home` when the environment of createContext() does not tell the user's or kugetsu's home. */
export function requireHome(env: NodeJS.ProcessEnv): void {
  const given = env['HOME'] ?? ''
  if (given !== '' && !path.isAbsolute(given)) {
    throw new KugetsuError(`HOME is a relative path: ${JSON.stringify(given)}`, {
      hint: 'Set it to the full path of your home directory.',
      code: 'bad_home',
    })
  }
  const chosen = env['KUGETSU_DIR'] ?? ''
  if (chosen !== '' && !path.isAbsolute(chosen)) {
    throw new KugetsuError(`KUGETSU_DIR is a relative path: ${JSON.stringify(chosen)}`, {
      hint: 'Set it to a full path. A relative one would mean another home in each directory.',
      code: 'bad_home',
    })
  }
  if (given === '' && chosen === '') {
    throw new KugetsuError('HOME is not set, and the system knows no home directory of this user', {
      hint: "Set HOME, or set KUGETSU_DIR to the directory for kugetsu's files.",
      code: 'bad_home',
    })
  }
}

/**
 * The working directory; undefined when it was deleted, like a destroyed worktree under a shell. Then the process goes to
 * the root: programs that it starts, and its own libraries, ask for a working directory without needing any.
 */
function currentDirectory(): string | undefined {
  try {
    return process.cwd()
  } catch {
    process.chdir('/')
    return undefined
  }
}

function createIo(interruption: Interruption, exit: ProcessOptions['exit']): Io & Pick<Context, 'progress'> {
  // As GH_FORCE_TTY does for gh: the output of a terminal in a pipe, by a number also its width.
  const forced = process.env['KUGETSU_FORCE_TTY'] ?? ''
  const terminal = forced !== '' || isTerminal(1)
  const isDumb = process.env['TERM'] === 'dumb'
  let passing = false
  const put = (descriptor: 1 | 2, text: string) => {
    if (passing) write(2, '\r\u001b[K')
    passing = false
    return write(descriptor, text)
  }
  return {
    out: (text) => {
      const failure = put(1, text)
      if (failure !== undefined) endWithoutReader(failure, interruption, exit)
    },
    log: (text) => void put(1, text),
    err: (text) => void put(2, text),
    progress: (said, kind) => {
      const text = plainLine(said, 1000) // git passes on what the remote says
      if (isTerminal(2) && !isDumb) {
        put(2, fit(`… ${text}`, (process.stderr.columns || 80) - 1).trimEnd())
        passing = true
      } else if (kind === undefined) put(2, `… ${text}\n`)
    },
    terminal,
    get interactive() {
      return isTerminal(0) && isTerminal(2)
    },
    get columns() {
      return widthIn(forced) ?? ((terminal && process.stdout.columns) || 80)
    },
    get rows() {
      return (terminal && process.stdout.rows) || 24
    },
    colour: terminal && !process.env['NO_COLOR'] && !isDumb,
    readInput: async () => {
      const chunks: Buffer[] = []
      const stop = () => process.stdin.destroy()
      const signal = interruption.signal()
      signal.addEventListener('abort', stop)
      for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array))
      signal.removeEventListener('abort', stop)
      signal.throwIfAborted()
      return Buffer.concat(chunks)
    },
    isExact: (argument) => !argument.includes('\ufffd') || isInCommandLine(argument),
    ask: (question) => ask(question, interruption.signal()),
  }
}

/** The width in columns that KUGETSU_FORCE_TTY names. Undefined for a switch such as `1` or `true`, which is no width. */
function widthIn(forced: string): number | undefined {
  const columns = /^\d{1,4}$/.test(forced) ? Number(forced) : 0
  return columns >= 20 ? columns : undefined
}

/** Whether these very bytes are an argument: Node replaces bytes that are not UTF-8 by U+FFFD. False when unknown. */
function isInCommandLine(argument: string): boolean {
  try {
    return fs.readFileSync('/proc/self/cmdline').includes(`\0${argument}\0`)
  } catch {
    return false
  }
}

/** The typed line; undefined when none comes: Ctrl-C, Ctrl-D, a closed terminal, a signal. */
async function ask(question: string, signal: AbortSignal): Promise<string | undefined> {
  const { createInterface } = await import('node:readline')
  const asking = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await new Promise<string | undefined>((resolve) => {
      const none = () => resolve(undefined)
      asking.once('close', none).once('SIGINT', none)
      process.stdin.once('error', none)
      signal.addEventListener('abort', none)
      asking.question(question, resolve)
    })
    if (answer === undefined) write(2, '\n')
    return answer
  } finally {
    asking.close()
  }
}

/** Opening the process's streams loads a good part of Node, so this first checks whether it can be a terminal at all. */
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

/** Writes all of it before it returns, however slow the reader is. Returns the error when it cannot be written. */
function write(descriptor: 1 | 2, text: string): unknown {
  let rest = Buffer.from(text)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(fs.writeSync(descriptor, rest))
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') return error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
  return undefined
}

/**
 * Ends the process because its output cannot be written. A reader that has gone (`kugetsu list | head -1`) had all that it
 * wanted; a full disk is an error, also when all else went well.
 */
function endWithoutReader(failure: unknown, interruption: Interruption, exit: ProcessOptions['exit']): never {
  interruption.readerGone()
  if (codeOf(failure) === 'EPIPE') return exit()
  write(2, `Error: the output cannot be written: ${messageOf(failure)}\n`)
  return exit(exitCodes.failed)
}

export interface Interruption {
  /** Aborted by the first signal. A command that never asks for it is ended by a signal like any process. */
  signal: () => AbortSignal
  happened: () => boolean
  /** The reader of our output is gone: the command may undo what it can at once, before the process ends. */
  readerGone: () => void
  /** A promise that no code awaits failed, a defect: the command is to undo what it made, as at a signal. */
  failed: (reason: unknown) => void
  /** That failure. */
  failure: () => KugetsuError | undefined
}

const interrupted = () => new KugetsuError('interrupted', { code: 'interrupted', exitCode: exitCodes.interrupted })

/** A signal within this time after another is the same Ctrl-C, held down or sent by both a terminal and a parent process. */
const sameSignalMs = 300

/** The first signal lets the command clean up; a later one ends it as it would without this handler. */
export function createInterruption(): Interruption {
  let abort: AbortController | undefined
  let failure: KugetsuError | undefined
  const listen = () => {
    const controller = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      let first: number | undefined
      // Not once(): without a listener, even for an instant, a signal ends the process before anything is undone.
      process.on(signal, () => {
        if (first === undefined) {
          controller.abort(interrupted())
          first = performance.now()
        } else if (performance.now() - first > sameSignalMs) {
          process.removeAllListeners(signal)
          process.kill(process.pid, signal)
        }
      })
    }
    return controller
  }
  return {
    signal: () => (abort ??= listen()).signal,
    happened: () => abort?.signal.aborted === true,
    readerGone: () => abort?.abort(),
    failed: (cause) => {
      const hint = 'This is a defect of kugetsu: run it again with --debug and report what it prints.'
      failure ??= new KugetsuError(`unexpected: ${messageOf(cause)}`, { hint, code: 'unexpected', cause })
      ;(abort ??= listen()).abort(failure)
    },
    failure: () => failure,
  }
}
