/** `kugetsu down`, also with --purge: agents, the daemon and the server end; what is only in the home is never lost. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSqlite } from '../../src/platform/sqlite.ts'
import { startHttpGitServer, type HttpGitServer } from '../helpers/http-git-server.ts'
import { createHome } from '../helpers/home.ts'
import { run, runJson, spawnKugetsu } from '../helpers/kugetsu.ts'
import { opencode2Program } from '../helpers/opencode-2.ts'
import { leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { hasTerminals, inTerminal } from '../helpers/terminal.ts'
import { waitFor } from '../helpers/wait-for.ts'

// The faster one, where it is installed.
const found = opencode2Program()
const env = 'program' in found ? { KUGETSU_OPENCODE: found.program } : {}

let stage: Stage
let forge: HttpGitServer
beforeAll(async () => {
  stage = await setStage({ env, config: { MAX_CONCURRENT_AGENTS: 3 } })
  const repositories = path.dirname(path.dirname(stage.git.pathOf('me/app')))
  forge = await startHttpGitServer({ repositories, allow: (login) => login === 'oauth2:t' })
})
afterAll(async () => {
  await stage.cleanup()
  await forge.stop()
})

const at = (...names: string[]) => path.join(stage.home.kugetsuDir, ...names)
const git = (number: number, ...args: string[]) =>
  execFileSync('git', args, { cwd: stage.worktree(number), env: stage.home.env, encoding: 'utf8' }).trim()
/** Kills a command (SIGKILL) as soon as that is so; it may end before. */
const killAt = async (args: string[], step: () => boolean) => {
  const dying = spawnKugetsu(stage.home, args)
  await waitFor(`a step of ${args.join(' ')}`, () => step() || dying.child.exitCode !== null)
  return dying.kill('SIGKILL')
}
/** The sessions in opencode 1's own database; that of opencode 2 is in the home. */
const sessionsLeft = () => {
  const file = path.join(stage.home.opencodeData, 'opencode.db')
  if (!fs.existsSync(file)) return []
  const database = openSqlite(file, { timeoutMs: 5_000 })
  try {
    return database.all('SELECT id FROM session')
  } finally {
    database.close()
  }
}
const isAtRest = () => leftovers(stage.home.root).length === 0
const startTwo = async () => {
  for (const number of [1, 2]) await stage.ok(['start', ref(number), `GATE=never${number} SAY{{late}}`])
}

interface OnlyHere {
  error: { code: string; message: string }
  only_here: { what: string; reasons: string[]; next: string[] }[]
}
const refusal = async () => {
  const { code, json } = await runJson<OnlyHere>(stage.home, ['down', '--purge', '--yes', '--json'])
  expect([code, json.error.code]).toEqual([1, 'work_at_risk'])
  return json.only_here
}

describe('down', () => {
  it('where there is no home makes none', async () => {
    const home = createHome({ findsProviders: true })
    for (const args of [['down'], ['down', '--purge', '--yes']]) {
      const { code, stdout } = await run(home, args)
      expect([code, stdout]).toEqual([0, expect.stringMatching(/^Nothing is running, and .* does not exist\n$/)])
    }
    expect(fs.existsSync(home.kugetsuDir)).toBe(false)
    await home.cleanup()
  })

  it('asks before it ends agents, and needs --yes in a pipe', async () => {
    await stage.ok(['queue-daemon', 'start'])
    await startTwo()
    const { code, stderr } = await stage.kugetsu(['down'])
    expect([code, stderr]).toEqual([1, expect.stringMatching(/there is no terminal to ask on\nHint: Pass --yes/)])
    const { code: agents } = await stage.kugetsu(['down', '--yes'], { env: { KUGETSU_AGENT: 'dev' } })
    expect(agents).toBe(1)
    const asked = hasTerminals
      ? await inTerminal(stage.home, ['down'], [{ question: /\[y\/N\] $/, answer: 'n' }])
      : undefined
    expect(asked?.shown ?? 'End 2 agents').toContain('End 2 agents')
    expect([(await stage.session(1)).state, (await stage.session(2)).state]).toEqual(['running', 'running'])
  })

  it('ends agents, daemon and server, by two people at once; sessions, worktrees and tasks stay', async () => {
    await stage.ok(['config', 'set', 'MAX_CONCURRENT_AGENTS', '2'])
    await stage.ok(['queue', 'enqueue', ref(3), 'SAY{{three}}'])
    const said = await Promise.all([1, 2].map(() => stage.ok(['down', '-y'])))
    const first = said.find((text) => text.includes('Stopped')) ?? ''
    for (const number of [1, 2]) expect(first).toContain(`Stopped ${ref(number)}\n`)
    expect(first).toMatch(
      /Ended the daemon .*\nEnded the opencode server .*\nSessions, worktrees and tasks stay\. To go on: /,
    )
    expect(said.filter((text) => text === 'Nothing is running\n')).toHaveLength(1)
    await waitFor('the end of all processes', isAtRest)
    expect(stage.slots()).toEqual([])
    expect(stage.file(1)).toMatchObject({ state: 'idle', run: null })
    expect(fs.existsSync(stage.worktree(1))).toBe(true)
    expect(await stage.ok(['queue', 'list'])).toContain('pending')
    expect(fs.existsSync(at('closing.json'))).toBe(false)
    expect(await stage.ok(['down'])).toBe('Nothing is running\n')
  })

  it('killed half way is called again, and then all has ended', async () => {
    for (const step of [() => fs.existsSync(at('closing.json')), () => !fs.existsSync(at('queue', 'daemon.pid'))]) {
      await stage.ok(['continue', ref(1), 'GATE=never3 SAY{{late}}'])
      await killAt(['down', '-y'], step)
      await stage.ok(['down', '-y'])
      await waitFor('the end of all processes', isAtRest)
      expect(stage.slots()).toEqual([])
      expect(stage.file(1)).toMatchObject({ run: null })
    }
  })

  it('ends a start that is on the way, which undoes what it made', async () => {
    await stage.ok(['server', 'add', 'private', forge.url, '--type', 'gitea'])
    await stage.ok(['env', 'set', 'PRIVATE_TOKEN', '-', 'dev'], { input: 't\n' })
    const gate = forge.hold()
    const starting = spawnKugetsu(stage.home, ['start', 'private/me/app#5', 'SAY{{never}}'])
    await waitFor('a clone that is under way', () => gate.held() > 0)
    const said = await stage.ok(['down', '-y'])
    expect(said).toContain('Stopped the start of private/me/app#5\n')
    expect((await starting.finished).code).toBe(130)
    gate.release()
    expect(fs.existsSync(at('sessions', 'private-me-app-5.json'))).toBe(false)
    await waitFor('the end of all processes', isAtRest)
  })
})

describe('down --purge', () => {
  it('refuses what is only here, names each with what to do, and ends nothing', async () => {
    fs.writeFileSync(path.join(stage.worktree(1), 'a.txt'), 'a')
    git(1, 'add', '.')
    git(1, 'commit', '-q', '-m', 'Add a')
    fs.writeFileSync(path.join(stage.worktree(2), 'loose.txt'), 'b')
    await stage.ok(['start', ref(4), 'BASH{{echo x > lost.txt}}', '--wait'])
    await stage.ok(['destroy', ref(4), '-y', '--force'])
    await stage.ok(['continue', ref(1), 'GATE=never4 SAY{{late}}'])
    git(2, 'branch', 'aside', git(1, 'rev-parse', 'HEAD'))
    const all = await refusal()
    const about = (what: string) => all.find((each) => each.what.includes(what))
    expect(about('app#1')).toMatchObject({ next: [`kugetsu push ${ref(1)}`] })
    expect(about('app#1')?.reasons.join()).toMatch(/1 unpushed commit: Add a/)
    expect(about('app#2')?.reasons.join()).toMatch(/1 untracked file: loose.txt/)
    expect(about('app#2')?.next.join()).toContain(`kugetsu path ${ref(2)}`)
    expect(about('saved work')?.next.join()).toMatch(/kugetsu recover \w{8},kugetsu push .*--drop/)
    expect(about('the repository')?.reasons.join()).toMatch(/unpushed commits are in it \(1\)/)
    const { stdout, stderr } = await stage.kugetsu(['down', '--purge', '--yes'])
    expect([stdout, stderr]).toEqual([
      '',
      expect.stringMatching(/^Only here:\n[^]*Error: nothing was ended or removed: 4 /),
    ])
    expect((await stage.session(1)).state).toBe('running')
  })

  it('refuses ignored files that destroy would save, and a worktree without a session', async () => {
    git(2, 'branch', '-D', 'aside')
    await stage.ok(['push', ref(1)])
    fs.rmSync(path.join(stage.worktree(2), 'loose.txt'))
    const [id = ''] = /[0-9a-f]{8}/.exec(await stage.ok(['recover'])) ?? []
    await stage.ok(['recover', '--drop', id, '-y'])
    const exclude = path.join(git(2, 'rev-parse', '--git-common-dir'), 'info', 'exclude')
    fs.mkdirSync(path.dirname(exclude), { recursive: true })
    fs.writeFileSync(exclude, '.env\n')
    fs.writeFileSync(path.join(stage.worktree(2), '.env'), 'SECRET=1')
    fs.mkdirSync(at('worktrees', 'mine'))
    fs.writeFileSync(at('worktrees', 'mine', 'file'), 'mine')
    const all = await refusal()
    expect(all.map(({ what }) => what)).toEqual([ref(2), at('worktrees', 'mine')])
    expect(all[0]?.reasons).toEqual(['1 ignored file: .env'])
    fs.rmSync(path.join(stage.worktree(2), '.env'))
    fs.renameSync(at('worktrees', 'mine'), at('mine'))
  })

  it('refuses a remote that does not answer', async () => {
    const repository = stage.git.pathOf('me/app')
    fs.renameSync(repository, `${repository}.away`)
    const all = await refusal()
    expect(all.find(({ what }) => what === ref(1))?.reasons.join()).toMatch(/cannot tell/)
    fs.renameSync(`${repository}.away`, repository)
  })

  it('killed at any step loses nothing, and called again removes the home', async () => {
    await stage.ok(['queue-daemon', 'start'])
    const config = path.join(stage.home.root, '.config')
    const [unit, script] = [
      path.join(config, 'systemd', 'user', 'kugetsu.service'),
      path.join(config, 'fish', 'completions', 'kugetsu.fish'),
    ]
    for (const file of [unit, script]) fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.copyFileSync(new URL('../../scripts/setup/kugetsu.service', import.meta.url), unit)
    fs.writeFileSync(script, await stage.ok(['completion', 'fish']))
    fs.writeFileSync(at('notes.txt'), 'mine')
    const commit = git(1, 'rev-parse', 'HEAD')
    const isGone =
      (...names: string[]) =>
      () =>
        !fs.existsSync(at(...names))
    // Starts while it goes on: each is refused, or ended and undone.
    const starts = [6, 7].map((number) => spawnKugetsu(stage.home, ['start', ref(number), 'SAY{{late}}']))
    for (const step of [
      () => fs.existsSync(at('closing.json')),
      isGone('sessions', 'forge.test-me-app-1.json'),
      isGone('sessions', 'pm-agent.json'),
      isGone('repos', 'forge.test', 'me', 'app.git'),
      isGone('servers.json'),
    ])
      await killAt(['down', '--purge', '--yes'], step)
    for (const start of starts) await start.finished
    const said = await stage.ok(['down', '--purge', '--yes'])
    expect(said).toMatch(/Not kugetsu's, so still there:\n {2}\S+mine\n {2}\S+notes.txt\n/)
    await waitFor('the end of all processes', isAtRest)
    expect(fs.readdirSync(stage.home.kugetsuDir).toSorted()).toEqual(['mine', 'notes.txt'])
    expect(sessionsLeft()).toEqual([])
    expect(stage.git.commitsOn('me/app', 'fix/issue-1')[0]?.sha).toBe(commit)
    expect([unit, script].filter((file) => fs.existsSync(file))).toEqual([])
  })

  it('refuses a directory that is no home', async () => {
    const directory = path.join(stage.home.root, 'elsewhere')
    fs.mkdirSync(directory)
    fs.writeFileSync(path.join(directory, 'config'), 'mine')
    const { code, stderr } = await stage.kugetsu(['down', '--purge', '--yes'], { env: { KUGETSU_DIR: directory } })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/is no home of kugetsu/)])
    expect(fs.readdirSync(directory)).toEqual(['config'])
  })
})
