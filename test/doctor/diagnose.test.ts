import { spawn, spawnSync } from 'node:child_process'
import * as crypto from 'node:crypto'
import * as fs from 'node:fs'
import * as net from 'node:net'
import * as path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pass, type Check } from '../../src/doctor/check.ts'
import { allChecks, diagnose, repair, type Finding } from '../../src/doctor/diagnose.ts'
import { listen, socketPath } from '../../src/daemon/socket.ts'
import { currentProcess, identify, kill } from '../../src/platform/processes.ts'
import { tryExclusive } from '../../src/platform/locks.ts'
import { openSqlite } from '../../src/platform/sqlite.ts'
import { createServiceHome, type ServiceHome } from '../helpers/service-home.ts'
import { waitFor } from '../helpers/wait-for.ts'

let home: ServiceHome
beforeEach(() => {
  home = createServiceHome()
})
afterEach(() => home.cleanup())

const at = (...parts: string[]) => path.join(home.paths.home, ...parts)
const checkOf = (name: string) => allChecks.filter((check) => check.name === name)
const look = async (name: string): Promise<Finding> => {
  const [finding] = await diagnose(home, checkOf(name))
  if (finding === undefined) throw new Error(`no check ${name}`)
  return finding
}
/** Mends what a check has found, and looks again. */
const mend = async (name: string) => {
  const { done, failed } = await repair(home, [await look(name)], checkOf(name))
  return { done, failed, after: (await look(name)).status }
}

function write(file: string, content: unknown): void {
  fs.mkdirSync(path.dirname(at(file)), { recursive: true, mode: 0o700 })
  fs.writeFileSync(at(file), typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o600 })
}

function readJson(file: string): Record<string, unknown> {
  return JSON.parse(fs.readFileSync(at(file), 'utf8')) as Record<string, unknown>
}

const session = (number: number, more: object = {}) => ({
  type: 'forked',
  issue_ref: `forge.test/me/app#${number}`,
  opencode_session_id: `ses_${number}`,
  state: 'idle',
  ...more,
})

/** The pid of a process that has died. */
function deadPid(): number {
  const { pid } = spawnSync('true')
  if (identify(pid) !== undefined) throw new Error(`pid ${pid} lives again`)
  return pid
}

const dead = () => ({ ...currentProcess(), pid: deadPid(), start_time: '1' })

/** opencode's database, with these sessions. */
function database(...ids: string[]): string {
  const file = path.join(home.userHome, '.local', 'share', 'opencode', 'opencode.db')
  fs.mkdirSync(path.dirname(file), { recursive: true })
  const sqlite = openSqlite(file, { timeoutMs: 1000 })
  sqlite.exec(
    'CREATE TABLE IF NOT EXISTS session (id TEXT PRIMARY KEY, directory TEXT, project_id TEXT, permission TEXT)',
  )
  for (const id of ids) sqlite.run('INSERT INTO session (id) VALUES (?)', id)
  sqlite.close()
  return file
}

/** Everything under the home, with what it holds. */
function contents(directory = home.paths.home): string[] {
  return fs.readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(directory, entry.name)
    if (entry.isDirectory()) return [file, ...contents(file)]
    return [`${file} ${entry.isFile() ? crypto.createHash('sha256').update(fs.readFileSync(file)).digest('hex') : ''}`]
  })
}

describe('a look', () => {
  it('changes nothing, however broken what it looks at is', async () => {
    write('index.json', '{"base": ')
    write('sessions/forge.test-me-app-1.json', 'none')
    write('servers.json', '[]')
    write('repos.json', '7')
    write('queue/items/q_1.json', '{}')
    write('opencode/server.json', '{"pid": ')
    write('slots/a.slot', { issue_ref: 'x', session: 'y', owner: dead(), taken_at: '' })
    write('slots/b.held', '')
    write('slots/.c.slot.999999.zz', '')
    const before = contents()
    const findings = await diagnose(
      home,
      allChecks.filter(({ name }) => name !== 'git-servers'),
    )
    expect(contents()).toEqual(before)
    expect(home.warnings).toEqual([])
    const broken = findings.find(({ name }) => name === 'files')
    expect(broken).toMatchObject({
      status: 'fail',
      detail: expect.stringMatching(/ and 3 more cannot be understood$/),
    })
    for (const { status, hint } of findings) expect(hint === null).toBe(status === 'pass')
  })

  it('of a home that is not there makes none', async () => {
    fs.rmdirSync(home.paths.home)
    const findings = await diagnose(
      home,
      allChecks.filter(({ name }) => name !== 'git-servers' && name !== 'opencode'),
    )
    expect(fs.existsSync(home.paths.home)).toBe(false)
    expect(findings.filter(({ status }) => status !== 'pass').map(({ name, hint }) => [name, hint])).toEqual([
      ['base', 'kugetsu init'],
      ['pm-agent', 'kugetsu init'],
    ])
  })

  it('that breaks, or hangs, is a failure of that check alone', async () => {
    const checks: Check[] = [
      { name: 'good', look: () => pass('fine') },
      {
        name: 'broken',
        look: () => {
          throw new TypeError('x is not a function')
        },
      },
      { name: 'hangs', look: () => new Promise(() => {}) },
    ]
    const findings = await diagnose(home, checks, 50)
    expect(findings.map(({ name, status }) => [name, status])).toEqual([
      ['good', 'pass'],
      ['broken', 'fail'],
      ['hangs', 'fail'],
    ])
    expect(findings[1]?.detail).toBe('this check failed: x is not a function')
  })

  it('goes on with the other repairs when one cannot be done', async () => {
    const checks: Check[] = [
      { name: 'a', look: () => pass(''), fix: async () => Promise.reject(new Error('no')) },
      { name: 'b', look: () => pass(''), fix: async () => ['did b'] },
      { name: 'c', look: () => pass(''), fix: async () => ['did c'] },
    ]
    const found = (name: string, status: Finding['status']) => ({ name, status, detail: '', hint: '' })
    const findings = [found('a', 'fail'), found('b', 'warn'), found('c', 'pass')]
    expect(await repair(home, findings, checks)).toEqual({ done: ['did b'], failed: ['a: no'] })
  })
})

describe('the home', () => {
  it('is for its owner alone: secrets that others can read are a failure', async () => {
    expect((await look('home')).status).toBe('pass')
    write('logs/dev-ses_1.log', 'x')
    fs.chmodSync(at('logs/dev-ses_1.log'), 0o644)
    expect(await look('home')).toMatchObject({ status: 'warn', detail: expect.stringContaining('logs/dev-ses_1.log') })
    write('env/dev.env', 'export GITEA_TOKEN="x"\n')
    fs.chmodSync(at('env/dev.env'), 0o640)
    expect((await look('home')).status).toBe('fail')
    write('worktrees/a/file', 'of an agent')
    fs.chmodSync(at('worktrees/a/file'), 0o755)
    expect((await mend('home')).after).toBe('pass')
    expect(fs.statSync(at('env/dev.env')).mode & 0o777).toBe(0o600)
    expect(fs.statSync(at('worktrees/a/file')).mode & 0o777).toBe(0o755)
  })

  it('has a configuration that makes sense', async () => {
    write('config', 'QUEUE_DAEMON_BATCH_SIZE=3\n')
    expect(await look('config')).toMatchObject({
      status: 'warn',
      detail: expect.stringContaining('BATCH_SIZE is gone'),
    })
    write('config', 'MAX_CONCURRENT_AGENTS=many\n')
    expect(await look('config')).toMatchObject({ status: 'fail', detail: expect.stringContaining('many') })
    expect((await look('disk')).detail).toMatch(/^[\d.]+ [GM]iB free$/)
    // The value is told once, however many checks need it.
    expect((await diagnose(home)).filter(({ detail }) => detail.includes('many')).map(({ name }) => name)).toEqual([
      'config',
    ])
    write('config', 'MAX_CONCURENT_AGENTS=4\n')
    expect(await look('config')).toMatchObject({
      status: 'warn',
      detail: expect.stringContaining('Did you mean MAX_CONCURRENT_AGENTS?'),
    })
  })

  it('names files that were set aside, and never removes them', async () => {
    write('sessions/x.json.unreadable-20260101T000000000Z-1', 'bytes')
    const { detail, status } = await look('files')
    expect([status, detail]).toEqual(['warn', expect.stringContaining('sessions/x.json.unreadable-2026')])
    expect((await mend('files')).after).toBe('warn')
  })

  it('is cleared of what processes that died were writing, and of nothing else', async () => {
    const old = new Date(Date.now() - 3_600_000)
    const left = [`sessions/.a.json.${deadPid()}.abc`, `repos/h/o/.r.git.${deadPid()}-1.0123abcd.tmp/HEAD`]
    const kept = [
      `sessions/.a.json.${process.pid}.abc`,
      'sessions/a.json',
      'logs/.dev-ses_1.written',
      'repos/h/o/r.git/HEAD',
    ]
    for (const file of [...left, ...kept]) {
      write(file, 'x')
      fs.utimesSync(at(file), old, old)
    }
    write(`sessions/.b.json.${deadPid()}.abc`, 'just written')
    expect((await look('temporary')).detail).toMatch(/^2 files left/)
    const { done, after } = await mend('temporary')
    expect(done).toHaveLength(2)
    expect(after).toBe('pass')
    expect(left.map((file) => fs.existsSync(at(file)))).toEqual([false, false])
    expect(kept.map((file) => fs.existsSync(at(file)))).toEqual(kept.map(() => true))
    expect(fs.readdirSync(at('sessions')).filter((name) => name.startsWith('.b'))).toHaveLength(1)
  })
})

describe('sessions', () => {
  it('are put back into the index, and entries without a file taken out', async () => {
    write('index.json', {
      base: 'ses_b',
      issues: { 'forge.test/me/app#1': 'gone.json', 'forge.test/me/app#2': 'two.json' },
      mine: 1,
    })
    write('sessions/two.json', session(2))
    write('sessions/three.json', session(3))
    write('sessions/broken.json', '{')
    const found = await look('sessions')
    expect(found.status).toBe('warn')
    expect(found.detail).toBe('in the index without a file: forge.test/me/app#1; not in the index: forge.test/me/app#3')
    expect((await mend('sessions')).done).toEqual([
      'put forge.test/me/app#3 back into the index',
      'removed forge.test/me/app#1, which has no file, from it',
    ])
    expect(readJson('index.json')).toEqual({
      base: 'ses_b',
      issues: { 'forge.test/me/app#2': 'two.json', 'forge.test/me/app#3': 'three.json' },
      mine: 1,
    })
  })

  it('that opencode does not know any more are named', async () => {
    write('index.json', { issues: { 'forge.test/me/app#2': 'two.json' } })
    write('sessions/two.json', session(2))
    expect((await look('sessions')).status).toBe('pass') // without a database nothing is concluded
    database('ses_other')
    expect(await look('sessions')).toMatchObject({ status: 'warn', detail: expect.stringContaining('me/app#2') })
    database('ses_2')
    expect((await look('sessions')).status).toBe('pass')
  })

  it('of base and PM agent are found again where only the index or only the file was lost', async () => {
    database('ses_b', 'ses_p')
    write('index.json', { base: 'ses_b', pm_agent: null, issues: {} })
    write('sessions/pm-agent.json', { type: 'pm_agent', opencode_session_id: 'ses_p' })
    expect((await look('base')).status).toBe('fail')
    expect((await look('pm-agent')).status).toBe('fail')
    expect((await mend('base')).after).toBe('pass')
    expect((await mend('pm-agent')).after).toBe('pass')
    expect(readJson('index.json')).toMatchObject({ base: 'ses_b', pm_agent: 'ses_p' })
    expect(readJson('sessions/base.json')).toMatchObject({ type: 'base', opencode_session_id: 'ses_b' })
  })

  it('and worktrees belong to each other', async () => {
    write('index.json', { issues: {} })
    write('sessions/two.json', session(2, { worktree_path: at('worktrees', 'two') }))
    write('worktrees/two/file', 'x')
    expect((await look('worktrees')).status).toBe('pass')
    write('worktrees/stray/file', 'x')
    expect(await look('worktrees')).toMatchObject({
      status: 'warn',
      detail: 'without a session: stray',
      hint: 'kugetsu prune',
    })
    fs.rmSync(at('worktrees'), { recursive: true })
    expect(await look('worktrees')).toMatchObject({
      status: 'warn',
      hint: expect.stringContaining('continue forge.test/me/app#2'),
    })
  })
})

describe("opencode's database", () => {
  it('has to have the columns that kugetsu uses', async () => {
    expect((await look('database')).status).toBe('pass')
    write('index.json', { base: 'ses_b', issues: {} })
    expect(await look('database')).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('opencode database not found'),
    })
    const file = database('ses_b')
    expect((await look('database')).status).toBe('pass')
    const sqlite = openSqlite(file, { timeoutMs: 1000 })
    sqlite.exec('ALTER TABLE session RENAME COLUMN permission TO rules')
    sqlite.close()
    expect(await look('database')).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('no column permission'),
    })
    fs.writeFileSync(file, 'no database at all, but some text that is long enough to be read')
    expect((await look('database')).status).toBe('fail')
  })
})

describe('what the dead hold', () => {
  it('is given back: slots that no session names, and those of processes that died', async () => {
    const slot = (owner: object) => ({
      issue_ref: 'forge.test/me/app#1',
      session: 'one',
      owner,
      taken_at: '2026-05-01T00:00:00Z',
    })
    const run = { slot: 'good', message_ids: ['msg_1'], started_at: '', deadline_at: '', server: 'm' }
    write('sessions/one.json', session(1, { state: 'running', run }))
    for (const id of ['good', 'forgotten']) {
      write(`slots/${id}.slot`, slot(currentProcess()))
      write(`slots/${id}.held`, '')
      write(`slots/${id}.run`, '')
    }
    write('slots/died.slot', slot(dead()))
    expect((await look('slots')).status).toBe('warn')
    const { done, after } = await mend('slots')
    expect(done).toHaveLength(2)
    expect(after).toBe('pass')
    expect(fs.readdirSync(at('slots')).sort()).toEqual(['good.held', 'good.run', 'good.slot'])
  })

  it('is left alone while a session cannot be read, for it may have an agent at work', async () => {
    write('sessions/one.json', '{"run": ')
    write('slots/a.slot', { issue_ref: 'x', session: 'one', owner: currentProcess(), taken_at: '' })
    write('slots/a.run', '')
    expect((await mend('slots')).done).toEqual([])
    expect(fs.existsSync(at('slots', 'a.slot'))).toBe(true)
    expect(fs.readFileSync(at('sessions/one.json'), 'utf8')).toBe('{"run": ')
  })

  it('is cleared: the lock that orders the admissions, the file of a server, socket and pid of a daemon', async () => {
    fs.mkdirSync(at('slots', 'admission.lock'), { recursive: true })
    expect((await look('locks')).status).toBe('pass') // somebody may hold it
    const old = new Date(Date.now() - 60_000)
    fs.utimesSync(at('slots', 'admission.lock'), old, old)
    expect(await mend('locks')).toMatchObject({ after: 'pass', done: [expect.stringContaining('admission.lock')] })

    write('opencode/server.json', {
      ...dead(),
      password: 'p',
      version: '1.18.33',
      program: 'x',
      marker: 'gone',
      started_at: '',
      port: 1,
    })
    expect((await look('server')).status).toBe('warn')
    expect((await mend('server')).after).toBe('pass')

    fs.mkdirSync(path.dirname(socketPath(home)), { recursive: true, mode: 0o700 })
    // A socket whose listener is killed stays behind.
    const program = `require('net').createServer().listen(${JSON.stringify(socketPath(home))}, () => process.kill(process.pid, 'SIGKILL'))`
    spawnSync(process.execPath, ['-e', program])
    write('queue/daemon.pid', `${deadPid()}\n`)
    expect((await look('daemon')).detail).toContain('left by one that died')
    expect(await mend('daemon')).toMatchObject({ after: 'pass' })
    expect(fs.existsSync(socketPath(home)) || fs.existsSync(home.paths.daemonPid)).toBe(false)
  })

  it.runIf(process.platform === 'linux')('is ended: commands that outlived the server that ran them', async () => {
    const env = { ...process.env, KUGETSU_DIR: home.paths.home, KUGETSU_SERVER: 'of-a-dead-server' }
    const orphan = spawn('sleep', ['600'], { env, stdio: 'ignore' })
    const ended = new Promise((resolve) => orphan.once('exit', (_code, signal) => resolve(signal)))
    try {
      await waitFor('the orphan to be seen', async () => (await look('processes')).status === 'warn')
      expect((await look('processes')).detail).toContain(String(orphan.pid))
      expect((await mend('processes')).done).toEqual(['ended 1 command that had outlived the server'])
      expect(await ended).toBe('SIGKILL')
    } finally {
      kill(orphan.pid ?? 0)
    }
  })
})

describe('the daemon', () => {
  it('is missed when it was to take tasks and does not run, or when tasks wait', async () => {
    expect((await look('daemon')).status).toBe('pass')
    write('queue/items/q_1.json', { id: 'q_1', state: 'pending', issue_ref: 'forge.test/me/app#1', message: 'x' })
    expect(await look('daemon')).toMatchObject({ status: 'warn', hint: 'kugetsu queue-daemon start' })
    write('queue/dispatching', '')
    expect(await look('daemon')).toMatchObject({ status: 'fail', hint: 'kugetsu queue-daemon start' })
  })

  it('is waited for while it is just beginning: it holds its lock before it can answer', async () => {
    const release = tryExclusive(home.paths.daemonLock)
    const found = look('daemon')
    // So that the first look finds nobody. A test on a slow machine finds the daemon at once.
    await sleep(60)
    const socket = await listen(home, () => ({ ok: true, pid: process.pid, dispatching: true }))
    try {
      expect(await found).toMatchObject({ status: 'pass', detail: expect.stringContaining(`pid ${process.pid}`) })
    } finally {
      await socket.close()
      release?.()
    }
  })

  it('is said to be silent when it holds its lock and answers nobody', async () => {
    const release = tryExclusive(home.paths.daemonLock)
    expect(await look('daemon')).toMatchObject({ status: 'fail', detail: 'a daemon runs and does not answer' })
    release?.()
  })
})

describe('the output of commands', () => {
  it('is told of, and closed to others', async () => {
    expect(await look('output of commands')).toMatchObject({ status: 'pass' })
    const directory = path.join(home.userHome, '.local', 'share', 'opencode', 'tool-output')
    fs.mkdirSync(directory, { recursive: true })
    fs.chmodSync(directory, 0o755)
    fs.writeFileSync(path.join(directory, 'tool_1'), 'x')
    expect(await look('output of commands')).toMatchObject({
      status: 'warn',
      detail: `1 file, 1 MB in ${directory}, which other users can read`,
    })
    expect(await mend('output of commands')).toEqual({
      done: ['closed the output of commands to other users'],
      failed: [],
      after: 'pass',
    })
    expect(fs.statSync(directory).mode & 0o777).toBe(0o700)
    fs.truncateSync(path.join(directory, 'tool_1'), 3 * 1024 ** 3)
    expect(await look('output of commands')).toMatchObject({ status: 'warn', hint: expect.stringContaining('destroy') })
  })
})

describe('saved work', () => {
  it('is told of when it is old, and never removed by a repair', async () => {
    expect(await look('saved work')).toMatchObject({ status: 'pass', detail: '0 recovery points' })
    const mirror = at('repos', 'forge.test', 'me', 'app.git')
    const git = (...args: string[]) => {
      const who = ['-c', 'user.name=a', '-c', 'user.email=a@example.com']
      const { stdout, stderr, status } = spawnSync('git', [...who, ...args], { cwd: at(), encoding: 'utf8' })
      if (status !== 0) throw new Error(stderr)
      return stdout.trim()
    }
    git('init', '--quiet', '--bare', mirror)
    const tree = git('-C', mirror, 'mktree', '--missing', '-z')
    const commit = git('-C', mirror, 'commit-tree', '-m', 'saved', tree)
    const refs = ['2026-04-30T12-00-00-000Z', '2026-03-01T12-00-00-000Z'].map(
      (time) => `refs/kugetsu/recovery/forge.test-me-app-1/${time}`,
    )
    for (const name of refs) git('-C', mirror, 'update-ref', name, commit)
    expect(await look('saved work')).toMatchObject({
      status: 'warn',
      detail: '1 of 2 recovery points kept for over 30 days',
      hint: expect.stringContaining('kugetsu prune --force'),
    })
    expect(await mend('saved work')).toEqual({ done: [], failed: [], after: 'warn' })
    expect(git('-C', mirror, 'for-each-ref', '--format=%(refname)').split('\n')).toEqual(refs.toSorted())
  })
})

describe('git servers', () => {
  it('that do not answer are a warning, and nobody is asked for anything', async () => {
    const server = net.createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as net.AddressInfo
    await new Promise((resolve) => server.close(resolve))
    const folder = path.join(home.userHome, 'srv')
    const url = `git://127.0.0.1:${port}`
    write('config', 'DEFAULT_GIT_SERVER=disk\n')
    write('servers.json', {
      servers: [
        { name: 'dead', url },
        { name: 'disk', url: `file://${folder}` },
      ],
    })
    const found = await look('git-servers')
    expect(found.status).toBe('warn')
    expect(found.detail).toBe(`dead: host unreachable; disk: there is no ${folder}`)
    fs.mkdirSync(folder)
    write('servers.json', { servers: [{ name: 'disk', url: `file://${folder}` }] })
    expect(await look('git-servers')).toMatchObject({ status: 'pass', detail: 'disk answer' })
  })
})

it('names files of git that are empty, and mends them', async () => {
  const mirror = at('repos', 'forge.test', 'me', 'app.git')
  spawnSync('git', ['init', '--quiet', '--bare', mirror])
  expect(await look('git files')).toMatchObject({ status: 'pass' })
  fs.writeFileSync(path.join(mirror, 'HEAD'), '')
  const found = await look('git files')
  expect(found).toMatchObject({ status: 'fail', detail: `${mirror} has lost HEAD of the mirror` })
  expect(await mend('git files')).toMatchObject({ failed: [], after: 'pass' })
})

it('names what one agent has set for all worktrees, and undoes it', async () => {
  const mirror = at('repos', 'forge.test', 'me', 'app.git')
  spawnSync('git', ['init', '--quiet', '--bare', mirror])
  spawnSync('git', ['-C', mirror, 'config', 'user.email', 'bot@example.com'])
  const detail = `${mirror}: an agent has set for all worktrees: user.email=bot@example.com`
  expect(await look('git files')).toMatchObject({ status: 'fail', detail })
  expect(await mend('git files')).toMatchObject({ failed: [], after: 'pass' })
  fs.writeFileSync(path.join(mirror, 'config'), '[[[')
  expect(await look('git files')).toMatchObject({
    status: 'fail',
    detail: expect.stringContaining('bad config line 1'),
  })
})
