/**
 * Every state file of a home spoiled in every way, and after each the commands that read or write there. Whatever lies
 * in a file: no command hangs or breaks, what could not be understood is still there, and the rest works.
 */
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createSupervisor } from '../../src/daemon/supervisor.ts'
import { pathsOf } from '../../src/config/paths.ts'
import { callKugetsu, commandContext, type Called } from '../helpers/command-line.ts'
import { createHome } from '../helpers/home.ts'
import { run } from '../helpers/kugetsu.ts'
import { factor, seed } from './bounds.ts'
import { forgottenPaths, issue, makeFullHome, queueIds, stateFiles, type StateFile } from './full-home.ts'
import { randomOf, spoilings, type Spoiling } from './spoil.ts'

const commands: Record<string, string[]> = {
  list: ['list', '--all', '--json'],
  'list as text': ['list'],
  status: ['status'],
  'queue list': ['queue', 'list', '--json'],
  stats: ['queue', 'stats'],
  'show 0': ['queue', 'show', queueIds[0] ?? ''],
  'show 2': ['queue', 'show', queueIds[2] ?? ''],
  'server list': ['server', 'list'],
  'context 1': ['context', issue(1)],
  'logs 1': ['logs', issue(1)],
  logs: ['logs'],
  'daemon logs': ['queue-daemon', 'logs'],
  notifications: ['notify', 'list'],
  'explain 1': ['explain', issue(1)],
  'env list': ['env', 'list'],
  'env show': ['env', 'show', 'dev'],
  enqueue: ['queue', 'enqueue', 'forge.test/me/app#9', 'a new task'],
}
let root: string
let outside: string
let pulse: Int32Array
let watch: Worker
beforeAll(() => {
  // In memory where that is possible: thousands of homes are made and synced.
  const memory = fs.existsSync('/dev/shm') ? '/dev/shm' : fs.realpathSync(os.tmpdir())
  root = fs.mkdtempSync(path.join(memory, 'kg-faults-'))
  outside = path.join(root, 'outside')
  pulse = new Int32Array(new SharedArrayBuffer(4))
  // Who waits at a pipe waits for ever, and no timer of this thread would tell: another one does.
  const guard = `const { workerData } = require('node:worker_threads')
    let last = -1
    setInterval(() => {
      const now = Atomics.load(workerData, 0)
      if (now === last) { process.stderr.write('a command hangs\\n'); process.kill(process.pid, 'SIGKILL') }
      last = now
    }, 120000)`
  watch = new Worker(guard, { eval: true, workerData: pulse })
})
afterAll(async () => {
  await watch.terminate()
  fs.rmSync(root, { recursive: true, force: true })
})

/** What lies somewhere, so that it can be told whether it still does. */
type Thing = { kind: string; content: string }

function thingAt(file: string): Thing | undefined {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false })
  if (stat === undefined) return undefined
  if (stat.isSymbolicLink()) return { kind: 'link', content: fs.readlinkSync(file) }
  if (stat.isDirectory()) return { kind: 'directory', content: fs.readdirSync(file).sort().join() }
  if (!stat.isFile()) return { kind: 'other', content: '' }
  if (stat.size > 10_000_000) return { kind: 'large', content: String(stat.size) }
  return { kind: 'file', content: fs.readFileSync(file, 'latin1') }
}

/** Whether it is still there, in its place or beside it under the name of what was set aside. */
function isKept(file: string, thing: Thing): boolean {
  if (!fs.existsSync(path.dirname(file))) return false // the spool, with its last file
  const names = fs.readdirSync(path.dirname(file)).filter((name) => name.startsWith(path.basename(file)))
  return names.some((name) => {
    const found = thingAt(path.join(path.dirname(file), name))
    return found?.kind === thing.kind && found.content.startsWith(thing.content) // a log may have grown
  })
}

/**
 * Whether it was understood, and changed as such: what kugetsu does not know of it has survived. A link is replaced by a
 * file, and what it points to stays (which is looked at elsewhere).
 */
function isUnderstood(file: string, thing: Thing, said: string): boolean {
  if (said.includes('cannot be understood')) return false
  const now = thingAt(file)
  if (now === undefined && isOfSpool(file)) return isTakenOver(file, thing)
  if (now === undefined) return /(?:server|booting)\.json$/.test(file) // of a server that is dead
  if (thing.kind === 'link') return now.kind === 'file'
  try {
    const [before, after] = [thing.content, now.content].map((text) => Object.keys(JSON.parse(text) as object))
    return before !== undefined && before.every((key) => after?.includes(key))
  } catch {
    return false
  }
}

function isOfSpool(file: string): boolean {
  return path.basename(path.dirname(file)) === 'notifications.new'
}

/** All that a file of the spool said is among the notifications. */
function isTakenOver(file: string, thing: Thing): boolean {
  try {
    const lines = fs.readFileSync(path.join(file, '../../activity.jsonl'), 'utf8').split('\n').filter(Boolean)
    const all = lines.map((line) => JSON.parse(line) as { id?: string })
    const said = JSON.parse(thing.content) as { id?: string }
    return JSON.stringify(all.find(({ id }) => id === said.id)) === JSON.stringify(said)
  } catch {
    return false
  }
}

const env = { PATH: '/usr/bin:/bin', HOME: '/nowhere', KUGETSU_OPENCODE: '/nowhere/opencode' }

/** Runs all commands in a home with this one file spoiled; what is wrong with how they went. */
async function problemsOf(file: StateFile, spoiling: Spoiling): Promise<string[]> {
  const home = path.join(root, 'home')
  fs.rmSync(home, { recursive: true, force: true })
  fs.rmSync(outside, { recursive: true, force: true })
  fs.mkdirSync(outside)
  makeFullHome(home)
  const place = path.join(home, file.name)
  fs.rmSync(place)
  spoiling.put(place, outside)
  const thing = thingAt(place)
  const targets = fs.readdirSync(outside).map((name) => [name, fs.readFileSync(path.join(outside, name), 'latin1')])
  const problems: string[] = []
  const answers = new Map<string, Called>()
  for (const [name, args] of Object.entries(commands)) {
    Atomics.add(pulse, 0, 1)
    const started = performance.now()
    const called = await callKugetsu(home, args, env)
    answers.set(name, called)
    const said = `${name} ended with ${called.code}: ${called.err}`
    if (performance.now() - started > 30_000) problems.push(`${name} took ${performance.now() - started} ms`)
    if (/unexpected/.test(called.err + called.out)) problems.push(said)
    const isError = called.code !== 0
    if (isError && !file.mayFail?.includes(name)) problems.push(said)
    const lines = called.out.startsWith('{\n  "error"') ? 1 : [...called.err.matchAll(/^Error: .+$/gm)].length
    if (isError && lines !== 1) problems.push(`not one line: ${said}`)
  }
  Atomics.add(pulse, 0, 1)
  const context = commandContext(home, env)
  const supervisor = createSupervisor(
    context,
    () => {},
    () => {},
  )
  await supervisor.tick().catch((error: unknown) => {
    if (!file.mayFail?.includes('tick')) problems.push(`a look of the daemon: ${String(error)}`)
  })
  supervisor.close()
  problems.push(...lostOf(file, answers))
  const said = [...answers.values(), context.called()].map(({ err }) => err).join('')
  const isLost = thing !== undefined && !isKept(place, thing) && !isUnderstood(place, thing, said)
  if (isLost && file.onlyName !== true) problems.push('its bytes are gone')
  const after = fs.readdirSync(outside).map((name) => [name, fs.readFileSync(path.join(outside, name), 'latin1')])
  if (JSON.stringify(after) !== JSON.stringify(targets))
    problems.push(`written out of the home: ${JSON.stringify(after)}`)
  return problems.map((problem) => `${file.name}, ${spoiling.what}: ${problem}`)
}

/** Whatever is not in the spoiled file has to be there as ever. */
function lostOf(file: StateFile, answers: Map<string, Called>): string[] {
  const problems: string[] = []
  const list = answers.get('list')
  if (list?.code === 0) {
    for (const number of [1, 2, 3].filter((each) => !file.issues?.includes(each))) {
      if (!list.out.includes(`"${issue(number)}"`)) problems.push(`${issue(number)} is not listed`)
    }
  }
  const tasks = answers.get('queue list')
  for (const id of queueIds.filter((each) => !file.tasks?.includes(each))) {
    if (tasks?.code === 0 && !tasks.out.includes(`"${id}"`)) problems.push(`${id} is not listed`)
  }
  return problems
}

it('knows every file of a home', () => {
  expect(forgottenPaths('/home')).toEqual([])
  expect(Object.values(pathsOf('/home')).length).toBeGreaterThan(20)
})

it('a home with nothing spoiled has nothing wrong', async () => {
  for (const file of stateFiles) {
    const sound = { what: 'as it was', put: (place: string) => fs.writeFileSync(place, file.content) }
    expect(await problemsOf({ ...file, mayFail: [], issues: [], tasks: [] }, sound)).toEqual([])
  }
})

it(
  'no spoiled file breaks a command, loses its bytes or hides the others',
  async () => {
    const problems: string[] = []
    let cases = 0
    const rounds = Math.max(1, Math.round(factor))
    for (let round = 0; round < rounds; round++) {
      const random = randomOf(seed + round)
      for (const [turn, file] of stateFiles.entries()) {
        // Of a single round each way to spoil meets every second file, and each file every second way.
        const isMet = (way: number) => factor > 1 || (turn + way) % 2 === 0
        for (const spoiling of spoilings(file.content, random).filter((_, way) => isMet(way))) {
          cases++
          problems.push(...(await problemsOf(file, spoiling)))
        }
      }
    }
    console.log(`${cases} bad files, seed ${seed}`)
    expect(cases).toBeGreaterThanOrEqual(1000)
    expect(problems, problems.slice(0, 20).join('\n')).toEqual([])
  },
  600_000 * Math.max(1, factor),
)

it(
  'the program itself takes a sample of them as calmly',
  async () => {
    const home = createHome()
    try {
      const random = randomOf(seed)
      const all = stateFiles.flatMap((file) => spoilings(file.content, random).map((spoiling) => ({ file, spoiling })))
      const sample = Array.from({ length: Math.round(16 * factor) }, () => all[Math.floor(random() * all.length)])
      const pipes = all.filter(
        ({ spoiling, file }) => spoiling.what === 'a pipe' && /^(config|index|servers)/.test(file.name),
      )
      const opencode = { KUGETSU_OPENCODE: '/nowhere/opencode' }
      const called = [
        ['list'],
        ['status'],
        ['queue', 'list'],
        ['start', issue(1), 'go on'],
        ['queue', 'clear', '--all'],
      ]
      for (const [turn, one] of [...sample, ...pipes].entries()) {
        if (one === undefined) continue
        fs.rmSync(home.kugetsuDir, { recursive: true, force: true })
        makeFullHome(home.kugetsuDir)
        const place = path.join(home.kugetsuDir, one.file.name)
        fs.rmSync(place)
        one.spoiling.put(place, home.cwd)
        Atomics.add(pulse, 0, 1)
        const args = called[turn % called.length] ?? []
        const { code, stderr, stdout } = await run(home, args, { env: opencode, timeoutMs: 60_000 })
        const about = `${one.file.name}, ${one.spoiling.what}: ${args.join(' ')} ended with ${code}\n${stdout}${stderr}`
        expect(code === 1 || (code === 0 && args[0] !== 'start'), about).toBe(true)
        expect(stderr, about).not.toMatch(/unexpected|^ +at /m)
        expect([...stderr.matchAll(/^Error: /gm)].length, about).toBe(code === 0 ? 0 : 1)
        for (const name of fs.readdirSync(home.cwd)) fs.rmSync(path.join(home.cwd, name), { recursive: true })
      }
    } finally {
      await home.cleanup()
    }
  },
  240_000 * Math.max(1, factor),
)
