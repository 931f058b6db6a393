import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHome, type Home } from '../helpers/home.ts'
import { run, runJson, runOk, type RunOptions } from '../helpers/kugetsu.ts'
import { leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'

/** One line and a hint, after whatever progress and warnings there were; never a stack. */
const oneLineAndHint = /^(?:(?:… |Warning: )[^\n]*\n)*Error: [^\n]+\nHint: [^\n]+\n$/

/** The slot of the agent whose provider fails, which goes when its run ends. */
let failing: string | undefined

/** The directories and session files of a home; none may come or go with a command that is refused. */
function inventory(kugetsuDir: string): string[] {
  return ['worktrees', 'sessions', 'repos', 'slots'].flatMap((folder) => {
    const directory = path.join(kugetsuDir, folder)
    if (!fs.existsSync(directory)) return []
    return fs
      .readdirSync(directory, { withFileTypes: true, recursive: folder !== 'worktrees' })
      .filter((entry) => !entry.parentPath.includes('.git'))
      .filter((entry) => entry.isDirectory() || /\.(json|slot|held|run)$/.test(entry.name))
      .map((entry) => path.relative(kugetsuDir, path.join(entry.parentPath, entry.name)))
      .filter((name) => !/^repos\/[^/]+(\/[^/]+)?$/.test(name)) // the folders of hosts and owners may stay
      .filter((name) => failing === undefined || !name.startsWith(`slots/${failing}.`))
      .sort()
  })
}

/** Runs what must be refused and must leave nothing behind; what it said. */
async function refusal(home: Home, args: string[], options: RunOptions = {}): Promise<string> {
  const before = inventory(home.kugetsuDir)
  const { code, stdout, stderr } = await run(home, args, options)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(oneLineAndHint)
  expect(inventory(home.kugetsuDir)).toEqual(before)
  return stderr
}

let stage: Stage
let closed: http.Server
beforeAll(async () => {
  stage = await setStage({ config: { MAX_CONCURRENT_AGENTS: 5 } })
  // opencode tries for over a minute before it gives a failing provider up; the other tests fill that time.
  await stage.ok(['start', ref(500), 'FAIL=500'])
  await stage.model.turn('FAIL=500')
  failing = (stage.file(500)?.['run'] as { slot: string } | undefined)?.slot
  if (failing === undefined) throw new Error('the agent whose provider fails has no run')
  closed = http.createServer((_, response) => response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end())
  closed.listen(0, '127.0.0.1')
  await once(closed, 'listening')
})
afterAll(async () => {
  closed.closeAllConnections()
  closed.close()
  await stage.cleanup()
})

/** Does something that the daemon, which looks at the files as well, cannot come before. */
async function beforeTheDaemon<T>(work: () => Promise<T>): Promise<T> {
  const pid = Number(fs.readFileSync(path.join(stage.home.kugetsuDir, 'queue', 'daemon.pid'), 'utf8'))
  process.kill(pid, 'SIGSTOP')
  try {
    return await work()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}

describe('a home where agents work', () => {
  it.each([
    'no-ref',
    '',
    '../x',
    '../../etc#1',
    'forge.test/../../etc/passwd#1',
    'a/b/c#../../x',
    'forge.test/me/app#1/../../x',
    'forge.test/me/app#$(touch x)',
    '$(touch x)',
    '`touch x`/b/c#1',
    'forge.test/me/app;touch x#1',
    'forge.test/me/app#1\n',
    'forge.test/me/app\n#1',
    'forge.test/-u/app#1',
    'forge.test/me/--upload-pack=touch#1',
    '--upload-pack=x',
    '-x/y/z#1',
    'forge.test/me/app#0',
    'forge.test/me/app#-',
    'forge.test/me/app#--force',
    'ext::sh -c touch% x#1',
    `forge.test/me/${'a'.repeat(3000)}#1`,
  ])('is not moved by the ref %j', async (text) => {
    expect(await refusal(stage.home, ['start', '--', text, 'message'])).toMatch(/is not an issue ref: /)
    expect(fs.readdirSync(stage.home.cwd)).toEqual([])
  })

  it('takes what looks like an option for one it does not have', async () => {
    expect(await refusal(stage.home, ['start', '--upload-pack=x', 'message'])).toMatch(/unknown option/)
    expect(await refusal(stage.home, ['start', ref(1), 'message', '--base=--upload-pack=touch x'])).toMatch(
      /--upload-pack/,
    )
    expect(fs.readdirSync(stage.home.cwd)).toEqual([])
  })

  it('says why a repository cannot be cloned', async () => {
    expect(await refusal(stage.home, ['start', 'forge.test/me/none#1', 'x'])).toMatch(/me\/none.*not found/)
    fs.mkdirSync(stage.git.pathOf('me/folder'))
    expect(await refusal(stage.home, ['start', 'forge.test/me/folder#1', 'x'])).toMatch(/me\/folder.*not found/)
    await stage.ok(['server', 'add', 'dead.test', 'git://127.0.0.1:1'])
    expect(await refusal(stage.home, ['start', 'dead.test/me/app#1', 'x'])).toMatch(/host unreachable/)
    await stage.ok(['server', 'add', 'disk.test', 'file:///nowhere/at/all'])
    expect(await refusal(stage.home, ['start', 'disk.test/me/app#1', 'x'])).toMatch(/nowhere.*not found/)
  })

  it('never waits for a password', async () => {
    await stage.ok(['server', 'add', 'closed.test', `http://127.0.0.1:${(closed.address() as AddressInfo).port}`])
    expect(await refusal(stage.home, ['start', 'closed.test/me/app#1', 'x'])).toMatch(/authentication failed/)
  })

  it('refuses an empty repository, and a branch that is not there', async () => {
    const empty = stage.git.pathOf('me/empty')
    execFileSync('git', ['init', '-q', '--bare', empty], { env: stage.home.env })
    expect(await refusal(stage.home, ['start', 'forge.test/me/empty#1', 'x'])).toMatch(/has no (branch|commit)/)
    expect(await refusal(stage.home, ['start', ref(1), 'x', '--base', 'no-such-branch'])).toMatch(/no-such-branch/)
  })

  it('refuses messages that are empty or enormous, and a model that is none', async () => {
    expect(await refusal(stage.home, ['start', ref(1), ''])).toMatch(/message is empty/)
    expect(await refusal(stage.home, ['start', ref(1), '-'], { input: ' \n' })).toMatch(/message is empty/)
    expect(await refusal(stage.home, ['start', ref(1), '-'], { input: 'x'.repeat(1_000_000) })).toMatch(
      /977 KiB, more than 256/,
    )
    expect(await refusal(stage.home, ['start', ref(1), 'x', '--model', 'none'])).toMatch(/not a model: none/)
    expect(await refusal(stage.home, ['start', ref(1), 'x', 'not a url'])).toMatch(/not the URL of a pull request/)
  })

  it.each([['no-agent', '{ "default_agent": "nosuch" }', /the agent nosuch.*\n.*build.*default_agent/]])(
    'says what opencode cannot use of a repository: %s',
    async (name, text, expected) => {
      stage.git.createRepository(`me/${name}`, { 'opencode.json': text })
      const withoutMirrors = () => inventory(stage.home.kugetsuDir).filter((path) => !path.startsWith('repos'))
      const before = withoutMirrors()
      const { code, stderr } = await stage.kugetsu(['start', `forge.test/me/${name}#1`, 'x'])
      expect({ code, after: withoutMirrors() }).toEqual({ code: 1, after: before })
      expect(stderr).toMatch(oneLineAndHint)
      expect(stderr).toMatch(expected)
    },
  )

  it('refuses an agent that opencode does not have, or that only works for other agents', async () => {
    const { code, json } = await runJson(stage.home, ['start', ref(1), 'x', '--agent', 'nope', '--json'])
    expect({ code, json }).toMatchObject({
      code: 1,
      json: { error: { code: 'no_such_agent', message: expect.stringMatching(/nope/) } },
    })
    expect(await refusal(stage.home, ['start', ref(1), 'x', '--agent', 'general'])).toMatch(/general only works for/)
    expect(stage.file(1)).toBeUndefined()
  })

  it('refuses a setting that makes no sense, and names it', async () => {
    const env = { MAX_CONCURRENT_AGENTS: 'many' }
    expect(await refusal(stage.home, ['start', ref(1), 'x'], { env })).toMatch(/MAX_CONCURRENT_AGENTS.*many/)
  })

  it('ends a run with the words of the provider that refuses a key', async () => {
    await stage.ok(['start', ref(2), 'FAIL=401'])
    await stage.ok(['start', ref(3), 'SAY{{said}}'])
    expect((await stage.kugetsu(['wait', ref(2), ref(3)])).code).toBe(1)
    expect(await stage.session(2)).toMatchObject({ state: 'error', last_error: 'scripted 401' })
    expect(await stage.ok(['logs', ref(2)])).toMatch(/■ failed after[^\n]*\n {2}[^\n]*scripted 401/)
  })

  it('sets a corrupt session file aside, names it, and works on', async () => {
    const sessions = path.join(stage.home.kugetsuDir, 'sessions')
    const file = path.join(sessions, 'forge.test-me-app-2.json')
    const bytes = fs.readFileSync(file, 'utf8').slice(0, 50)
    fs.writeFileSync(path.join(stage.worktree(2), 'work.txt'), 'of the first agent\n')

    const listed = await beforeTheDaemon(async () => {
      fs.writeFileSync(file, bytes)
      return run(stage.home, ['list'])
    })
    expect(listed.code).toBe(0)
    expect(listed.stdout).toContain(ref(3))
    const aside = fs.readdirSync(sessions).find((name) => name.startsWith('forge.test-me-app-2.json.unreadable')) ?? ''
    expect(fs.readFileSync(path.join(sessions, aside), 'utf8')).toBe(bytes)
    expect(listed.stderr).toMatch(/^Warning: [^\n]+\n$/)
    expect(listed.stderr).toContain(file)
    expect(listed.stderr).toContain(aside)

    expect((await run(stage.home, ['list'])).stderr).toBe('')
    // The scripted model would obey what was asked before as well.
    await stage.ok(['continue', ref(2), 'SAY{{again}}', '--wait'], { env: { ENABLE_CONTEXT_DUMP: 'false' } })
    expect(await stage.session(2)).toMatchObject({ state: 'idle', worktree_path: stage.worktree(2) })
    expect(fs.readFileSync(path.join(stage.worktree(2), 'work.txt'), 'utf8')).toBe('of the first agent\n')
  })

  it('sets a corrupt index aside, names it, and rebuilds it', async () => {
    const file = path.join(stage.home.kugetsuDir, 'index.json')
    const before = await runJson(stage.home, ['list', '--json'])
    const index = JSON.parse(fs.readFileSync(file, 'utf8')) as object
    const after = await beforeTheDaemon(async () => {
      fs.writeFileSync(file, '{"base": "ses_\0\0\0')
      return runJson(stage.home, ['list', '--json'])
    })
    expect(after.code).toBe(0)
    expect(after.json).toEqual(before.json)
    expect(JSON.parse(fs.readFileSync(file, 'utf8'))).toEqual(index)
    const aside = fs.readdirSync(stage.home.kugetsuDir).find((name) => name.startsWith('index.json.unreadable')) ?? ''
    expect(fs.readFileSync(path.join(stage.home.kugetsuDir, aside), 'utf8')).toBe('{"base": "ses_\0\0\0')
    expect(after.stderr).toContain(aside)
  })
})

describe('a home that cannot be', () => {
  let home: Home
  beforeAll(() => {
    home = createHome()
  })
  afterAll(() => home.cleanup())

  /** A stand-in for opencode that does what the lines of shell say. */
  function program(name: string, ...lines: string[]): string {
    const file = path.join(home.root, name)
    fs.writeFileSync(file, ['#!/bin/sh', ...lines, ''].join('\n'), { mode: 0o755 })
    return file
  }

  it.each(['/proc/kugetsu', '/dev/null/kugetsu'])(
    '%s is named by every command that would write',
    async (directory) => {
      const env = { KUGETSU_DIR: directory }
      expect(await refusal(home, ['init'], { env })).toMatch(new RegExp(`cannot write ${directory}`))
      expect(await refusal(home, ['server', 'add', 'x.test', 'git://x.test'], { env })).toMatch(new RegExp(directory))
      expect(await refusal(home, ['start', ref(1), 'x'], { env })).toMatch(/Error: /)
    },
  )

  const serving = ['case "$1" in --version) echo 1.18.33;; *) echo "port is on fire" >&2; exit 4;; esac']
  it.each([
    ['is not there', undefined, /no opencode program at .*KUGETSU_OPENCODE/],
    ['fails', ['echo sorry >&2; exit 3'], /opencode does not run .*exit code 3/],
    ['is too old', ['echo 1.1.9'], /opencode 1\.1\.9 is too old: kugetsu needs 1\.2/],
    [
      'is of version 3',
      ['echo 3.0.1'],
      /opencode 3\.0\.1 is not supported: kugetsu works with 1\.2 to 1\.x, 2\.0 to 2\.x/,
    ],
    ['is another program', ['echo hello'], /does not tell its version/],
    ['does not serve', serving, /opencode serve did not start: .*exit code 4.*port is on fire/],
  ])('with an opencode that %s', async (_, lines, saying) => {
    const file = lines === undefined ? path.join(home.root, 'none') : program('fake-opencode', ...lines)
    expect(await refusal(home, ['init'], { env: { KUGETSU_OPENCODE: file } })).toMatch(saying)
    expect(fs.existsSync(path.join(home.kugetsuDir, 'opencode', 'server.json'))).toBe(false)
    expect((await run(home, ['status'])).stdout).toBe('kugetsu_not_initialized\n')
    expect(leftovers(home.root)).toEqual([])
  })

  it('with a configuration of opencode that is not one', async () => {
    expect(await refusal(home, ['init'], { env: { OPENCODE_CONFIG_CONTENT: '{"plugin": [' } })).toMatch(
      /OPENCODE_CONFIG_CONTENT/,
    )
    await runOk(home, ['init'])
    expect((await run(home, ['status'])).stdout).toMatch(/^ok\n/)
  })

  it('leaves no process behind', async () => {
    await home.cleanup()
    expect(leftovers(home.root)).toEqual([])
  })
})

describe('a provider that goes on failing', () => {
  it('ends a run as an error once the provider has failed for long enough, and frees its slot', async () => {
    const ended = await stage.kugetsu(['wait', ref(500)], { timeoutMs: 180_000 })
    expect(ended.code).toBe(1)
    expect(await stage.session(500)).toMatchObject({ state: 'error' })
    expect((await stage.session(500)).last_error).toContain('scripted 500')
    const transcript = await stage.ok(['logs', ref(500)])
    expect(transcript).toMatch(/■ failed after[^\n]*\n[^\n]*scripted 500/)
    // Each once. opencode tells of them in events alone, and the first may have come before anybody listened.
    const attempts = [...transcript.matchAll(/! the model failed \(attempt (\d+)\): [^\n]*scripted 500/g)]
    expect(attempts.length).toBeGreaterThan(0)
    expect(new Set(attempts.map(([, attempt]) => attempt)).size).toBe(attempts.length)
    expect(stage.model.turns('FAIL=500').length).toBeGreaterThan(1)
    expect(stage.slots()).toEqual([])
  })
})
