import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Item } from '../../src/queue/item.ts'
import { createHome, type Home } from '../helpers/home.ts'
import { kugetsuCommand, programPath, run, runJson, runOk, spawnKugetsu } from '../helpers/kugetsu.ts'
import { daemonsOf, killQuietly, leftovers } from '../helpers/processes.ts'
import { waitFor } from '../helpers/wait-for.ts'

// The daemon and the files of the queue, without any agent: opencode is not started here.

const ref = 'forge.test/me/app#1'

let home: Home
beforeAll(() => {
  home = createHome()
  for (const directory of ['', 'queue/items']) fs.mkdirSync(at(directory), { recursive: true, mode: 0o700 })
  fs.writeFileSync(at('index.json'), index)
})
afterAll(() => home.cleanup())

/** A home that `kugetsu init` has been run in, as far as the queue can tell. */
const index = JSON.stringify({ base: 'ses_base', pm_agent: null, issues: {} })
const at = (...parts: string[]) => path.join(home.kugetsuDir, ...parts)
const log = () => fs.readFileSync(at('queue', 'daemon.log'), 'utf8')
const count = (text: string) => log().split(text).length - 1
const status = async () =>
  (await runJson<{ running: boolean; dispatching: boolean; pid: number }>(home, ['queue-daemon', 'status', '--json']))
    .json
const daemons = () => daemonsOf(home.root)

describe('daemons started at the same instant', () => {
  const rounds = Array.from({ length: 20 }, (_, round) => round)

  it('twenty times, twice at once: one lives, and is gone when it is stopped', async () => {
    for (const round of rounds) {
      await Promise.all([runOk(home, ['queue-daemon', 'start']), runOk(home, ['queue-daemon', 'start'])])
      // Those that were started have been by now, so their number only goes down.
      const [one] = await waitFor(`one daemon in round ${round}`, () => daemons().length === 1 && daemons())
      expect(await status()).toMatchObject({ dispatching: true, pid: one?.pid })
      await runOk(home, ['queue-daemon', 'stop'])
      expect(leftovers(home.root), `round ${round}`).toEqual([])
    }
  })

  it('one in the foreground beside it: that one lives', async () => {
    for (const round of rounds.slice(0, 8)) {
      const running = spawnKugetsu(home, ['queue-daemon', 'run'])
      await runOk(home, ['queue-daemon', 'start'])
      const isAlone = () => daemons().length === 1 && daemons()[0]?.pid === running.pid
      await waitFor(`the one in the foreground alone in round ${round}`, isAlone)
      await waitFor('its answer', async () => (await status()).pid === running.pid)
      expect((await running.kill('SIGTERM')).code, running.stdout()).toBe(0)
      expect(leftovers(home.root), `round ${round}`).toEqual([])
    }
    await runOk(home, ['queue-daemon', 'stop'])
  })

  it.skipIf(!programPath.endsWith('.js'))('is told from one of the build that is installed since', async () => {
    const copy = path.join(home.root, 'upgraded')
    const root = path.dirname(path.dirname(programPath))
    for (const name of ['bin', 'dist', 'package.json']) {
      fs.cpSync(path.join(root, name), path.join(copy, name), { recursive: true })
    }
    fs.symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'))
    const upgraded = { command: [process.execPath, path.join(copy, 'bin', 'kugetsu.js')] as const }
    await runOk(home, ['queue-daemon', 'start'])
    expect((await runOk(home, ['status'])).stdout).not.toContain('another build')
    expect((await runOk(home, ['status'], upgraded)).stdout).toContain(
      'of another build: kugetsu queue-daemon restart\n',
    )
    await runOk(home, ['queue-daemon', 'restart'], upgraded)
    expect((await runOk(home, ['status'], upgraded)).stdout).not.toContain('another build')
    await runOk(home, ['queue-daemon', 'stop'])
  })

  it('in the foreground of a home without init: it says so, and waits', async () => {
    const fresh = createHome()
    try {
      const running = spawnKugetsu(fresh, ['queue-daemon', 'run'])
      await waitFor('what it says', () => running.stdout().includes('not initialised'))
      const { code } = await running.kill('SIGTERM')
      expect({ code, lines: running.stdout().replace(/^\S+ /gm, '').split('\n') }).toEqual({
        code: 0,
        lines: [
          'takes tasks from the queue, at most 3 agents at a time',
          'kugetsu is not initialised, so there are none yet; run "kugetsu init"',
          'ended; running agents continue',
          '',
        ],
      })
    } finally {
      await fresh.cleanup()
    }
  })
})

describe('a pid file that names another program by now', () => {
  it('is nothing to go by: that program is left alone, and the daemon starts', async () => {
    const other = spawn('sleep', ['1000'], { stdio: 'ignore' })
    await once(other, 'spawn')
    try {
      fs.writeFileSync(at('queue', 'daemon.pid'), `${other.pid}\n`)
      fs.writeFileSync(at('queue', 'daemon.sock'), '')
      expect(await status()).toMatchObject({ running: false, pid: null })
      await runOk(home, ['queue-daemon', 'stop'])
      await runOk(home, ['queue-daemon', 'start'])
      const { running, pid } = await status()
      expect({ running, pid }).toEqual({ running: true, pid: daemons()[0]?.pid })
      expect(fs.readFileSync(at('queue', 'daemon.pid'), 'utf8')).toBe(`${pid}\n`)
      // Killed, it leaves just such a file behind.
      killQuietly(pid)
      await waitFor('its end', () => daemons().length === 0)
      fs.writeFileSync(at('queue', 'daemon.pid'), `${other.pid}\n`)
      await runOk(home, ['queue-daemon', 'restart'])
      await runOk(home, ['queue-daemon', 'stop'])
      expect([other.exitCode, other.signalCode]).toEqual([null, null])
    } finally {
      other.kill('SIGKILL')
      await once(other, 'exit')
    }
  })
})

describe('a daemon that runs for long', () => {
  it('names what it cannot read once, and sweeps away what killed writers left', async () => {
    fs.writeFileSync(at('queue', 'items', 'q_1.json'), '{"id":"q_1","state":"pen')
    fs.writeFileSync(at('queue', 'items', 'q_2.json'), '')
    fs.mkdirSync(at('queue', 'items', 'q_3.json'))
    fs.mkdirSync(at('sessions', 'forge.test-me-app-7.json'), { recursive: true })
    fs.symlinkSync('forge.test-me-app-8.json', at('sessions', 'forge.test-me-app-8.json')) // to itself: not to be read
    const gone = Number(execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }))
    const litter = [at('queue', 'items', `.q_9.json.${gone}.abc`), at('sessions', `.x.json.${gone}.abc`)]
    for (const file of litter) {
      fs.writeFileSync(file, '{"half')
      fs.utimesSync(file, 1_700_000_000, 1_700_000_000)
    }
    await runOk(home, ['queue-daemon', 'start'])
    const names = ['q_1.json', 'q_2.json', 'q_3.json', 'app-7.json', 'app-8.json']
    await waitFor('all to be named', () => names.every((name) => count(name) > 0))
    // Each wakes it up, and so makes it look at everything again.
    for (let look = 0; look < 5; look++) await runOk(home, ['queue-daemon', 'start'])
    fs.writeFileSync(at('queue', 'items', 'q_4.json'), 'the last')
    await runOk(home, ['queue-daemon', 'start'])
    await waitFor('another look', () => count('q_4.json is no task') === 1)
    for (const name of names) {
      const told = [`${name} is no task and`, `${name} cannot be understood and`, `${name}: ELOOP`]
      expect(
        told.map(count).reduce((sum, each) => sum + each),
        name,
      ).toBe(1)
    }
    expect(litter.filter((file) => fs.existsSync(file))).toEqual([])
    expect(fs.existsSync(at('sessions', 'forge.test-me-app-7.json'))).toBe(false)
    fs.rmSync(at('sessions', 'forge.test-me-app-8.json'))
  })

  it('keeps the last good configuration while a value makes no sense, and says so once', async () => {
    const bad = '"lots" (from '
    fs.writeFileSync(at('config'), 'MAX_CONCURRENT_AGENTS=lots\n')
    await waitFor('it to be told', () => count(bad) === 1)
    expect(log()).toMatch(
      /the configuration is invalid, so the last valid one stays: MAX_CONCURRENT_AGENTS is "lots" \(from .*\), but must be/,
    )
    const refused = await run(home, ['queue-daemon', 'start'])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/^Error: MAX_CONCURRENT_AGENTS is "lots" [^\n]+\nHint: [^\n]+\n$/)
    expect(await status()).toMatchObject({ dispatching: true })
    fs.writeFileSync(at('config'), 'MAX_CONCURRENT_AGENTS=4\n')
    await waitFor('it to be told', () => count('the configuration is valid again') === 1)
    fs.writeFileSync(at('config'), 'MAX_CONCURRENT_AGENTS = 4\n')
    await waitFor('the line that is not understood', () => count('is not an assignment') === 1)
    expect(count(bad)).toBe(1)
    fs.rmSync(at('config'))
    await waitFor('it to be told', () => count('the configuration is valid again') === 2)
  })

  it('has a log that can be followed, until that is interrupted', async () => {
    const following = spawnKugetsu(home, ['queue-daemon', 'logs', '1', '-f'])
    await waitFor('the last line', () => following.stdout().includes('is valid again'))
    fs.writeFileSync(at('queue', 'items', 'q_5.json'), 'one more')
    await runOk(home, ['queue-daemon', 'start'])
    await waitFor('the new line', () => following.stdout().includes('q_5.json is no task'))
    // As much as months of work write: it is rotated under the daemon and whoever follows it.
    const much = 60_000
    fs.appendFileSync(at('queue', 'daemon.log'), `${'x'.repeat(99)}\n`.repeat(much))
    fs.writeFileSync(at('queue', 'items', 'q_6.json'), 'and one more')
    await runOk(home, ['queue-daemon', 'start'])
    await waitFor('the line after that', () => following.stdout().includes('q_6.json is no task'))
    expect(log()).not.toContain('xxx')
    expect(fs.readFileSync(at('queue', 'daemon.log.1'), 'utf8')).toContain('q_5.json is no task')
    const { code, stdout } = await following.kill('SIGINT')
    expect(code).toBe(130)
    expect(stdout.trimEnd().split('\n')).toHaveLength(3 + much)
    await runOk(home, ['queue-daemon', 'stop'])
  })
})

// One executable file has it all in itself.
describe.skipIf(!programPath.endsWith('.js'))('a daemon whose program is replaced', () => {
  const own = () => path.join(home.root, 'program')
  const shared = fileURLToPath(new URL('../..', import.meta.url))
  beforeEach(() => {
    for (const name of ['bin', 'dist', 'package.json']) {
      fs.cpSync(path.join(shared, name), path.join(own(), name), { recursive: true })
    }
    fs.symlinkSync(path.join(shared, 'node_modules'), path.join(own(), 'node_modules'))
  })
  afterEach(() => fs.rmSync(own(), { recursive: true }))

  it.each(['start', 'run'])('goes on with what it was started from (%s)', async (how) => {
    const command = [process.execPath, path.join(own(), 'bin', 'kugetsu.js')] as const
    const running = how === 'run' ? spawnKugetsu(home, ['queue-daemon', 'run'], { command }) : undefined
    if (running === undefined) await runOk(home, ['queue-daemon', 'start'], { command })
    await waitFor('it to run', async () => (await status()).dispatching)
    fs.renameSync(path.join(own(), 'dist'), path.join(own(), 'dist.before'))
    await runOk(home, ['queue', 'enqueue', ref, 'a task'])
    // Without a base session nothing can be started, which is what is told by the part that starts agents.
    const said = () => running?.stdout() ?? log()
    await waitFor('the task to be tried', () => /forge\.test\/me\/app#1: .*; it is retried/.test(said()))
    expect(said()).not.toMatch(/Cannot find|ENOENT.*dist/)
    await (running === undefined ? runOk(home, ['queue-daemon', 'stop']) : running.kill('SIGTERM'))
    await runOk(home, ['queue', 'clear', '--all'])
  })
})

describe('an enqueue without room for it', () => {
  const long = 'x'.repeat(200_000)
  const clear = /^Error: cannot write [^\n]+\nHint: [^\n]+\n$/

  it('in a file says so and leaves nothing', async () => {
    const before = (await runJson<Item[]>(home, ['queue', 'list', '--json'])).json
    const files = fs.readdirSync(at('queue', 'items'))
    // No file may grow beyond 16 KiB, which fails in the middle of a write as a full disk does.
    const script = 'ulimit -f 16; exec "$@"'
    const child = spawn(
      'bash',
      ['-c', script, 'bash', ...kugetsuCommand, 'queue', 'enqueue', ref, long.slice(0, 100_000)],
      {
        cwd: home.cwd,
        env: home.env,
      },
    )
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    const [code] = (await once(child, 'close')) as [number]
    expect(stderr).toMatch(clear)
    expect(code).toBe(1)
    expect(fs.readdirSync(at('queue', 'items'))).toEqual(files)
    expect((await runJson<Item[]>(home, ['queue', 'list', '--json'])).json).toEqual(before)
  })

  const mounts = canMount()
  it.skipIf(mounts !== true)(
    `on the disk loses nothing, and goes well when there is${mounts === true ? '' : ` (skipped: ${mounts})`}`,
    () => {
      // A disk of its own, seen by this script alone: 1 MB of which all but some pages are taken.
      const script = `
      mount -t tmpfs -o size=1m kugetsu-test "$KUGETSU_DIR" && cd "$KUGETSU_DIR" && mkdir queue
      printf %s "$INDEX" > index.json
      kugetsu() { $PROGRAM "$@"; echo "exit $?"; }
      kugetsu queue enqueue ${ref} first
      dd if=/dev/zero of=filler bs=1k count=900 status=none
      echo "$LONG" | kugetsu queue enqueue ${ref} - 2>&1
      dd if=/dev/zero of=filler2 bs=1k status=none 2> /dev/null
      kugetsu queue enqueue ${ref} second 2>&1
      kugetsu queue list
      ls -A queue/items
      rm filler filler2
      kugetsu queue enqueue ${ref} third
      kugetsu queue list`
      const said = execFileSync('unshare', ['-m', 'bash', '-c', script], {
        cwd: home.cwd,
        env: { ...home.env, PROGRAM: kugetsuCommand.join(' '), INDEX: index, LONG: long.slice(0, 120_000) },
        encoding: 'utf8',
      })
      const full = `Error: cannot write [^\\n]+ENOSPC[^\\n]+\\nHint: The disk is full[^\\n]+\\nexit 1\\n`
      const listed = (...words: string[]) =>
        `ID[^\\n]+\\n${words.map((word) => `q_[^\\n]+ ${word}\\n`).join('')}exit 0\\n`
      const queued = 'Queued [^\\n]+\\nexit 0\\n'
      const all = [queued, full, full, listed('first'), 'q_\\d+\\.json\\n', queued, listed('first', 'third')]
      expect(said).toMatch(new RegExp(`^${all.join('')}$`))
    },
  )
})

it('leaves no process behind', async () => {
  await home.cleanup()
  expect(leftovers(home.root)).toEqual([])
})

/** True, or why not. */
function canMount(): true | string {
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'pipe' })
    return true
  } catch (error) {
    return `no file system can be mounted here: ${String(error).split('\n').at(-2) ?? ''}`
  }
}
