import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as net from 'node:net'
import * as path from 'node:path'
import { setImmediate as yieldOnce } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionView } from '../../src/sessions/status/session-view.ts'
import { startGitServer, type GitServer } from '../helpers/git-server.ts'
import { createHome, type Home } from '../helpers/home.ts'
import { run, runJson, runOk, spawnKugetsu, type Running } from '../helpers/kugetsu.ts'
import { startModel, type TestModel } from '../helpers/model.ts'
import { killAndWait, killQuietly, leftovers, serversOf } from '../helpers/processes.ts'
import { waitFor } from '../helpers/wait-for.ts'

// A limit of one, so that a slot that stays taken by a dead `start` stops everything.

let model: TestModel
let git: GitServer
let gate: Gate
let home: Home

beforeAll(async () => {
  model = await startModel()
  git = await startGitServer()
  gate = await startGate(git.port)
  for (const name of ['app', 'cloned', 'mirrored', 'interrupted']) git.createRepository(`me/${name}`)
  home = createHome({ modelUrl: model.url })
  await runOk(home, ['server', 'add', 'forge.test', gate.url])
  await runOk(home, ['init'])
  setLimit(1)
})
afterAll(async () => {
  await home.cleanup()
  await gate.close()
  await git.stop()
  await model.close()
})

const at = (...parts: string[]) => path.join(home.kugetsuDir, ...parts)
const entries = (...directory: string[]) => (fs.existsSync(at(...directory)) ? fs.readdirSync(at(...directory)) : [])
const nameOf = (ref: string) => ref.replaceAll(/[/#]/g, '-')
const slots = (kind = 'slot') => entries('slots').filter((name) => name.endsWith(`.${kind}`) && !name.startsWith('.'))
const commitScript = (word: string) =>
  `BASH{{echo ${word} > ${word}.txt && git add ${word}.txt && git commit -q -m "Add ${word}"}} SAY{{${word} done}}`

async function stateOf(ref: string): Promise<string | undefined> {
  const { json } = await runJson<SessionView[]>(home, ['list', '--all', '--json'])
  return json.find(({ issue_ref }) => issue_ref === ref)?.state
}

/** Looks as often as it can, and kills the process, and it alone, the moment it sees what it looks for. */
async function killOnce(running: Running, seen: () => boolean): Promise<void> {
  while (!isSeen(seen)) {
    if (running.child.exitCode !== null) throw new Error(`too late: ${running.stdout()}${running.stderr()}`)
    await yieldOnce()
  }
  const { code } = await running.kill('SIGKILL')
  expect(code, `it ended before it could be killed: ${running.stdout()}`).toBeNull()
}

function isSeen(seen: () => boolean): boolean {
  try {
    return seen()
  } catch {
    return false // not there yet
  }
}

/** A start of the issue whose agent would wait at the issue's gate. */
const startOf = (ref: string) => spawnKugetsu(home, ['start', ref, `GATE=gate-${idOf(ref)} SAY{{${taskOf(ref)}}}`])
const taskOf = (ref: string) => `the task of ${idOf(ref)}, which is never done twice`
const idOf = (ref: string) => ref.split('#')[1] ?? ''

/**
 * The next start of another issue gets the slot at once, unless the killed one has come so far that its agent is at
 * work; and the next start of the same issue does its work.
 */
async function expectFree(ref: string): Promise<void> {
  const other = `forge.test/me/app#9${idOf(ref)}`
  const next = await run(home, ['start', other, 'SAY{{next}}', '--wait'])
  expect([0, 2], next.stderr).toContain(next.code)
  if (next.code === 2) {
    await model.turn(taskOf(ref))
    model.release(`gate-${idOf(ref)}`)
    await runOk(home, ['wait', ref])
    await runOk(home, ['start', other, 'SAY{{next}}', '--wait'])
  }
  expect(model.turns(taskOf(ref)).length > 0).toBe(next.code === 2)
  await expectWorks(ref)
}

async function expectWorks(ref: string): Promise<void> {
  const word = `word-${idOf(ref)}`
  await runOk(home, ['start', ref, commitScript(word), '--wait'])
  const { json } = await runJson<SessionView[]>(home, ['list', '--json'])
  const view = json.find(({ issue_ref }) => issue_ref === ref)
  const [turn] = model.turns(word)
  expect(turn?.messages.map(({ text }) => text).join()).toContain(`You are assigned to ${ref}.`)
  const branch = `fix/issue-${idOf(ref)}`
  expect(view).toMatchObject({ state: 'idle', branch, last_error: null, worktree_path: at('worktrees', nameOf(ref)) })
  const ask = (...args: string[]) =>
    execFileSync('git', args, { cwd: view?.worktree_path ?? '', env: home.env, encoding: 'utf8' }).trim()
  expect(ask('log', '--format=%s', `refs/heads/${branch}`, '--')).toBe(`Add ${word}\nFirst commit`)
  expect(ask('rev-parse', '--abbrev-ref', 'HEAD')).toBe(branch)
  expect(ask('status', '--porcelain')).toBe('')
  expect(ask('worktree', 'list', '--porcelain')).not.toContain('locked')
  expect(slots()).toEqual([])
  expect(fs.readdirSync(at('worktrees')).filter((name) => name.startsWith('.'))).toEqual([])
}

function setLimit(limit: number): void {
  fs.writeFileSync(at('config'), `MAX_CONCURRENT_AGENTS=${limit}\n`)
}

/** Ends the daemon as a crash would. */
async function killDaemon(): Promise<void> {
  const pid = Number(fs.readFileSync(at('queue', 'daemon.pid'), 'utf8'))
  killQuietly(pid)
  await waitFor('the end of the daemon', () => leftovers(home.root).every((process) => process.pid !== pid))
}

describe('a start that is killed', () => {
  it.each([
    { when: 'its slot appears', ref: 'forge.test/me/app#1', seen: () => slots().length > 0 },
    {
      when: 'its mirror is there',
      ref: 'forge.test/me/mirrored#2',
      seen: () => has('repos/forge.test/me/mirrored.git'),
    },
    { when: 'its worktree appears', ref: 'forge.test/me/app#3', seen: () => has('worktrees/forge.test-me-app-3') },
    {
      when: 'its worktree is checked out',
      ref: 'forge.test/me/app#4',
      seen: () => has('worktrees/forge.test-me-app-4/README.md'),
    },
    { when: 'its session is on file', ref: 'forge.test/me/app#5', seen: () => hasSession('forge.test/me/app#5') },
    { when: 'its slot is handed over', ref: 'forge.test/me/app#6', seen: () => slots('run').length > 0 },
  ])('when $when, leaves nothing in the way', async ({ ref, seen }) => {
    await killOnce(startOf(ref), seen)
    await expectFree(ref)
    expect(slots()).toEqual([])
  })

  it('and is started again at once, does its work', async () => {
    setLimit(2)
    const refs = ['forge.test/me/app#21', 'forge.test/me/app#22', 'forge.test/me/app#23']
    const seen = [() => slots().length > 0, () => hasSession(refs[1] ?? ''), () => slots('run').length > 0]
    for (const [index, ref] of refs.entries()) {
      await killOnce(spawnKugetsu(home, ['start', ref, 'SAY{{first try}}']), seen[index] ?? (() => true))
      await expectWorks(ref)
    }
    setLimit(1)
    expect(slots()).toEqual([])
  })

  it('while no daemon runs, leaves nothing in the way either', async () => {
    await killDaemon()
    await killOnce(startOf('forge.test/me/app#7'), () => slots('run').length > 0)
    await expectFree('forge.test/me/app#7')
    expect(slots()).toEqual([])
  })

  it('while it clones, leaves nothing in the way, though its git still hangs', async () => {
    const ref = 'forge.test/me/cloned#8'
    gate.hold()
    const temporary = () => entries('repos', 'forge.test', 'me').filter((name) => name.startsWith('.cloned.git.'))
    await killOnce(startOf(ref), () => temporary().length > 0 && gate.held() > 0)
    gate.open()
    await expectFree(ref)
    expect(temporary()).toEqual([])
    gate.drop()
    await waitFor('the end of the git that hung', () =>
      leftovers(home.root).every(({ command }) => !/git/.test(command)),
    )
  })

  it.each([
    { daemon: 'lives', ref: 'forge.test/me/app#11' },
    { daemon: 'is killed too', ref: 'forge.test/me/app#12' },
  ])('leaves an agent at work, and its slot with it; the daemon $daemon', async ({ daemon, ref }) => {
    const script = `GATE=gate-${idOf(ref)} BASH{{echo late > late.txt}} SAY{{${taskOf(ref)}}}`
    const start = spawnKugetsu(home, ['start', ref, script, '--wait'])
    await killOnce(start, () => model.turns(taskOf(ref)).length > 0)
    // Older versions of opencode ask the model before they tell that they have the prompt.
    expect(['starting', 'running']).toContain(await stateOf(ref))
    const refused = await run(home, ['start', 'forge.test/me/app#99', 'SAY{{no room}}'])
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain(ref)

    if (daemon === 'is killed too') await killDaemon()
    model.release(`gate-${idOf(ref)}`)
    const worktree = at('worktrees', nameOf(ref))
    await waitFor('the work of the agent', () => has(`worktrees/${nameOf(ref)}/late.txt`))
    await runOk(home, ['wait', ref])
    expect(await stateOf(ref)).toBe('idle')
    fs.rmSync(path.join(worktree, 'late.txt'))
    await runOk(home, ['start', 'forge.test/me/app#99', 'SAY{{room again}}', '--wait'])
    await expectWorks(ref)
    expect(model.peakConversations()).toBe(1)
  })

  it('while it boots the opencode server, leaves nothing in the way', async () => {
    const server = () =>
      JSON.parse(fs.readFileSync(at('opencode', 'server.json'), 'utf8')) as { pid: number; port?: number }
    const old = server().pid
    await killAndWait(old)
    const ref = 'forge.test/me/app#13'
    await killOnce(startOf(ref), () => server().pid !== old && server().port === undefined)
    await expectFree(ref)
    expect(serversOf(home.root).map(({ pid }) => pid)).toEqual([server().pid])
  })
})

describe('a start that is interrupted while it clones', () => {
  it('takes back what it made and says 130', async () => {
    const ref = 'forge.test/me/interrupted#20'
    const before = { index: fs.readFileSync(at('index.json'), 'utf8'), worktrees: entries('worktrees') }
    gate.hold()
    const start = startOf(ref)
    await waitFor('the clone to hang', () => gate.held() > 0)
    expect(slots()).toHaveLength(1)
    const { code, stdout, stderr } = await start.kill('SIGINT')
    gate.open()

    expect(code).toBe(130)
    expect(stdout).toBe('')
    expect(stderr.trim().split('\n').at(-1)).toBe('Interrupted')
    expect(['slot', 'held', 'run'].flatMap((kind) => slots(kind))).toEqual([])
    expect(entries('repos', 'forge.test', 'me').filter((name) => name.includes('interrupted'))).toEqual([])
    expect(entries('sessions').filter((name) => name.includes('interrupted'))).toEqual([])
    expect(entries('worktrees')).toEqual(before.worktrees)
    expect(fs.readFileSync(at('index.json'), 'utf8')).toBe(before.index)
    expect(leftovers(home.root).filter(({ command }) => /git/.test(command))).toEqual([])
    gate.drop()
    await expectFree(ref)
  })
})

it('leaves no process behind', async () => {
  await home.cleanup()
  expect(leftovers(home.root)).toEqual([])
})

function has(file: string): boolean {
  return fs.existsSync(at(file))
}

/** Its file names the session of opencode, which it does only shortly before the agent gets its task. */
function hasSession(ref: string): boolean {
  const record = JSON.parse(fs.readFileSync(at('sessions', `${nameOf(ref)}.json`), 'utf8')) as SessionView
  return (record.opencode_session_id ?? undefined) !== undefined
}

interface Gate {
  url: string
  /** New connections are accepted and hear nothing from now on. */
  hold: () => void
  /** New connections go through to the git server; those that are held stay so. */
  open: () => void
  held: () => number
  /** Cuts the held connections off. */
  drop: () => void
  close: () => Promise<void>
}

/** A git server on another port that goes through to the one at `port`, or hangs. */
async function startGate(port: number): Promise<Gate> {
  let holding = false
  const held = new Set<net.Socket>()
  const all = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    all.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      all.delete(socket)
      held.delete(socket)
    })
    if (holding) {
      held.add(socket)
      socket.resume()
      return
    }
    const through = net.connect(port, '127.0.0.1')
    through.on('error', () => socket.destroy())
    socket.on('close', () => through.destroy())
    socket.pipe(through).pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address() as net.AddressInfo
  return {
    url: `git://127.0.0.1:${address.port}`,
    hold: () => (holding = true),
    open: () => (holding = false),
    held: () => held.size,
    drop: () => held.forEach((socket) => socket.destroy()),
    close: () =>
      new Promise((resolve) => {
        for (const socket of all) socket.destroy()
        server.close(() => resolve())
      }),
  }
}
