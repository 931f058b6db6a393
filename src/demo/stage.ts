/** The throwaway user of the demo: a directory, an environment that leads nowhere else, and an end that leaves nothing. */
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { execa } from 'execa'
import type { Home } from '../config/home.ts'
import { pathsOf, type Paths } from '../config/paths.ts'
import { KugetsuError, messageOf } from '../core/errors.ts'
import { findOpencode } from '../server/program.ts'
import { endProcessesOf } from './end-processes.ts'

/** What the demo needs from its caller. */
export type DemoHome = Pick<Home, 'env' | 'self' | 'signal'> & { cwd: string | undefined }

export interface Stage {
  /** Everything is in here. */
  root: string
  /** The paths of the throwaway kugetsu home. */
  paths: Paths
  env: NodeJS.ProcessEnv
  /** Runs a program to its end and passes on each line of its output as it comes; throws when the demo was interrupted. */
  run: (command: readonly [string, ...string[]], options?: RunOptions) => Promise<Finished>
  /**
   * Ends every process of the stage and removes its directory, unless `keep`. Synchronous, so that no signal can come
   * in between; harmless when done before.
   */
  clear: (options: { keep: boolean }) => void
}

interface RunOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  onLine?: (line: string) => void
}

export interface Finished {
  exitCode: number
  lines: string[]
}

const commandMs = 180_000

/** What a program needs of the real user's environment, without keys, tokens, proxies and configuration. */
const inherited = ['PATH', 'LANG', 'LANGUAGE', 'LC_ALL', 'LC_CTYPE', 'TZ', 'USER', 'LOGNAME', 'LD_LIBRARY_PATH']

// A unix socket's path has at most 103 bytes, and kugetsu adds up to 30 to that of the stage.
const longestTemporary = 50

const gitConfig = `[user]
\tname = Demo Agent
\temail = agent@demo.invalid
[commit]
\tgpgSign = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
`

/** Makes the directory. Throws KugetsuError `no_opencode` before that when there is no opencode. */
export function createStage(home: DemoHome): Stage {
  const opencode = chooseOpencode(home)
  const root = fs.mkdtempSync(path.join(temporaryDirectory(), 'kugetsu-demo-'))
  const paths = pathsOf(path.join(root, '.kugetsu'))
  const env = environment(home, { root, opencode, kugetsuDir: paths.home })
  for (const directory of [env['TMPDIR'], env['XDG_RUNTIME_DIR'], paths.home]) {
    fs.mkdirSync(directory ?? root, { recursive: true, mode: 0o700 })
  }
  fs.writeFileSync(path.join(root, '.gitconfig'), gitConfig)
  if (home.self[1] === undefined) writeNode(path.join(root, 'bin'), home.self[0])
  let leader: number | undefined

  const run: Stage['run'] = async ([program, ...args], options = {}) => {
    home.signal.throwIfAborted()
    const lines: string[] = []
    // In a group of its own: a Ctrl-C in the terminal is for the demo, which ends the others itself.
    const child = execa(program, args, {
      cwd: options.cwd ?? root,
      env: { ...env, ...options.env },
      extendEnv: false,
      detached: true,
      stdin: 'ignore',
      all: true,
      reject: false,
      timeout: commandMs,
    })
    leader = child.pid
    try {
      for await (const line of child.iterable({ from: 'all' })) {
        lines.push(line)
        if (!home.signal.aborted) options.onLine?.(line)
      }
    } catch {
      // The result below tells more.
    }
    const result = await child
    leader = undefined
    home.signal.throwIfAborted()
    if (result.exitCode === undefined) {
      throw new KugetsuError(
        `${path.basename(program)} ${args.join(' ')} was broken off: ${result.timedOut ? 'it took too long' : messageOf(result)}`,
        {
          code: 'demo_failed',
        },
      )
    }
    return { exitCode: result.exitCode, lines }
  }

  const clear: Stage['clear'] = ({ keep }) => {
    endProcessesOf(paths, leader)
    if (!keep) fs.rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
  }

  return { root, paths, env, run, clear }
}

/** The opencode of this machine, else the one that a checkout of kugetsu has for its tests. */
function chooseOpencode({ env, self }: DemoHome): string {
  try {
    return findOpencode(env)
  } catch (error) {
    if (self[1] === undefined) throw error
    const program = fs.realpathSync(self[1])
    const checkout = path.join(path.dirname(program), '..', 'node_modules', '.bin', 'opencode')
    if (env['KUGETSU_OPENCODE'] || !fs.existsSync(checkout)) throw error
    return path.resolve(checkout)
  }
}

/** As one file, kugetsu has a Node inside: the tests of the demo's project run with that (scripts/binary-main.ts). */
function writeNode(directory: string, program: string): void {
  fs.mkdirSync(directory)
  const script = `#!/bin/sh\nexec '${program.replaceAll("'", `'\\''`)}' __node "$@"\n`
  fs.writeFileSync(path.join(directory, 'node'), script, { mode: 0o700 })
}

function environment(
  { env, self }: DemoHome,
  own: { root: string; opencode: string; kugetsuDir: string },
): NodeJS.ProcessEnv {
  const at = (...parts: string[]) => path.join(own.root, ...parts)
  return {
    ...Object.fromEntries(inherited.map((name) => [name, env[name]]).filter(([, value]) => value !== undefined)),
    // The node that runs this, in case none is on the PATH.
    PATH: [env['PATH'] ?? '', self[1] === undefined ? at('bin') : path.dirname(self[0])].join(path.delimiter),
    HOME: own.root,
    XDG_CONFIG_HOME: at('.config'),
    XDG_DATA_HOME: at('.local', 'share'),
    XDG_STATE_HOME: at('.local', 'state'),
    XDG_CACHE_HOME: at('.cache'),
    XDG_RUNTIME_DIR: at('run'),
    TMPDIR: at('tmp'),
    SHELL: '/bin/sh',
    TERM: 'dumb',
    NO_PROXY: '127.0.0.1,localhost',
    GIT_CONFIG_GLOBAL: at('.gitconfig'),
    GIT_CONFIG_NOSYSTEM: '1',
    // Keeps git from looking for a repository in the directories above the stage.
    GIT_CEILING_DIRECTORIES: own.root,
    KUGETSU_DIR: own.kugetsuDir,
    KUGETSU_OPENCODE: path.resolve(own.opencode),
    OPENCODE_DISABLE_AUTOUPDATE: '1',
    OPENCODE_DISABLE_MODELS_FETCH: '1',
    OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
    OPENCODE_DISABLE_DEFAULT_PLUGINS: '1',
    // opencode installs a package for plugins into its configuration; the demo does not need it.
    npm_config_offline: 'true',
    npm_config_registry: 'http://127.0.0.1:9/',
  }
}

/** Throws KugetsuError `missing_directory` when TMPDIR names none. */
function temporaryDirectory(): string {
  if (!fs.statSync(os.tmpdir(), { throwIfNoEntry: false })?.isDirectory()) {
    throw new KugetsuError(`TMPDIR names no directory: ${os.tmpdir()}`, {
      hint: 'Make it, or unset TMPDIR.',
      code: 'missing_directory',
    })
  }
  const usual = fs.realpathSync(os.tmpdir())
  return usual.length > longestTemporary && fs.existsSync('/tmp') ? fs.realpathSync('/tmp') : usual
}
