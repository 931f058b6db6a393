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
  home = createHome({ findsProviders: true })
  fs.mkdirSync(path.join(home.kugetsuDir, 'sessions'), { recursive: true })
  fs.writeFileSync(path.join(home.kugetsuDir, 'index.json'), '{ "base": "ses_none", "issues": {} }')
  const base = '{ "type": "base", "opencode_session_id": "ses_none", "state": "idle" }'
  fs.writeFileSync(path.join(home.kugetsuDir, 'sessions', 'base.json'), base)
})
afterAll(() => home.cleanup())

/** Runs a command with its output thrown away, as a script does: the files of kugetsu that it loads, their size, and the packages. */
function loadedBy(...args: string[]): { files: number; bytes: number; packages: string[] } {
  const file = path.join(home.root, 'loaded.json')
  const [program, ...first] = kugetsuCommand
  const env = { ...home.env, NODE_OPTIONS: `--require=${preload}`, KUGETSU_TEST_LOADED: file }
  const done = spawnSync(program, [...first, ...args], { env, cwd: home.cwd, stdio: 'ignore' })
  expect(done.status, args.join(' ')).toBe(0)
  const all = JSON.parse(fs.readFileSync(file, 'utf8')) as string[]
  const ours = all.filter((each) => path.basename(path.dirname(each)) === 'dist')
  const packages = all.flatMap((each) => /node_modules\/([^/]+)/.exec(each)?.[1] ?? [])
  const bytes = ours.reduce((sum, each) => sum + fs.statSync(each).size, 0)
  return { files: ours.length, bytes, packages: [...new Set(packages)] }
}

// One executable file takes no preloads.
describe.skipIf(!programPath.endsWith('.js'))('a short command', () => {
  it.each(
    [
      'queue enqueue me/app#1 task',
      'list',
      'status',
      'queue list',
      'queue stats',
      'env list',
      'logs',
      '--version',
      '--help',
      'help start',
    ].map((line) => [line]),
  )('%s loads a few files of kugetsu, and no package', (line) => {
    const { files, bytes, packages } = loadedBy(...line.split(' '))
    expect(packages).toEqual([])
    expect(files).toBeGreaterThan(1)
    expect(files).toBeLessThanOrEqual(25)
    expect(bytes).toBeLessThan(240_000)
  })

  it('loads what locks when it needs that', () => {
    expect(loadedBy('notify', 'clear').packages).toContain('better-sqlite3')
  })
})
