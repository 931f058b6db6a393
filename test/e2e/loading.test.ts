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
  fs.writeFileSync(
    path.join(home.kugetsuDir, 'index.json'),
    '{ "base": "ses_none", "issues": { "forge.test/me/other#1": "other.json" } }',
  )
  const base = '{ "type": "base", "opencode_session_id": "ses_none", "state": "idle" }'
  fs.writeFileSync(path.join(home.kugetsuDir, 'sessions', 'base.json'), base)
})
afterAll(() => home.cleanup())

/** Parts of Node that take milliseconds to load. */
const slow = ['child_process', 'crypto', 'http', 'net', 'stream']

/**
 * Runs a command with its output thrown away, as a script does: the files of kugetsu that it loads, their size, the packages,
 * and what else takes long.
 */
function loadedBy(...args: string[]): { files: number; bytes: number; packages: string[]; slowParts: string[] } {
  const file = path.join(home.root, 'loaded.json')
  const [program, ...first] = kugetsuCommand
  const env = { ...home.env, NODE_OPTIONS: `--require=${preload}`, KUGETSU_TEST_LOADED: file }
  const done = spawnSync(program, [...first, ...args], { env, cwd: home.cwd, stdio: 'ignore' })
  expect(done.status, args.join(' ')).toBe(0)
  const { files: all, ofNode } = JSON.parse(fs.readFileSync(file, 'utf8')) as { files: string[]; ofNode: string[] }
  const ours = all.filter((each) => path.basename(path.dirname(each)) === 'dist')
  const packages = all.flatMap((each) => /node_modules\/([^/]+)/.exec(each)?.[1] ?? [])
  const bytes = ours.reduce((sum, each) => sum + fs.statSync(each).size, 0)
  const slowParts = slow.filter((each) => ofNode.includes(each))
  return { files: ours.length, bytes, packages: [...new Set(packages)], slowParts }
}

// One executable file takes no preloads.
describe.skipIf(!programPath.endsWith('.js'))('a short command', () => {
  it.each([
    ['queue enqueue me/app#1 task', 4, 240_000],
    ['list', 3, 205_000],
    ['status', 3, 205_000],
    ['queue list', 3, 205_000],
    ['queue stats', 3, 205_000],
    ['env list', 3, 205_000],
    ['logs', 7, 240_000],
    ['--version', 3, 125_000],
    ['--help', 2, 120_000],
    ['help start', 3, 125_000],
  ])('%s loads at most %i files of kugetsu and %i bytes, and no package', (line, mostFiles, mostBytes) => {
    const { files, bytes, packages, slowParts } = loadedBy(...line.split(' '))
    expect(packages).toEqual([])
    expect(slowParts).toEqual([])
    expect(files).toBeGreaterThan(1)
    expect(files).toBeLessThanOrEqual(mostFiles)
    expect(bytes).toBeLessThan(mostBytes)
  })

  it('loads what locks when it needs that', () => {
    expect(loadedBy('notify', 'clear').packages).toContain('better-sqlite3')
  })
})
