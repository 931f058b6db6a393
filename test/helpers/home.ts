import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { opencodeConfig } from './model.ts'
import { usualProgram } from './opencode.ts'
import { killLeftovers, kugetsuDirectory } from './processes.ts'

/** A throwaway user: everything it has is under `root`, and nothing of the real user's is in its environment. */
export interface Home {
  root: string
  /** Its KUGETSU_DIR, which does not exist until kugetsu makes it. */
  kugetsuDir: string
  /** An empty directory to run commands in, outside of any git repository. */
  cwd: string
  /** The first directory of its PATH; holds `opencode` alone. */
  bin: string
  /** opencode's own configuration file. */
  opencodeConfig: string
  /** opencode's own data: logins, long outputs, snapshots, the user's database. */
  opencodeData: string
  /** The whole environment for its processes. */
  env: Record<string, string>
  /** Kills all its processes, waits until they are gone, removes everything. */
  cleanup: () => Promise<void>
}

// A unix socket's path is limited to 107 bytes; what kugetsu puts behind the root stays below 60.
const longestRoot = 40

// Where nobody listens.
const nowhere = 'http://127.0.0.1:9/v1'

export interface HomeOptions {
  /** The scripted model; nobody listens without it. */
  modelUrl?: string
  /** Its opencode, for a test about one version: opencode1Program, or what opencode2Program() found. Otherwise the usual one. */
  program?: string
  /**
   * True: opencode finds out by itself whose models it can use, as for a new user, which takes `kugetsu init` a second
   * boot of it. Otherwise the scripted provider is named and the catalogue is empty.
   */
  findsProviders?: boolean
  /** What the name of its directory begins with. */
  prefix?: string
}

/** Creates a home with opencode and git. Await its cleanup() when the test is done. */
export function createHome(options: HomeOptions = {}): Home {
  const root = fs.mkdtempSync(path.join(shortTemporaryDirectory(), options.prefix ?? 'kg-'))
  const at = (...parts: string[]) => path.join(root, ...parts)
  const directories = {
    XDG_CONFIG_HOME: at('.config'),
    XDG_DATA_HOME: at('.local', 'share'),
    XDG_STATE_HOME: at('.local', 'state'),
    XDG_CACHE_HOME: at('.cache'),
    XDG_RUNTIME_DIR: at('run'),
    TMPDIR: at('tmp'),
  }
  const bin = at('bin')
  const cwd = at('cwd')
  for (const directory of [...Object.values(directories), bin, cwd]) {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
  }
  fs.symlinkSync(options.program ?? usualProgram(), path.join(bin, 'opencode'))

  const configFile = path.join(directories.XDG_CONFIG_HOME, 'opencode', 'opencode.json')
  fs.mkdirSync(path.dirname(configFile))
  fs.writeFileSync(configFile, JSON.stringify(opencodeConfig(options.modelUrl ?? nowhere), undefined, 2))
  pretendPlugin(path.dirname(configFile))
  fs.writeFileSync(at('gitconfig'), gitConfig)
  if (options.findsProviders !== true) {
    const catalogue = at('.cache', 'opencode', 'models.json')
    fs.mkdirSync(path.dirname(catalogue))
    fs.writeFileSync(catalogue, '{}')
  }

  return {
    root,
    kugetsuDir: kugetsuDirectory(root),
    cwd,
    bin,
    opencodeConfig: configFile,
    opencodeData: path.join(directories.XDG_DATA_HOME, 'opencode'),
    env: {
      ...directories,
      HOME: root,
      KUGETSU_DIR: kugetsuDirectory(root),
      PATH: [bin, ...programDirectories()].join(path.delimiter),
      SHELL: '/bin/bash',
      LANG: 'C.UTF-8',
      TERM: 'dumb',
      NO_PROXY: '127.0.0.1,localhost',
      GIT_CONFIG_GLOBAL: at('gitconfig'),
      GIT_CONFIG_NOSYSTEM: '1',
      OPENCODE_DISABLE_MODELS_FETCH: '1',
      OPENCODE_DISABLE_AUTOUPDATE: '1',
      ...(options.findsProviders === true ? {} : { KUGETSU_MODEL_PROVIDERS: 'scripted' }),
      // Should opencode install a package all the same: see pretendPlugin.
      npm_config_offline: 'true',
      npm_config_registry: 'http://127.0.0.1:9/',
    },
    cleanup: async () => {
      await killLeftovers(root)
      // A dying process may still have been writing while the tree was walked.
      fs.rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    },
  }
}

/**
 * opencode installs a package of 60 MB into its configuration directory, once, and holds a lock of its own meanwhile
 * that stays stale for a minute when it is killed. Here it looks as it does after that.
 */
function pretendPlugin(directory: string): void {
  fs.mkdirSync(path.join(directory, 'node_modules'))
  const lock = { packages: { '': { dependencies: { '@opencode-ai/plugin': '*' } } } }
  fs.writeFileSync(path.join(directory, 'package-lock.json'), JSON.stringify(lock))
}

const gitConfig = `[user]
\tname = Test User
\temail = test@example.com
[init]
\tdefaultBranch = main
[commit]
\tgpgSign = false
[gc]
\tauto = 0
`

function shortTemporaryDirectory(): string {
  const usual = fs.realpathSync(os.tmpdir())
  return usual.length > longestRoot - 'kg-123456'.length ? fs.realpathSync('/tmp') : usual
}

function programDirectories(): string[] {
  const searched = (process.env['PATH'] ?? '').split(path.delimiter)
  const git = searched.find((directory) => directory !== '' && fs.existsSync(path.join(directory, 'git')))
  return [...new Set([path.dirname(process.execPath), ...(git === undefined ? [] : [git]), '/usr/bin', '/bin'])]
}
