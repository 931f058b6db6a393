import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { processesWith } from '../../src/platform/processes.ts'
import { startGitServer, type GitServer } from './git-server.ts'
import { createHome, type Home } from './home.ts'
import { killQuietly, leftovers } from './processes.ts'
import { waitFor } from './wait-for.ts'

let home: Home

beforeEach(() => {
  home = createHome()
})

afterEach(() => home.cleanup())

describe('a git server', () => {
  let server: GitServer

  beforeEach(async () => {
    server = await startGitServer()
  })

  afterEach(() => server.stop())

  function git(cwd: string, ...args: string[]): string {
    return execFileSync('git', args, { cwd, env: home.env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
  }

  test('serves what it was given and takes pushes', () => {
    const url = server.createRepository('owner/repo', { 'src/a.txt': 'alpha\n' })
    const clone = path.join(home.root, 'clone')
    git(home.root, 'clone', '-q', url, clone)
    expect(fs.readFileSync(path.join(clone, 'src/a.txt'), 'utf8')).toBe('alpha\n')

    git(clone, 'checkout', '-q', '-b', 'fix/issue-1')
    fs.writeFileSync(path.join(clone, 'b.txt'), 'beta\n')
    git(clone, 'add', '.')
    git(clone, 'commit', '-q', '-m', 'Add b')
    git(clone, 'push', '-q', 'origin', 'fix/issue-1')

    expect(server.branches('owner/repo')).toEqual(['fix/issue-1', 'main'])
    expect(server.commitsOn('owner/repo', 'fix/issue-1')).toEqual([
      { sha: git(clone, 'rev-parse', 'HEAD'), subject: 'Add b' },
      { sha: git(clone, 'rev-parse', 'HEAD~'), subject: 'First commit' },
    ])
    expect(server.commitsOn('owner/repo', 'main')).toHaveLength(1)
    expect(server.commitsOn('owner/repo', 'no-such-branch')).toEqual([])
    expect(server.fileOn('owner/repo', 'fix/issue-1', 'b.txt')).toBe('beta\n')
    expect(git(clone, 'log', '-1', '--format=%an <%ae>')).toBe('Test User <test@example.com>')
  })

  test('lets somebody else work on a repository', () => {
    const url = server.createRepository('group/sub/repo')
    const onMain = server.commit('group/sub/repo', 'main', { 'README.md': 'changed\n' }, 'Change the readme')
    const onBranch = server.commit('group/sub/repo', 'feature', { 'new.txt': 'new\n' })

    expect(git(home.root, 'ls-remote', '--heads', url).split(/\s+/)).toEqual([
      onBranch,
      'refs/heads/feature',
      onMain,
      'refs/heads/main',
    ])
    expect(server.commitsOn('group/sub/repo', 'feature').map((commit) => commit.subject)).toEqual([
      'Change new.txt',
      'Change the readme',
      'First commit',
    ])
  })

  test('is gone once stopped', async () => {
    const url = server.createRepository('owner/repo')
    const root = path.dirname(path.dirname(path.dirname(server.pathOf('owner/repo'))))
    expect(processesWith('KUGETSU_TEST_GIT_SERVER', root)).toHaveLength(1)

    await server.stop()
    expect(() => git(home.root, 'ls-remote', url)).toThrow()
    expect(fs.existsSync(root)).toBe(false)
    expect(processesWith('KUGETSU_TEST_GIT_SERVER', root)).toEqual([])
  })
})

describe('a home', () => {
  test('keeps what is the real user’s away from its processes', () => {
    const shown = execFileSync('env', [], { env: home.env, encoding: 'utf8' })
    const names = shown
      .trim()
      .split('\n')
      .map((line) => line.split('=', 1)[0] ?? '')
    expect(names.filter((name) => /TOKEN|KEY|SECRET|PASSWORD|^https?_proxy$/i.test(name))).toEqual([])
    const usersOwn = [
      'HOME',
      'XDG_CONFIG_HOME',
      'XDG_DATA_HOME',
      'XDG_STATE_HOME',
      'XDG_CACHE_HOME',
      'TMPDIR',
      'KUGETSU_DIR',
    ]
    for (const name of usersOwn) expect(home.env[name]).toMatch(new RegExp(`^${home.root}`))
  })

  test('leaves room for the path of a unix socket', () => {
    const socket = path.join(home.kugetsuDir, 'queue', 'daemon.sock')
    expect(Buffer.byteLength(socket)).toBeLessThan(107)
  })

  test('finds node, git, a shell and opencode', () => {
    for (const program of ['node', 'git', 'bash']) {
      expect(execFileSync(program, ['--version'], { env: home.env, encoding: 'utf8' })).not.toBe('')
    }
    expect(fs.existsSync(path.join(home.bin, 'opencode'))).toBe(true)
    expect(fs.existsSync(home.kugetsuDir)).toBe(false)
  })

  test('lists the processes that live in it, and cleanup ends them, orphans too, and no others', async () => {
    const other = createHome()
    const stranger = spawn('sleep', ['600'], { env: other.env, stdio: 'ignore' })
    try {
      const orphaning = spawn('sh', ['-c', 'sleep 601 & sleep 602 &'], {
        env: home.env,
        stdio: 'ignore',
        detached: true,
      })
      await once(orphaning, 'exit')
      await waitFor(
        'two orphans',
        () => leftovers(home.root).filter(({ command }) => command.startsWith('sleep')).length === 2,
      )

      await home.cleanup()
      expect(leftovers(home.root)).toEqual([])
      expect(fs.existsSync(home.root)).toBe(false)
      expect(leftovers(other.root)).toEqual([{ pid: stranger.pid, command: 'sleep 600' }])
    } finally {
      if (stranger.pid !== undefined) killQuietly(stranger.pid)
      await other.cleanup()
    }
  })
})

describe('waitFor', () => {
  test('returns the first truthy value, past what throws and what is not there yet', async () => {
    let calls = 0
    const value = await waitFor('the third call', async () => {
      calls++
      if (calls === 1) throw new Error('too early')
      return calls === 3 ? 'here' : undefined
    })
    expect(value).toBe('here')
  })

  test('gives up with what it waited for and what it saw last', async () => {
    const never = waitFor('the impossible', () => 0, { timeoutMs: 1 })
    await expect(never).rejects.toThrow('waited 1 ms in vain for: the impossible (last value: 0)')
    const failing = waitFor('the broken', () => Promise.reject(new Error('no such thing')), { timeoutMs: 1 })
    await expect(failing).rejects.toThrow('the broken (last error: no such thing)')
  })
})
