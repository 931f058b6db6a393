/** What most end-to-end tests stand on: a scripted model, a git server with the repository me/app, and a home. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { SessionView } from '../../src/sessions/status/session-view.ts'
import { startGitServer, type GitServer } from './git-server.ts'
import { createHome, type Home, type HomeOptions } from './home.ts'
import { lookAt, type Look } from './look.ts'
import { run, runJson, runOk, type Finished, type RunOptions } from './kugetsu.ts'
import type { ScriptedModelOptions } from '../../src/demo/scripted-model.ts'
import { startModel, type TestModel } from './model.ts'

export interface Stage {
  model: TestModel
  git: GitServer
  home: Home
  /** Runs kugetsu, whatever its exit code. */
  kugetsu: (args: string[], options?: RunOptions) => Promise<Finished>
  /** Runs kugetsu and throws unless it ends with 0; what it printed. */
  ok: (args: string[], options?: RunOptions) => Promise<string>
  /** The session of issue `number` of me/app as `list --json` shows it. Throws when there is none. */
  session: (number: number) => Promise<SessionView>
  /** The session file of that issue, undefined when there is none. */
  file: (number: number) => Record<string, unknown> | undefined
  worktree: (number: number) => string
  /** The names under slots/, without what is there to order the admissions. */
  slots: () => string[]
  /** Replaces the config file. */
  configure: (lines: Record<string, string | number>) => void
  /** server.json, undefined when no server runs. */
  server: () => { pid: number; port: number; password: string; marker: string; version: string } | undefined
  /** Asks opencode, with the password of the server: the status and the parsed answer. */
  opencode: (route: string, method?: string) => Promise<{ status: number; json: unknown }>
  /** What its opencode keeps, whatever its version. */
  look: () => Look
  cleanup: () => Promise<void>
}

export interface StageOptions extends Pick<HomeOptions, 'findsProviders' | 'prefix' | 'program'> {
  /** False: stop before `kugetsu init`. */
  init?: boolean
  /** The config file. */
  config?: Record<string, string | number>
  /** Added to opencode's own configuration. */
  opencode?: object
  /** Added to the environment of all its processes. */
  env?: Record<string, string>
  model?: ScriptedModelOptions
}

/** Sets the stage up to `kugetsu init`. Await its cleanup() when the test is done. */
export async function setStage(options: StageOptions = {}): Promise<Stage> {
  const model = await startModel(options.model)
  const git = await startGitServer()
  git.createRepository('me/app', { 'README.md': 'hello\n', 'src/app.txt': 'app\n' })
  const home = createHome({ ...options, modelUrl: model.url })
  Object.assign(home.env, options.env)
  const at = (...parts: string[]) => path.join(home.kugetsuDir, ...parts)
  const sessionFile = (number: number) => at('sessions', `forge.test-me-app-${number}.json`)
  const stage: Stage = {
    model,
    git,
    home,
    kugetsu: (args, more) => run(home, args, more),
    ok: async (args, more) => (await runOk(home, args, more)).stdout,
    session: async (number) => {
      const { json } = await runJson<SessionView[]>(home, ['list', '--json'])
      const found = json.find(({ issue_ref }) => issue_ref === ref(number))
      if (found === undefined) throw new Error(`no session of ${ref(number)} in ${JSON.stringify(json)}`)
      return found
    },
    file: (number) => readJson(sessionFile(number)),
    worktree: (number) => at('worktrees', `forge.test-me-app-${number}`),
    slots: () =>
      fs.existsSync(at('slots')) ? fs.readdirSync(at('slots')).filter((name) => /\.(slot|held|run)$/.test(name)) : [],
    configure: (lines) => {
      fs.mkdirSync(home.kugetsuDir, { recursive: true, mode: 0o700 })
      const text = Object.entries(lines).map(([name, value]) => `${name}=${value}\n`)
      fs.writeFileSync(at('config'), text.join(''), { mode: 0o600 })
    },
    server: () => readJson(at('opencode', 'server.json')) as ReturnType<Stage['server']>,
    opencode: async (route, method = 'GET') => {
      const server = stage.server()
      if (server === undefined) throw new Error('no opencode server')
      const authorization = `Basic ${Buffer.from(`opencode:${server.password}`).toString('base64')}`
      const response = await fetch(`http://127.0.0.1:${server.port}${route}`, { method, headers: { authorization } })
      return { status: response.status, json: await response.json().catch(() => undefined) }
    },
    look: () => lookAt(home, stage.opencode),
    cleanup: async () => {
      await home.cleanup()
      await git.stop()
      await model.close()
    },
  }
  if (options.config !== undefined) stage.configure(options.config)
  if (options.opencode !== undefined) {
    fs.writeFileSync(home.opencodeConfig, JSON.stringify({ ...readJson(home.opencodeConfig), ...options.opencode }))
  }
  await runOk(home, ['server', 'add', 'forge.test', git.url])
  if (options.init !== false) await runOk(home, ['init'])
  return stage
}

/** The canonical ref of issue `number` of me/app. */
export function ref(number: number): string {
  return `forge.test/me/app#${number}`
}

function readJson(file: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>
  } catch {
    return undefined
  }
}
