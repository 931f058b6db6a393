/** A driver with a real server and the scripted model, for tests through its interface alone. */
import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'rolldown'
import type { Home } from '../../src/config/home.ts'
import { loadSettings } from '../../src/config/settings.ts'
import { outcomeOf, type RunOutcome } from '../../src/core/run-outcome.ts'
import type { Client, Endpoint, ObservedSession, PermissionRule } from '../../src/driver/client.ts'
import type { ServerEvent } from '../../src/driver/entry.ts'
import type { AgentDefinitions, Driver } from '../../src/driver/driver.ts'
import { newMessageId } from '../../src/driver/message-id.ts'
import { fingerprintOf } from '../../src/server/program.ts'
import { bareHome } from './bare-home.ts'
import { createHome } from './home.ts'
import { startModel, type TestModel } from './model.ts'
import { kugetsuCommand } from './kugetsu.ts'
import { killAndWait } from './processes.ts'
import { waitFor } from './wait-for.ts'

const root = path.resolve(import.meta.dirname, '../..')

/**
 * A driver as it is in dist/: bundled, with the plugin beside it. `file` is relative to src/, `name` is what it exports.
 */
export async function bundledDriver(file: string, name: string): Promise<Driver> {
  const directory = path.join(root, 'node_modules', '.cache', `kugetsu-driver-${process.pid}-${name}`)
  const common = { platform: 'node' as const, external: ['better-sqlite3'], moduleTypes: { '.md': 'text' as const } }
  const at = (...parts: string[]) => path.join(root, 'src', ...parts)
  const inputs = {
    driver: at(file),
    'environment-plugin': at('plugin/plugin.ts'),
    'environment-plugin-2': at('plugin/plugin-2.ts'),
  }
  for (const [input, from] of Object.entries(inputs)) {
    const output = { file: path.join(directory, `${input}.js`), format: 'esm' as const, codeSplitting: false }
    await build({ ...common, input: from, output })
  }
  fs.writeFileSync(path.join(directory, 'package.json'), '{"type":"module"}')
  const loaded = (await import(pathToFileURL(path.join(directory, 'driver.js')).href)) as Record<string, Driver>
  const driver = loaded[name]
  if (driver === undefined) throw new Error(`${file} exports no ${name}`)
  driver.preload() // reads the plugin
  fs.rmSync(directory, { recursive: true })
  return driver
}

export interface DriverStage {
  driver: Driver
  home: Home
  model: TestModel
  endpoint: () => Endpoint
  client: Client
  warnings: string[]
  /** What the stream has told so far. */
  events: ServerEvent[]
  /** Ends the server with SIGKILL, and waits until it is gone. */
  kill: () => Promise<void>
  /** Starts it, also once more; follows its events. */
  boot: () => Promise<void>
  /** A new worktree of the repository. */
  worktree: (name: string) => string
  /** A placed session, with those rules after the usual ones. */
  session: (directory: string, rules?: PermissionRule[]) => Promise<string>
  /** Sends a prompt; returns its id. */
  say: (session: { id: string; directory: string }, text: string, more?: object) => Promise<string>
  /** How a run stands once it is not at work any more. */
  end: (session: { id: string; directory: string }, ...prompts: string[]) => Promise<Ended>
  cleanup: () => Promise<void>
}

export type Ended = { observed: ObservedSession; outcome: RunOutcome }

export const usualRules: PermissionRule[] = [
  { permission: 'question', pattern: '*', action: 'deny' },
  { permission: 'external_directory', pattern: '*', action: 'allow' },
]

export async function setDriverStage(
  driver: Driver,
  program: string,
  options: { agents?: AgentDefinitions; env?: Record<string, string> } = {},
): Promise<DriverStage> {
  const model = await startModel()
  const user = createHome({ modelUrl: model.url })
  const warnings: string[] = []
  const env = { ...user.env, ...options.env }
  const bare = bareHome(user.kugetsuDir, (text) => warnings.push(text))
  const home: Home = {
    ...bare,
    env,
    userHome: user.root,
    settings: () => loadSettings({ configFile: bare.paths.config, env, userHome: user.root }),
    self: kugetsuCommand,
  }
  for (const directory of [home.paths.base, home.paths.logs, home.paths.opencode, home.paths.worktrees]) {
    fs.mkdirSync(directory, { recursive: true })
  }
  const repository = path.join(user.root, 'repository')
  fs.mkdirSync(repository)
  const git = (...args: string[]) => execFileSync('git', args, { cwd: repository, env })
  git('init', '--quiet')
  git('commit', '--quiet', '--allow-empty', '-m', 'one')

  const events: ServerEvent[] = []
  let server: { pid: number; endpoint: Endpoint; following: AbortController } | undefined
  let base: string | undefined

  async function boot(): Promise<void> {
    for (let isAnew = true; isAnew;) {
      driver.beforeLaunch(home, () => [])
      const password = `password-${events.length}`
      const own = { program: fingerprintOf(program), password, marker: 'marker', agents: options.agents ?? {} }
      const { args, env: environment, mark } = driver.launch(home, own)
      const log = fs.openSync(home.paths.serverLog, 'a')
      const offset = fs.fstatSync(log).size
      const stdio = ['ignore', log, log] as const
      const child = spawn(program, args, { cwd: home.paths.base, env: environment, detached: true, stdio: [...stdio] })
      fs.closeSync(log)
      const port = await waitFor('the port of the server', () => {
        const said = fs.readFileSync(home.paths.serverLog).subarray(offset).toString()
        return Number(/listening on http:\/\/[^\s:]+:(\d+)/.exec(said)?.[1])
      })
      const endpoint = { port, password }
      server = { pid: child.pid ?? 0, endpoint, following: new AbortController() }
      isAnew = await driver.afterLaunch(home, endpoint, { program: own.program, mark })
      if (isAnew) await killAndWait(-server.pid)
    }
    stage.client = driver.connect(home, stage.endpoint(), home.signal)
    const { signal } = (server as NonNullable<typeof server>).following
    await new Promise<void>((resolve, reject) => {
      stage.client.follow({ onOpen: resolve, onEvent: (event) => events.push(event) }, signal).catch(reject)
    })
  }

  const stage: DriverStage = {
    driver,
    home,
    model,
    warnings,
    events,
    boot,
    client: undefined as unknown as Client,
    endpoint: () => {
      if (server === undefined) throw new Error('no server yet')
      return server.endpoint
    },
    kill: async () => {
      server?.following.abort()
      if (server !== undefined) await killAndWait(server.pid)
    },
    worktree: (name) => {
      const directory = path.join(home.paths.worktrees, name)
      git('worktree', 'add', '--quiet', '-b', name, directory)
      return directory
    },
    session: async (directory, rules = []) => {
      base ??= await stage.client.createPrimed(home.paths.base, { title: 'base', text: 'BASE INSTRUCTIONS' })
      const id = await stage.client.fork(base, home.paths.base)
      const target = { directory, rules: [...usualRules, ...rules], title: path.basename(directory), isNew: true }
      await stage.client.place(id, target)
      return id
    },
    say: async ({ id, directory }, text, more = {}) => {
      const messageId = newMessageId(new Date())
      await stage.client.prompt(id, directory, { messageId, text, model: 'scripted/one', ...more })
      return messageId
    },
    end: ({ id, directory }, ...prompts) =>
      waitFor(`the end of the run in ${path.basename(directory)}`, async () => {
        const observed = await stage.client.observe(id, directory, prompts)
        const outcome = outcomeOf(prompts, observed)
        // A server may say "idle" for a moment before its work begins.
        if (observed === undefined || ['working', 'undelivered', 'unanswered'].includes(outcome.kind)) return undefined
        return { observed, outcome }
      }),
    cleanup: async () => {
      server?.following.abort()
      await user.cleanup()
      await model.close()
    },
  }
  return stage
}
