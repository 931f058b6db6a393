/** What short commands load, which is most of what they take: counted, because milliseconds depend on the machine. */
import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { createRequire } from 'node:module'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Script } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHome, type Home } from '../helpers/home.ts'
import { kugetsuCommand, programPath } from '../helpers/kugetsu.ts'

const preload = fileURLToPath(new URL('../fixtures/loaded.cjs', import.meta.url))

const { cache, openScript } = createRequire(import.meta.url)('../../bin/kugetsu.js') as {
  cache: string
  openScript: (name: string) => () => Script
}

let home: Home
beforeAll(() => {
  home = createHome({ findsProviders: true })
  fs.mkdirSync(path.join(home.kugetsuDir, 'sessions'), { recursive: true })
  fs.writeFileSync(path.join(home.kugetsuDir, 'index.json'), '{ "base": "ses_none", "issues": {} }')
  const base = '{ "type": "base", "opencode_session_id": "ses_none", "state": "idle" }'
  fs.writeFileSync(path.join(home.kugetsuDir, 'sessions', 'base.json'), base)
})
afterAll(() => home.cleanup())

/** Runs a command with its output thrown away, as a script does, and tells what it has loaded. */
function loadedBy(...args: string[]): Record<'builtin' | 'packages' | 'files', string[]> {
  const file = path.join(home.root, 'loaded.json')
  const [program, ...first] = kugetsuCommand
  const env = { ...home.env, NODE_OPTIONS: `--require=${preload}`, KUGETSU_TEST_LOADED: file }
  const done = spawnSync(program, [...first, ...args], { env, cwd: home.cwd, stdio: 'ignore' })
  expect(done.status, args.join(' ')).toBe(0)
  return JSON.parse(fs.readFileSync(file, 'utf8')) as ReturnType<typeof loadedBy>
}

/** The same, and which of the slow parts that were. */
function slowPartsOf(...args: string[]): string[] {
  return slowPartsIn(loadedBy(...args))
}

function slowPartsIn({ builtin, packages, files }: ReturnType<typeof loadedBy>): string[] {
  const slow =
    /^NativeModule (child_process|crypto|http|module|net|os|sqlite|stream|timers\/promises|tls|tty|worker_threads)$/
  return [
    ...builtin.flatMap((name) => slow.exec(name)?.[1] ?? []),
    ...([...packages, ...files].some((name) => name.includes('better-sqlite3')) ? ['sqlite'] : []),
    ...(files.some((name) => path.basename(name) === 'schemas.cjs') ? ['zod'] : []),
  ]
}

// One executable file takes no preloads.
describe.skipIf(!programPath.endsWith('.js'))('a short command', () => {
  it('has loaded nothing slow when it puts a task into the queue', () => {
    for (const number of [1, 1, 2]) expect(slowPartsOf('queue', 'enqueue', `me/app#${number}`, 'a task')).toEqual([])
    expect(fs.readdirSync(path.join(home.kugetsuDir, 'queue', 'items'))).toHaveLength(3)
  })

  it('nor when it only reads what is there', () => {
    for (const args of [['list'], ['status'], ['queue', 'list'], ['queue', 'stats'], ['--version']]) {
      expect(slowPartsOf(...args), args.join(' ')).toEqual([])
    }
  })

  it('nor when it prints help', () => {
    for (const args of [[], ['--help'], ['help', '--json'], ['help', 'start'], ['list', '--help']]) {
      expect(slowPartsOf(...args), args.join(' ')).toEqual([])
    }
  })

  it('loads what locks, and what checks, when it needs that', () => {
    expect(slowPartsOf('notify', 'clear')).toEqual(['sqlite'])
    expect(slowPartsOf('status')).toEqual([])
    fs.writeFileSync(path.join(home.kugetsuDir, 'notifications.json'), '[{ "message": 1 }]')
    expect(slowPartsOf('notify', 'clear')).toEqual(['sqlite', 'zod'])
  })
})

describe.skipIf(!programPath.endsWith('.js'))('the daemon', () => {
  it('has loaded nothing of what starts agents, nor of the commands, when there was nothing to do', () => {
    // As in every home that has been worked in.
    const at = (...parts: string[]) => path.join(home.kugetsuDir, ...parts)
    execFileSync('git', ['init', '-q', '--bare', at('repos', 'forge.test', 'me', 'app.git')], { env: home.env })
    const session = { type: 'forked', issue_ref: 'forge.test/me/app#1', opencode_session_id: 'ses_1', state: 'idle' }
    fs.mkdirSync(at('sessions'), { recursive: true })
    fs.writeFileSync(at('sessions', 'forge.test-me-app-1.json'), JSON.stringify(session))
    const loaded = loadedBy('supervise')
    const ours = loaded.files.map((name) => path.basename(name)).filter((name) => name.endsWith('.cjs'))
    expect(ours).toContain('daemon.cjs')
    expect(slowPartsIn(loaded)).toContain('sqlite') // it has its lock, and looked
    expect(ours.filter((name) => /^(main|schemas|daemon-work)\b/.test(name))).toEqual([])
  })

  it('leaves code in the cache that V8 takes, as all do', () => {
    const names = fs.readdirSync(cache)
    expect(names).toEqual(expect.arrayContaining(['main.cjs', 'daemon.cjs', 'better-sqlite3.cjs']))
    expect(names.filter((name) => openScript(name)().cachedDataRejected !== false)).toEqual([])
  })
})
