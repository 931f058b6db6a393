import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionView } from '../../src/sessions/status/session-view.ts'
import { runJson, runOk, spawnKugetsu } from '../helpers/kugetsu.ts'
import { leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

let stage: Stage
beforeAll(async () => {
  stage = await setStage({ init: false, config: { MAX_CONCURRENT_AGENTS: 4 } })
})
afterAll(() => stage.cleanup())

const listed = async (...flags: string[]) =>
  (await runJson<SessionView[]>(stage.home, ['list', '--json', ...flags])).json
const status = async () => (await stage.ok(['status'])).split('\n')[0]
const file = (...parts: string[]) => path.join(stage.home.kugetsuDir, ...parts)
const running = (command: string) => leftovers(stage.home.root).some((one) => one.command === command)

/** Starts an agent that is held until release(`gate`), and waits until it asks the model. */
async function hold(number: number, gate: string): Promise<void> {
  await stage.ok(['start', ref(number), `GATE=${gate} SAY{{through ${gate}}}`])
  await stage.model.turn(`GATE=${gate}`)
}

describe('before init', () => {
  it('the list is its header, and an empty array', async () => {
    const text = await stage.ok(['list'])
    expect(text.trimEnd().split('\n')).toHaveLength(1)
    expect(text).toMatch(/^ISSUE_REF +TYPE +STATE +SESSION_ID +WORKTREE/)
    expect(await listed()).toEqual([])
  })

  it('the status is kugetsu_not_initialized, and a command that has nothing to work on says what to do', async () => {
    expect(await stage.ok(['status'])).toBe('kugetsu_not_initialized\n')
    const { json } = await runJson(stage.home, ['status', '--json'])
    expect(json).toMatchObject({ status: 'kugetsu_not_initialized', daemon: { running: false } })
    const prune = await stage.kugetsu(['prune'])
    expect(prune).toMatchObject({ code: 1, stdout: '' })
    expect(prune.stderr).toBe('Error: kugetsu is not initialised\nHint: Run "kugetsu init" first.\n')
  })

  it('help and version work', async () => {
    for (const args of [[], ['help'], ['--help'], ['help', '--all']]) {
      expect(await stage.ok(args), args.join(' ')).toMatch(/^kugetsu - OpenCode Session Manager\n/)
    }
    expect(await stage.ok(['help', '--all'])).toMatch(/Exit codes:\s+0 .*1 .*2 .*124 .*130/s)
    const { version } = JSON.parse(fs.readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(await stage.ok(['--version'])).toBe(`${version}\n`)
  })

  it('a typo gets a suggestion, in two-word commands too', async () => {
    const one = await stage.kugetsu(['lsit'])
    expect(one.code).toBe(1)
    expect(one.stderr).toMatch(/^Error: .*lsit.*\nHint: .*list.*\n$/)
    const two = await stage.kugetsu(['server', 'lsit'])
    expect(two.code).toBe(1)
    expect(two.stderr).toMatch(/^Error: .*lsit.*\nHint: .*list.*\n$/)
    const flag = await stage.kugetsu(['list', '--jsno'])
    expect(flag.code).toBe(1)
    expect(flag.stderr).toMatch(/^Error: .*--jsno.*\nHint: .*--json.*\n$/)
  })
})

describe('init', () => {
  it('makes base and PM agent, and refuses to do it twice', async () => {
    const made = await runJson<{ base: string; pm_agent: string }>(stage.home, ['init', '--json'])
    expect((await listed()).map(({ type, opencode_session_id }) => [type, opencode_session_id])).toEqual([
      ['base', made.json.base],
      ['pm_agent', made.json.pm_agent],
    ])
    expect(await status()).toBe('ok')
    const again = await stage.kugetsu(['init'])
    expect(again.code).toBe(1)
    expect(again.stderr).toMatch(/^Error: kugetsu is initialised already .*\nHint: .*--force.*\n$/)
    expect((await listed())[0]?.opencode_session_id).toBe(made.json.base)
  })

  it('needs a terminal for --tui, and says so before it does anything', async () => {
    const said = await stage.kugetsu(['init', '--force', '--tui'])
    expect(said.code).toBe(1)
    expect(said.stderr).toMatch(/^Error: --tui needs a terminal\n/)
  })

  it('with --force makes new sessions, and keeps configuration, variables, worktrees and issue sessions', async () => {
    await stage.ok(['start', ref(1), 'SAY{{first words}}', '--wait'])
    fs.appendFileSync(file('env', 'dev.env'), 'export MINE="kept"\n')
    for (const gone of ['delegate-1.log', 'dev-ses_gone.log']) fs.writeFileSync(file('logs', gone), 'old\n')
    const before = await listed()
    const kept = [
      file('config'),
      file('servers.json'),
      file('env', 'dev.env'),
      path.join(stage.worktree(1), 'README.md'),
    ]
    const contents = () => kept.map((name) => fs.readFileSync(name, 'utf8'))
    const were = contents()

    await stage.ok(['init', '--force'])
    const after = await listed()
    expect(contents()).toEqual(were)
    expect(after[2]).toEqual(before[2])
    for (const at of [0, 1]) {
      expect(after[at]?.opencode_session_id).toMatch(/^ses_/)
      expect(after[at]?.opencode_session_id).not.toBe(before[at]?.opencode_session_id)
    }
    expect(fs.existsSync(file('logs', 'delegate-1.log')) || fs.existsSync(file('logs', 'dev-ses_gone.log'))).toBe(false)
    expect(await stage.ok(['logs', ref(1)])).toContain('first words')
    expect(await stage.ok(['continue', ref(1), 'SAY{{second words}}', '--wait'])).toContain(`idle  ${ref(1)}`)
    expect(
      stage.model
        .turns('second words')[0]
        ?.messages.map(({ text }) => text)
        .join('\n'),
    ).toContain('first words')
  })
})

describe('list and status', () => {
  it('have the fields that scripts rely on', async () => {
    const [base, pmAgent, issue] = await listed()
    expect([base?.issue_ref, pmAgent?.issue_ref]).toEqual([null, null])
    for (const view of [base, pmAgent, issue]) {
      expect(Object.keys(view ?? {})).toEqual(
        expect.arrayContaining(
          'issue_ref type state opencode_session_id worktree_path branch base_branch pr_url created_at updated_at model cost tokens last_error'.split(
            ' ',
          ),
        ),
      )
    }
    expect(issue).toMatchObject({ issue_ref: ref(1), type: 'forked', state: 'idle', branch: 'fix/issue-1' })
    expect(issue?.cost).toBeGreaterThan(0)
    const rows = (await stage.ok(['list'])).trimEnd().split('\n')
    expect(rows.map((row) => row.split(/ +/).slice(0, 3))).toEqual([
      ['ISSUE_REF', 'TYPE', 'STATE'],
      ['(base)', 'base', 'idle'],
      ['(pm-agent)', 'pm_agent', 'idle'],
      [ref(1), 'forked', 'idle'],
    ])
  })

  it('show who is at work', async () => {
    await stage.ok([
      'start',
      ref(2),
      'GATE=look SAY{{looked}}',
      'https://forge.test/me/app/pulls/9',
      '--model',
      'scripted/one',
    ])
    await stage.model.turn('GATE=look')
    expect(await stage.session(2)).toMatchObject({
      state: 'running',
      pr_url: 'https://forge.test/me/app/pulls/9',
      model: 'scripted/one',
    })
    const { json } = await runJson(stage.home, ['status', '--json'])
    expect(json).toMatchObject({
      status: 'ok',
      slots: { limit: 4, used: 1, holders: [{ issue_ref: ref(2) }] },
      queue: { total: 0, pending: 0, notified: 0, completed: 0, error: 0 },
      daemon: { running: true, dispatching: false },
      server: { running: true, pid: stage.server()?.pid },
    })
    expect(await stage.ok(['status'])).toMatch(/^ok\nslots +1 of 4 in use\n +forge\.test\/me\/app#2 \(at work/)
    stage.model.release('look')
    await stage.ok(['wait', ref(2)])
  })

  it('say what is missing', async () => {
    const index = fs.readFileSync(file('index.json'), 'utf8')
    const word = async (change: object) => {
      fs.writeFileSync(file('index.json'), JSON.stringify({ ...JSON.parse(index), ...change }))
      return status()
    }
    try {
      expect(await word({ base: null })).toBe('base_session_missing')
      expect(await word({ pm_agent: null })).toBe('pm_agent_missing')
    } finally {
      fs.writeFileSync(file('index.json'), index)
    }
    expect(await status()).toBe('ok')
  })

  it('call a session interrupted whose processes are gone, whatever its file says', async () => {
    const name = file('sessions', 'forge.test-me-app-77.json')
    const record = { type: 'forked', issue_ref: ref(77), state: 'starting' }
    fs.writeFileSync(name, JSON.stringify(record))
    const state = async () => (await listed('--all')).find(({ issue_ref }) => issue_ref === ref(77))?.state
    expect(await state()).toBe('interrupted')
    expect((await listed()).map(({ issue_ref }) => issue_ref)).not.toContain(ref(77))
    const run = { slot: 'x', message_ids: ['msg_0'], started_at: '', deadline_at: '', interruptions: 0, server: 'gone' }
    fs.writeFileSync(name, JSON.stringify({ ...record, state: 'running', run }))
    expect(await state()).toBe('interrupted')
    fs.rmSync(name)
  })
})

describe('refs', () => {
  it('may be a unique tail, the address of the issue, or #n inside a worktree', async () => {
    const transcript = await stage.ok(['logs', ref(1)])
    expect(transcript).toContain(ref(1))
    for (const short of ['me/app#1', 'app#1', 'https://forge.test/me/app/issues/1']) {
      expect(await stage.ok(['logs', short]), short).toBe(transcript)
    }
    for (const cwd of [stage.worktree(1), path.join(stage.worktree(2), 'src')]) {
      expect(await stage.ok(['logs', '#1'], { cwd }), cwd).toBe(transcript)
    }
    const clone = path.join(stage.home.root, 'clone')
    execFileSync('git', ['clone', '-q', `${stage.git.url}/me/app.git`, clone], { env: stage.home.env })
    expect(await stage.ok(['logs', '#1'], { cwd: clone })).toBe(transcript)
  })

  it('that fit several issues are refused with the candidates', async () => {
    stage.git.createRepository('you/app')
    await stage.ok(['start', 'forge.test/you/app#1', 'SAY{{other}}', '--wait'])
    const said = await stage.kugetsu(['logs', 'app#1'])
    expect(said.code).toBe(1)
    expect(said.stderr).toBe(
      `Error: "app#1" fits 2 issues\nHint: Say which one is meant: ${ref(1)}, forge.test/you/app#1\n`,
    )
  })

  it('without a session are an error, as JSON too', async () => {
    const said = await runJson(stage.home, ['logs', ref(404), '--json'])
    expect(said).toMatchObject({
      code: 1,
      stderr: '',
      json: {
        error: {
          message: `no session for ${ref(404)}`,
          hint: expect.stringContaining('list'),
          code: 'unknown_session',
        },
      },
    })
    const usage = await runJson(stage.home, ['start', '--json'])
    expect(usage).toMatchObject({
      code: 1,
      json: { error: { code: 'usage', message: expect.stringContaining('issue-ref') } },
    })
  })
})

describe('start and continue', () => {
  it('print what scripts need with --json, and take the message from standard input', async () => {
    const message = 'SAY{{from stdin}}\n"quotes" $(and) `more`\n'
    const { json, code } = await runJson<SessionView>(stage.home, ['start', ref(3), '-', '--json'], { input: message })
    expect(code).toBe(0)
    expect(json).toMatchObject({ issue_ref: ref(3), state: 'running', worktree_path: stage.worktree(3) })
    await stage.ok(['wait', ref(3)])
    expect(stage.model.turns('from stdin')[0]?.asked).toContain(message.trim())
  })

  it('wait for the end with --wait, and their exit code tells how it was', async () => {
    const good = await stage.ok(['continue', ref(3), 'SAY{{fine}}', '--wait'])
    expect(good).toContain(`idle  ${ref(3)}`)
    const bad = await stage.kugetsu(['continue', ref(3), 'FAIL=401', '--wait'])
    expect(bad.code).toBe(1)
    expect(bad.stdout).toContain(`error  ${ref(3)}: scripted 401`)
  })

  it('send the standard message where continue has none', async () => {
    const from = stage.model.turns().length
    await stage.ok(['continue', ref(3), '--wait'])
    expect(stage.model.turns()[from]?.asked).toContain('Go on with your task')
  })

  it('make the session where continue finds none', async () => {
    const said = await stage.ok(['continue', ref(4), 'SAY{{made}}', '--wait'])
    expect(said.split('\n')[0]).toBe(`kugetsu did not know ${ref(4)}: it starts an agent now`)
    expect(await stage.session(4)).toMatchObject({ state: 'idle', branch: 'fix/issue-4' })
  })
})

describe('logs', () => {
  it('follow an agent while it works, and end when it does', async () => {
    await hold(5, 'follow')
    const following = spawnKugetsu(stage.home, ['logs', '-f', ref(5)])
    await waitFor('the task in the followed transcript', () => following.stdout().includes('GATE=follow'))
    expect(following.child.exitCode).toBeNull()
    expect(following.stdout()).not.toContain('● agent')
    stage.model.release('follow')
    const { code, stdout } = await following.finished
    expect(code).toBe(0)
    expect(stdout).toMatch(/● agent\n {2}through follow\n[^]*■ finished after/)
    expect(await stage.ok(['logs', ref(5)])).toBe(stdout)
  })

  it('are JSON lines when followed with --json', async () => {
    const lines = (await stage.ok(['logs', '-f', ref(5), '--json'])).trimEnd().split('\n')
    const text = lines.map((line) => (JSON.parse(line) as { text: string }).text).join('')
    expect(text).toBe(await stage.ok(['logs', ref(5)]))
  })

  it('with a number are the last delegation logs; those over a week old are removed', async () => {
    for (const number of [1, 2, 3]) {
      fs.writeFileSync(file('logs', `delegate-${number}.log`), 'x')
      fs.utimesSync(file('logs', `delegate-${number}.log`), new Date(), new Date(Date.now() - (10 - number) * 60_000))
    }
    const eightDaysAgo = new Date(Date.now() - 8 * 86_400_000)
    fs.writeFileSync(file('logs', 'delegate-0.log'), 'x')
    fs.utimesSync(file('logs', 'delegate-0.log'), eightDaysAgo, eightDaysAgo)
    const names = async (...args: string[]) => (await stage.ok(['logs', ...args])).match(/delegate-\d\.log/g)
    expect(await names('2')).toEqual(['delegate-2.log', 'delegate-3.log'])
    expect(await names()).toEqual(['delegate-1.log', 'delegate-2.log', 'delegate-3.log'])
    expect(fs.existsSync(file('logs', 'delegate-0.log'))).toBe(false)
    expect(fs.existsSync(file('logs', 'delegate-1.log'))).toBe(true)
  })
})

describe('wait', () => {
  it('runs out of time with 124 and returns with 0 once the agent is done', async () => {
    await hold(6, 'waiting')
    const late = await stage.kugetsu(['wait', ref(6), '--timeout', '0.1'])
    expect(late.code).toBe(124)
    expect(late.stderr).toMatch(/^Error: still at work after .*app#6\nHint: .*logs -f/)
    const json = await runJson(stage.home, ['wait', ref(6), ref(5), '--timeout', '0', '--json'])
    expect(json).toMatchObject({ code: 124, json: { error: { code: 'timed_out' } } })
    const waiting = spawnKugetsu(stage.home, ['wait', ref(6), ref(5)])
    stage.model.release('waiting')
    expect(await waiting.finished).toMatchObject({ code: 0, stdout: expect.stringContaining(`idle  ${ref(6)}`) })
    const bad = await stage.kugetsu(['wait', ref(6), '--timeout', 'soon'])
    expect(bad).toMatchObject({ code: 1, stderr: expect.stringContaining('not a number of seconds: soon') })
  })

  it('returns with 1 and the provider’s words when an agent failed', async () => {
    await stage.ok(['continue', ref(6), 'FAIL=401'])
    const said = await stage.kugetsu(['wait', ref(6), ref(5)])
    expect(said.code).toBe(1)
    expect(said.stdout).toContain(`error  ${ref(6)}: scripted 401`)
    expect(said.stderr).toMatch(/^Error: 1 of 2 did not end well: .*app#6\n/)
    expect(await stage.session(6)).toMatchObject({ state: 'error', last_error: 'scripted 401' })
    const json = await runJson<SessionView[]>(stage.home, ['wait', ref(6), '--json'])
    expect(json).toMatchObject({ code: 1, json: [{ issue_ref: ref(6), state: 'error', last_error: 'scripted 401' }] })
  })
})

describe('stop', () => {
  it('ends the agent, the command it runs and what it left running, and keeps session and worktree', async () => {
    const leaving = 'BASH{{setsid sleep 1010 > /dev/null 2>&1 & echo $$ > pid.txt; exec sleep 1000}}'
    await stage.ok(['start', ref(7), `SAY{{I begin}} ${leaving}`])
    const pid = await waitFor('the command of the agent', () =>
      Number(fs.readFileSync(path.join(stage.worktree(7), 'pid.txt'), 'utf8')),
    )
    const isSleeping = () => leftovers(stage.home.root).some((one) => one.pid === pid && one.command === 'sleep 1000')
    await waitFor('the sleep', isSleeping)
    const id = (await stage.session(7)).opencode_session_id

    expect(await stage.ok(['stop', ref(7)])).toContain(`Stopped ${ref(7)}`)
    await waitFor('the end of the command', () => !isSleeping())
    expect(running('sleep 1010')).toBe(false)
    expect(await stage.session(7)).toMatchObject({ state: 'idle', last_error: null, opencode_session_id: id })
    expect(stage.slots()).toEqual([])
    expect(fs.existsSync(path.join(stage.worktree(7), 'pid.txt'))).toBe(true)
    expect(await stage.ok(['logs', ref(7)])).toMatch(/■ stopped after/)
    const again = await stage.kugetsu(['stop', ref(7)])
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining(`no agent is at work on ${ref(7)}`) })

    const left = 'BASH{{setsid sleep 1011 > /dev/null 2>&1 &}}'
    await stage.ok(['continue', ref(7), `SAY{{going on}} ${left}`, '--wait'])
    expect(running('sleep 1011')).toBe(true)
    const turn = stage.model.turns('going on')[0]
    expect(turn?.messages.map(({ text }) => text).join('\n')).toContain('I begin')
    expect((await stage.session(7)).opencode_session_id).toBe(id)
  })
})

describe('destroy', () => {
  const git = (number: number, ...args: string[]) =>
    execFileSync('git', args, {
      cwd: stage.worktree(number),
      env: stage.home.env,
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim()
  const write = (number: number, name: string, text: string) =>
    fs.writeFileSync(path.join(stage.worktree(number), name), text)

  async function refusal(number: number): Promise<string> {
    // The end of a run is in the file before it is in the notifications; after that it leaves the file.
    await waitFor('the notification', () => !('untold' in (stage.file(number) ?? {})))
    const before = { file: stage.file(number), list: await stage.session(number) }
    const said = await stage.kugetsu(['destroy', ref(number), '-y'])
    expect(said.code).toBe(1)
    expect(said.stderr).toMatch(/^Error: .*app#\d+ is not destroyed: .*\nHint: .*--force.*\n$/)
    expect({ file: stage.file(number), list: await stage.session(number) }).toEqual(before)
    expect(fs.existsSync(stage.worktree(number))).toBe(true)
    return said.stderr
  }

  it('asks first, and without a terminal names the flag', async () => {
    const said = await stage.kugetsu(['destroy', ref(2)])
    expect(said.code).toBe(1)
    expect(said.stderr).toMatch(/^Error: .*no terminal.*\nHint: .*-y/)
    expect(stage.file(2)).toBeDefined()
    expect(await stage.kugetsu(['destroy'])).toMatchObject({ code: 1, stderr: expect.stringContaining('--pm-agent') })
  })

  it('refuses while an agent is at work', async () => {
    await hold(8, 'working')
    expect(await refusal(8)).toMatch(/an agent is at work/)
    stage.model.release('working')
    await stage.ok(['wait', ref(8)])
  })

  it('refuses to lose uncommitted, untracked or unpushed work, and names it', async () => {
    write(8, 'README.md', 'changed\n')
    expect(await refusal(8)).toMatch(/1 uncommitted change: README\.md/)
    git(8, 'checkout', '-q', '--', '.')
    write(8, 'new.txt', 'new\n')
    expect(await refusal(8)).toMatch(/1 untracked file: new\.txt/)
    git(8, 'add', '.')
    git(8, 'commit', '-q', '-m', 'Add what is new')
    expect(await refusal(8)).toMatch(/1 unpushed commit: Add what is new/)
  })

  it('removes worktree, session, file and index entry once all is pushed', async () => {
    git(8, 'push', '-q', 'origin', 'HEAD:fix/issue-8')
    const { opencode_session_id: id } = await stage.session(8)
    expect(await stage.look().has(id ?? '')).toBe(true)

    const { json } = await runJson(stage.home, ['destroy', ref(8), '-y', '--json'])
    expect(json).toEqual({ destroyed: 'issue', issues: [{ issue_ref: ref(8), recovery_ref: null }] })
    expect(fs.existsSync(stage.worktree(8))).toBe(false)
    expect(stage.file(8)).toBeUndefined()
    expect(fs.readFileSync(file('index.json'), 'utf8')).not.toContain(ref(8))
    expect((await listed('--all')).map(({ issue_ref }) => issue_ref)).not.toContain(ref(8))
    expect(await stage.look().has(id ?? '')).toBe(false)
    expect(stage.git.commitsOn('me/app', 'fix/issue-8')[0]?.subject).toBe('Add what is new')
  })

  it('with --force stops the agent, saves its work, and tells how to get it back', async () => {
    await stage.ok(['start', ref(9), 'BASH{{echo $$ > pid.txt; exec sleep 1001}}'])
    await waitFor('the command', () => fs.existsSync(path.join(stage.worktree(9), 'pid.txt')))
    write(9, 'kept.txt', 'committed\n')
    git(9, 'add', 'kept.txt')
    git(9, 'commit', '-q', '-m', 'Not pushed')
    write(9, 'README.md', 'changed\n')
    write(9, 'new file.txt', 'untracked\n')

    // From inside the worktree, by two at once: one does it, and the other says so.
    const destroy = () => stage.kugetsu(['destroy', ref(9), '-y', '--force'], { cwd: stage.worktree(9) })
    const both = (await Promise.all([destroy(), destroy()])).toSorted((a, b) => Number(a.code) - Number(b.code))
    expect(both.map(({ code }) => code)).toEqual([0, 1])
    const said = both[0]?.stdout ?? ''
    expect(both[0]?.stderr).toMatch(/The directory you are in is gone: cd ~\n$/)
    expect(both[1]?.stderr).toMatch(
      /^Error: (\S+app#9 is gone: another command has destroyed it|no session for \S+app#9)\n/m,
    )
    expect(fs.existsSync(stage.worktree(9))).toBe(false)
    expect(stage.file(9)).toBeUndefined()
    expect(stage.slots()).toEqual([])
    await waitFor(
      'the end of the command',
      () => !leftovers(stage.home.root).some(({ command }) => command === 'sleep 1001'),
    )

    const recover = /To get it back: kugetsu (recover .*)\n/.exec(said)?.[1]?.split(' ') ?? []
    expect(recover).toEqual(['recover', ref(9)])
    const recovered = path.join(stage.home.cwd, 'recovered')
    await stage.ok([...recover, '--to', 'recovered'])
    const read = (name: string) => fs.readFileSync(path.join(recovered, name), 'utf8')
    expect([read('kept.txt'), read('README.md'), read('new file.txt')]).toEqual([
      'committed\n',
      'changed\n',
      'untracked\n',
    ])
    const inside = { cwd: recovered, env: stage.home.env, encoding: 'utf8' } as const
    expect(execFileSync('git', ['log', '-1', '--format=%s'], inside).trim()).toBe('Not pushed')
    expect(execFileSync('git', ['status', '--porcelain'], inside).split('\n').filter(Boolean).sort()).toEqual([
      ' M README.md',
      '?? "new file.txt"',
      '?? pid.txt',
    ])
  })

  it('of the PM agent or the base is told by status; the base takes all others with it, or none', async () => {
    await stage.ok(['destroy', '--pm-agent', '-y'])
    expect(await status()).toBe('pm_agent_missing')
    expect((await stage.kugetsu(['delegate', 'SAY{{never}}'])).stderr).toMatch(
      /^Error: there is no PM agent\nHint: .*doctor --fix\n$/,
    )
    const refusal = await stage.kugetsu(['destroy', '--base', '-y'])
    expect(refusal).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing is destroyed') })
    expect((await listed()).length).toBeGreaterThan(1)
    fs.rmSync(path.join(stage.worktree(7), 'pid.txt'))
    await stage.ok(['destroy', '--base', '-y'])
    expect(await listed('--all')).toEqual([])
    expect(fs.readdirSync(file('worktrees'))).toEqual([])
    expect(running('sleep 1011')).toBe(false)
    expect(await status()).toBe('base_session_missing')
    await runOk(stage.home, ['init'])
    expect(await status()).toBe('ok')
  })
})

it('leaves no process behind', async () => {
  await stage.home.cleanup()
  expect(leftovers(stage.home.root)).toEqual([])
})
