/**
 * What a machine runs out of: a real disk that is full or read-only, file handles, the network. Each command must say so
 * in one line and leave what is there as it is, and work again as soon as there is enough.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import * as net from 'node:net'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { identify } from '../../src/platform/processes.ts'
import { programPath, spawnKugetsu, type Finished } from '../helpers/kugetsu.ts'
import { daemonsOf, killAndWait, leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

/** One error and what to do about it, warnings before it perhaps; nothing that calls itself a defect. */
const oneError = /^(?:(?!Error: |.*unexpected: ).*\n)*Error: (?!unexpected: ).+\n(?:Hint: .+\n)?$/

let stage: Stage
beforeAll(async () => {
  stage = await setStage()
  await stage.ok(['start', ref(1), 'BASH{{echo one > one.txt}} SAY{{one}}', '--wait'])
  await stage.ok(['start', ref(2), 'BASH{{echo two > two.txt}} SAY{{two}}', '--wait'])
  await stage.ok(['env', 'set', 'FIRST', 'value', 'dev'])
})
afterAll(() => stage.cleanup())

const at = (...parts: string[]) => path.join(stage.home.kugetsuDir, ...parts)

/** No daemon, no server: whatever a command needs it has to start itself. */
async function quiet(): Promise<void> {
  await stage.ok(['queue-daemon', 'stop'])
  const server = stage.server()
  if (server !== undefined && identify(server.pid) !== undefined) await killAndWait(-server.pid)
}

/** A world of its own for commands: `setup` is run in new namespaces, and commands join it. */
async function startWorld(flags: string[], setup: string) {
  const script = `set -e; ${setup}; echo ready; exec sleep 3600`
  const holder = spawn('unshare', [...flags, 'bash', '-c', script], {
    env: stage.home.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [holder.stdout, holder.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text))
  await waitFor('the other world', () => {
    if (holder.exitCode !== null) throw new Error(said)
    return said.includes('ready')
  })
  const join = (program: string, args: string[]) =>
    ['nsenter', '-t', `${holder.pid}`, ...flags, program, ...args] as const
  return {
    sh: (command: string) => {
      const [program, ...args] = join('bash', ['-c', command])
      return execFileSync(program, args, { env: stage.home.env, encoding: 'utf8', cwd: stage.home.cwd })
    },
    kugetsu: (args: string[]) => finish(join(process.execPath, [programPath, ...args])),
    /** Where the world's files are seen from here. */
    root: `/proc/${holder.pid}/root`,
    end: () => killAndWait(holder.pid ?? 0),
  }
}

async function finish([program, ...args]: readonly [string, ...string[]]): Promise<Finished> {
  const child = spawn(program, args, { env: stage.home.env, cwd: stage.home.cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const timer = setTimeout(() => child.kill('SIGKILL'), 120_000)
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  return { code, stdout, stderr }
}

/** All that counts as state, by path: no logs, no locks, no journal. */
function state(home: string): Record<string, string> {
  const found: Record<string, string> = {}
  const look = (directory: string) => {
    for (const name of fs.existsSync(directory) ? fs.readdirSync(directory) : []) {
      const file = path.join(directory, name)
      if (fs.statSync(file).isFile()) found[path.relative(home, file)] = fs.readFileSync(file, 'utf8')
    }
  }
  for (const each of ['sessions', 'queue/items', 'env', 'slots', 'context', 'worktrees/forge.test-me-app-1']) {
    look(path.join(home, each))
  }
  for (const each of ['index.json', 'activity.jsonl', 'activity-read.json', 'servers.json']) {
    if (fs.existsSync(path.join(home, each))) found[each] = fs.readFileSync(path.join(home, each), 'utf8')
  }
  return found
}

const commands: [string, string[]][] = [
  ['start', ['start', ref(20), 'SAY{{twenty}}']],
  ['continue', ['continue', ref(1), 'SAY{{go on}}']],
  ['enqueue', ['queue', 'enqueue', ref(21), 'SAY{{twenty-one}}']],
  ['env set', ['env', 'set', 'SECOND', 'value', 'dev']],
  ['notify clear', ['notify', 'clear']],
  ['queue-daemon start', ['queue-daemon', 'start']],
  ['destroy', ['destroy', ref(2), '--force', '--yes']],
]
const readers = [['list'], ['status'], ['queue', 'list'], ['notify', 'list'], ['explain', ref(1)], ['logs', ref(1)]]

const may = (flags: string[], command: string): boolean => {
  try {
    execFileSync('unshare', [...flags, 'bash', '-c', command], { stdio: 'pipe' })
    execFileSync('nsenter', ['--version'], { stdio: 'pipe' })
    return true
  } catch {
    return false
  }
}
const mounts = may(['-m'], 'mount -t tmpfs none /mnt')
const unless = (allowed: boolean) => (allowed ? '' : ' (skipped: not allowed on this machine)')

type World = Awaited<ReturnType<typeof startWorld>>

/** In a home that cannot be written: what is odd about what the commands say and do. */
async function oddRefusals(world: World, home: string): Promise<object[]> {
  const odd: object[] = []
  const before = state(home)
  for (const [name, args] of commands) {
    const { code, stderr } = await world.kugetsu(args)
    const says = oneError.test(stderr) && /ENOSPC|EROFS|disk is full|[Rr]ead-only|cannot write|cannot lock/.test(stderr)
    const after = state(home)
    const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
      (each) => before[each] !== after[each],
    )
    const daemons = daemonsOf(stage.home.root)
    if (code !== 1 || !says || changed.length > 0 || daemons.length > 0)
      odd.push({ name, code, stderr, changed, daemons })
  }
  for (const args of readers) {
    const { code, stderr } = await world.kugetsu(args)
    if (code !== 0) odd.push({ args, code, stderr })
  }
  return odd
}

/** In a home that can be written again: the commands that still fail. */
async function stillRefused(world: World): Promise<object[]> {
  const odd: object[] = []
  for (const args of [...commands.map(([, each]) => each), ['wait', ref(20), ref(1)]]) {
    const { code, stderr } = await world.kugetsu(args)
    if (code !== 0) odd.push({ args, code, stderr })
  }
  await waitFor('the task from the queue', async () =>
    /completed/.test((await world.kugetsu(['queue', 'list'])).stdout),
  )
  await world.kugetsu(['queue-daemon', 'stop'])
  const servers = leftovers(stage.home.root).filter(({ command }) => / serve /.test(command))
  for (const { pid } of servers) if (identify(pid) !== undefined) await killAndWait(-pid)
  return odd
}

describe.skipIf(!mounts)(`a full disk${unless(mounts)}`, () => {
  let world: World
  const home = () => `${world.root}${stage.home.kugetsuDir}`
  beforeAll(async () => {
    await quiet()
    const copy = `cp -a "$KUGETSU_DIR" "$HOME/copy"; mount -t tmpfs -o size=40m kugetsu-test "$KUGETSU_DIR"; chmod 700 "$KUGETSU_DIR"; cp -a "$HOME/copy/." "$KUGETSU_DIR"; rm -rf "$HOME/copy"`
    world = await startWorld(['-m'], copy)
    world.sh(
      'cd "$KUGETSU_DIR"; dd if=/dev/zero of=filler bs=64k status=none 2>/dev/null; dd if=/dev/zero of=filler2 bs=1 status=none 2>/dev/null; true',
    )
  })
  afterAll(() => world?.end())
  it('is told of in one line, with nothing half done; what only reads works', async () => {
    expect(await oddRefusals(world, home())).toEqual([])
  })
  it('goes on when there is room', async () => {
    world.sh('cd "$KUGETSU_DIR"; rm filler filler2')
    expect(await stillRefused(world)).toEqual([])
  })
})

describe.skipIf(!mounts)(`a read-only disk${unless(mounts)}`, () => {
  let world: World
  beforeAll(async () => {
    await quiet()
    world = await startWorld(
      ['-m'],
      'mount --bind "$KUGETSU_DIR" "$KUGETSU_DIR"; mount -o remount,bind,ro "$KUGETSU_DIR"',
    )
  })
  afterAll(() => world?.end())
  it('is told of in one line, with nothing half done; what only reads works', async () => {
    expect(await oddRefusals(world, stage.home.kugetsuDir)).toEqual([])
  })
  it('goes on when it can be written', async () => {
    world.sh('mount -o remount,bind,rw "$KUGETSU_DIR"')
    expect(await stillRefused(world)).toEqual([])
  })
})

describe('few file handles', () => {
  const limits = [12, 16, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28, 30, 33, 36, 44, 52]
  const limited = (limit: number, args: string[]) =>
    finish(['bash', '-c', `ulimit -n ${limit}; exec "$@"`, 'bash', process.execPath, ...args])

  it('end a command in one line, or it works; nothing is torn', async () => {
    await quiet()
    let [worked, refused] = [0, 0]
    const odd: object[] = []
    for (const limit of limits) {
      const isEnough = (await limited(limit, [programPath, '--version'])).code === 0
      for (const args of [
        ['env', 'set', `N${limit}`, 'x', 'dev'],
        ['queue', 'enqueue', ref(30), 'x'],
        ['list'],
        ['notify', 'clear'],
        ['start', ref(31), 'x'],
      ]) {
        const { code, stderr } = await limited(limit, [programPath, ...args])
        if (!isEnough) continue // not even Node starts, or finds its modules
        if (code === 0) worked++
        else refused++
        if (code !== 0 && !(code === 1 && oneError.test(stderr))) odd.push({ limit, args, code, stderr })
      }
    }
    expect(odd).toEqual([])
    expect(worked).toBeGreaterThan(10)
    expect(stage.slots().filter((name) => !name.endsWith('.run')).length).toBeLessThanOrEqual(2)
    await stage.kugetsu(['wait', ref(31)])
    expect(stage.slots()).toEqual([])
    expect(Object.values(state(stage.home.kugetsuDir)).filter((text) => text === '')).toEqual([])
    const { stdout } = await stage.kugetsu(['queue', 'list', '--json'])
    for (const { id } of JSON.parse(stdout) as { id: string }[]) await stage.kugetsu(['queue', 'remove', id])
    console.log(`few file handles: ${worked} worked, ${refused} refused`)
  })
})

describe('the network', () => {
  const blocked = may(['-n'], 'true')

  it.skipIf(!blocked)(`is not there: a start says so and leaves nothing${unless(blocked)}`, async () => {
    await quiet()
    // opencode talks over loopback, so that is there; a route to anywhere else is not.
    const up = may(['-n'], 'ip link set lo up') ? 'ip link set lo up' : 'true'
    stage.git.createRepository('me/far')
    await stage.ok(['server', 'add', 'far.test', 'git://192.0.2.1'])
    const world = await startWorld(['-n'], up)
    try {
      const { code, stderr } = await world.kugetsu(['start', 'far.test/me/far#1', 'SAY{{never}}'])
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(oneError) })
      expect(stderr).toContain('host unreachable')
      expect(fs.readdirSync(at('worktrees')).filter((name) => name.startsWith('far'))).toEqual([])
      expect(stage.slots()).toEqual([])
    } finally {
      await world.end()
      for (const { pid } of leftovers(stage.home.root))
        if (identify(pid) !== undefined) await killAndWait(pid).catch(() => {})
    }
    await stage.ok(['start', ref(40), 'SAY{{near}}', '--wait'])
  })

  it('is slow: a start takes its time and works; where it stands still, a start can be interrupted', async () => {
    stage.git.createRepository('me/slow', { 'large.txt': Array.from({ length: 4000 }, () => Math.random()).join('\n') })
    const line = await slowLine(stage.git.port, 40_000)
    try {
      await stage.ok(['server', 'add', 'slow.test', `git://127.0.0.1:${line.port}`])
      const began = performance.now()
      await stage.ok(['start', 'slow.test/me/slow#1', 'BASH{{wc -l large.txt > lines.txt}} SAY{{slow}}', '--wait'])
      // 35 kB at the least, at 40 kB a second: the line was used, and it was slow.
      expect(line.passed()).toBeGreaterThan(30_000)
      expect(performance.now() - began).toBeGreaterThan(500)

      line.stall()
      const start = spawnKugetsu(stage.home, ['start', 'slow.test/me/slow#2', 'SAY{{never}}'])
      await waitFor('it to wait for the line', () => line.waiting() > 0)
      const { code, stderr } = await start.kill('SIGINT')
      expect({ code, stderr }).toMatchObject({ code: 130 })
      expect(fs.existsSync(at('worktrees', 'slow.test-me-slow-2'))).toBe(false)
      expect(stage.slots()).toEqual([])
      line.flow()
      await stage.ok(['start', 'slow.test/me/slow#2', 'SAY{{at last}}', '--wait'])
    } finally {
      await line.close()
    }
  })
})

/** A line to a port of this machine that lets so many bytes a second through, or none. */
async function slowLine(port: number, bytesPerSecond: number) {
  let [passed, stalled, waiting] = [0, false, 0]
  const sockets = new Set<net.Socket>()
  const server = net.createServer((near) => {
    const far = net.connect(port, '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    }
    near.pipe(far)
    near.on('close', () => far.destroy())
    far.on('data', (bytes: Buffer) => {
      far.pause()
      const pass = () => {
        if (stalled) {
          waiting++
          return void setTimeout(pass, 100)
        }
        passed += bytes.length
        near.write(bytes)
        far.resume()
      }
      setTimeout(pass, (bytes.length / bytesPerSecond) * 1000)
    })
    far.on('end', () => near.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as net.AddressInfo).port,
    passed: () => passed,
    waiting: () => waiting,
    stall: () => (stalled = true),
    flow: () => (stalled = false),
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
