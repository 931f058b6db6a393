/** What short commands load, which is most of what they take: counted, because milliseconds depend on the machine. */
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHome, type Home } from '../helpers/home.ts'
import { kugetsuCommand, programPath } from '../helpers/kugetsu.ts'

const preload = fileURLToPath(new URL('../fixtures/loaded.cjs', import.meta.url))

let home: Home
beforeAll(() => {
  home = createHome()
  fs.mkdirSync(path.join(home.kugetsuDir, 'sessions'), { recursive: true })
  fs.writeFileSync(path.join(home.kugetsuDir, 'index.json'), '{ "base": "ses_none", "issues": {} }')
  const base = '{ "type": "base", "opencode_session_id": "ses_none", "state": "idle" }'
  fs.writeFileSync(path.join(home.kugetsuDir, 'sessions', 'base.json'), base)
})
afterAll(() => home.cleanup())

/** Runs a command with its output thrown away, as a script does, and tells which of the slow parts it has loaded. */
function slowPartsOf(...args: string[]): string[] {
  const file = path.join(home.root, 'loaded.json')
  const [program, ...first] = kugetsuCommand
  const env = { ...home.env, NODE_OPTIONS: `--require=${preload}`, KUGETSU_TEST_LOADED: file }
  const done = spawnSync(program, [...first, ...args], { env, cwd: home.cwd, stdio: 'ignore' })
  expect(done.status, args.join(' ')).toBe(0)
  const { builtin, packages, files } = JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, string[]>
  const slow =
    /^NativeModule (child_process|crypto|http|module|net|os|sqlite|stream|timers\/promises|tls|tty|worker_threads)$/
  return [
    ...(builtin ?? []).flatMap((name) => slow.exec(name)?.[1] ?? []),
    ...([...(packages ?? []), ...(files ?? [])].some((name) => name.includes('better-sqlite3')) ? ['sqlite'] : []),
    ...((files ?? []).some((name) => path.basename(name) === 'schemas.cjs') ? ['zod'] : []),
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
