/** kugetsu as one executable file, on a machine without Node. `npm run test:binary` runs all the other tests through it. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run, runJson, runOk, type RunOptions } from '../helpers/kugetsu.ts'
import { leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

let stage: Stage
/** The program, in a directory with packages that it must not take for its own. */
let program: string
let options: RunOptions
/** Written by whoever loads one of those packages. */
let trap: string

beforeAll(async () => {
  stage = await setStage({ init: false, config: { MAX_CONCURRENT_AGENTS: 2 } })
  const { home } = stage
  program = path.join(home.root, 'programs', 'kugetsu')
  trap = path.join(home.root, 'trap')
  execFileSync(process.execPath, [path.join(root, 'scripts', 'build-binary.mjs'), program], { stdio: 'pipe' })
  for (const directory of [path.dirname(program), home.cwd]) {
    for (const name of ['better-sqlite3', 'bindings', 'supports-color', 'debug']) {
      const file = path.join(directory, 'node_modules', name, 'index.js')
      fs.mkdirSync(path.dirname(file), { recursive: true })
      fs.writeFileSync(file, `require('node:fs').appendFileSync('${trap}', '${name} of ${directory}\\n')`)
    }
  }
  options = { command: [program], env: { PATH: [home.bin, withoutNode(home.root)].join(path.delimiter) } }
})
afterAll(() => stage.cleanup())

/** A directory with every program of this machine but Node and what runs on it. */
function withoutNode(directory: string): string {
  const tools = path.join(directory, 'tools')
  fs.mkdirSync(tools)
  const searched = (process.env['PATH'] ?? '').split(path.delimiter).filter((each) => !each.includes('node_modules'))
  for (const from of [...searched, '/usr/bin', '/bin'].filter((each) => fs.existsSync(each))) {
    for (const name of fs.readdirSync(from)) {
      if (/^(node|nodejs|npm|npx|corepack|bun|deno|kugetsu)$/.test(name) || fs.existsSync(path.join(tools, name)))
        continue
      fs.symlinkSync(path.join(from, name), path.join(tools, name))
    }
  }
  return tools
}

const kugetsu = async (...args: string[]) => (await runOk(stage.home, args, options)).stdout

describe('one executable file', () => {
  it('needs neither Node nor an environment, and takes no argument for one of Node', () => {
    const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string }
    expect(execFileSync(program, ['--version'], { env: {}, cwd: '/', encoding: 'utf8' })).toBe(`${version}\n`)
    expect(() => execFileSync(program, ['--eval', '0'], { env: {}, stdio: 'pipe' })).toThrow(/unknown option '--eval'/)
    expect(() =>
      execFileSync('/bin/sh', ['-c', 'node -v'], { env: options.env as NodeJS.ProcessEnv, stdio: 'pipe' }),
    ).toThrow('node')
    expect(fs.statSync(program).size).toBeLessThan(120e6)
  })

  it('has the licences of all that is in it beside it', () => {
    const licences = fs.readFileSync(`${program}.licenses.txt`, 'utf8')
    for (const name of ['kugetsu', 'commander', 'zod', 'better-sqlite3', 'Node.js']) {
      expect(licences).toMatch(new RegExp(`^${name} v?[0-9.]+`, 'm'))
    }
  })

  it('starts an agent, who calls kugetsu, and a daemon that is the same program', async () => {
    await kugetsu('init')
    const script =
      'BASH{{kugetsu list --json > seen.json && git add . && git commit -qm "See" && git push -q}} SAY{{Seen.}}'
    await kugetsu('start', ref(1), script, '--wait')
    const seen = JSON.parse(fs.readFileSync(path.join(stage.worktree(1), 'seen.json'), 'utf8')) as {
      issue_ref: string
    }[]
    expect(seen.map(({ issue_ref }) => issue_ref)).toContain(ref(1))
    expect(await kugetsu('logs', ref(1))).toContain('Seen.')
    // It loads all that runs git, of which Node must have nothing to say.
    expect(await runOk(stage.home, ['prune'], options)).toMatchObject({ stderr: '' })

    await kugetsu('queue-daemon', 'start')
    const { json } = await runJson<{ pid: number }>(stage.home, ['queue-daemon', 'status', '--json'], options)
    expect(fs.readlinkSync(`/proc/${json.pid}/exe`)).toBe(program)
    await kugetsu('queue', 'enqueue', ref(2), 'SAY{{From the queue.}}')
    await waitFor('the task of the queue', async () => / completed .*app#2/.test(await kugetsu('queue', 'list')))
    expect(stage.file(2)?.['state']).toBe('idle')
    expect(await kugetsu('completion', 'bash')).toContain('__complete')
    await kugetsu('queue-daemon', 'stop')
  })

  it('plays the demo', async () => {
    const { code, stdout, stderr } = await run(stage.home, ['demo'], options)
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/node bill.test.js\n.*ok:/)
    expect(stdout).toContain(`${program} start https://github.com/you/app/issues/14`)
  })

  it('has taken nothing for its own that lay about', () => {
    expect(fs.existsSync(trap)).toBe(false)
  })
})

describe('its SQLite addon', () => {
  const caches = () => path.join(stage.home.env['XDG_CACHE_HOME'] ?? '', 'kugetsu')
  const node = async (env: Record<string, string> = {}) => {
    const { stdout } = await run(stage.home, ['doctor'], { ...options, env: { ...options.env, ...env } })
    return /^\w+ +node +.*(\n .*)*/m.exec(stdout)?.[0]
  }

  it('is loaded from a private file, which is put right when it is another', async () => {
    const [name = '', ...others] = fs.readdirSync(caches())
    expect([others, fs.statSync(caches()).mode & 0o777]).toEqual([[], 0o700])
    const file = path.join(caches(), name)
    const good = fs.readFileSync(file)
    fs.chmodSync(file, 0o700)
    fs.writeFileSync(file, 'not an addon')
    expect(await node()).toMatch(/^pass/)
    expect(fs.readFileSync(file).equals(good)).toBe(true)
  })

  it('is put elsewhere where others can write to that place, and without any place that is said', async () => {
    const open = path.join(stage.home.root, 'open')
    fs.mkdirSync(path.join(open, 'kugetsu'), { recursive: true })
    fs.chmodSync(path.join(open, 'kugetsu'), 0o777)
    expect(await node({ XDG_CACHE_HOME: open })).toMatch(/^pass/)
    expect(fs.readdirSync(path.join(open, 'kugetsu'))).toEqual([])
    const said = (await node({ XDG_CACHE_HOME: open, TMPDIR: '/proc' }))?.replace(/\s+/g, ' ')
    // Node 22.13 and newer have a SQLite of their own.
    const hasSqlite = process.getBuiltinModule('node:sqlite' as 'node:fs') !== undefined
    expect(said).toMatch(hasSqlite ? /^pass/ : /^fail node .*only you can write to.*→ Set XDG_CACHE_HOME to/)
  })
})

it('leaves no process behind', async () => {
  await stage.home.cleanup()
  expect(leftovers(stage.home.root)).toEqual([])
})
