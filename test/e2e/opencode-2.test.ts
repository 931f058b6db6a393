/** What is opencode 2's own: its plugin, its logins, and the ways in which its runs end. What all drivers do: driver.test.ts. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readJournal } from '../../src/activity/journal.ts'
import { pmAgentDefinition, pmAgentName } from '../../src/agents/pm-agent.ts'
import type { Driver } from '../../src/driver/driver.ts'
import { writeProgram } from '../../src/driver/environment.ts'
import { openSqlite } from '../../src/platform/sqlite.ts'
import { bundledDriver, setDriverStage, type DriverStage } from '../helpers/driver-stage.ts'
import { opencode2Program } from '../helpers/opencode-2.ts'
import { commandLines, serversOf } from '../helpers/processes.ts'
import { waitFor } from '../helpers/wait-for.ts'

const found = opencode2Program()
const why = 'why' in found ? ` (${found.why})` : ''
const program = 'program' in found ? found.program : ''

const shell = (command: string, more: object = {}) => `TOOL{{shell ${JSON.stringify({ command, ...more })}}}`
const tool = (name: string, input: object) => `TOOL{{${name} ${JSON.stringify(input)}}}`

describe.skipIf(why !== '')(`opencode 2.0.15${why}`, () => {
  let driver: Driver
  let stage: DriverStage
  let pmSession: string
  let count = 0

  const write = (file: string, text: string) => {
    fs.mkdirSync(path.dirname(path.join(stage.home.paths.home, file)), { recursive: true })
    fs.writeFileSync(path.join(stage.home.paths.home, file), text)
  }
  /** A new agent with a session file, as if it had a run. */
  const agent = async (rules: Parameters<DriverStage['session']>[1] = []) => {
    const name = `agent-${++count}`
    const directory = stage.worktree(name)
    const id = await stage.session(directory, rules)
    const record = { type: 'forked', opencode_session_id: id, issue_ref: `forge.test/a/b#${count}`, run: {} }
    write(`sessions/${name}.json`, JSON.stringify({ ...record, worktree_path: directory }))
    return { id, directory, issue: `forge.test/a/b#${count}` }
  }
  /** What the last call of a tool gave the model. */
  const told = () => stage.model.turns().at(-1)?.lastText ?? ''
  const say = async (session: { id: string; directory: string }, text: string, more = {}) =>
    stage.end(session, await stage.say(session, text, more))
  const providers = async (name: string) => (await stage.client.usable(stage.worktree(name))).providers

  beforeAll(async () => {
    driver = await bundledDriver('opencode2/driver.ts', 'opencode2')
    stage = await setDriverStage(driver, program, {
      agents: { [pmAgentName]: pmAgentDefinition(), extra: { mode: 'primary', prompt: 'YOU ARE EXTRA' } },
    })
    writeProgram(stage.home)
    write('env/default.env', 'export TOKEN="everybody"\nexport OPENCODE_PASSWORD="from-file"\n')
    write('env/dev.env', 'export TOKEN="dev"\n')
    const { userHome } = stage.home
    const auth = path.join(userHome, '.local/share/opencode/auth.json')
    fs.mkdirSync(path.dirname(auth), { recursive: true })
    const oauth = { type: 'oauth', refresh: 'r', access: 'a', expires: 1 }
    fs.writeFileSync(auth, JSON.stringify({ anthropic: { type: 'api', key: 'k1' }, xai: oauth }))
    const stored = openSqlite(path.join(userHome, '.local/share/opencode/opencode.db'), { timeoutMs: 1_000 })
    stored.exec(
      `CREATE TABLE credential (id text PRIMARY KEY, integration_id text, label text, value text, connector_id text,
         method_id text, active integer, time_created integer, time_updated integer);
       INSERT INTO credential VALUES ('cred_1', 'openai', 'OpenAI', '{"type":"key","key":"k2"}', NULL, NULL, 1, 5, 5)`,
    )
    stored.close()
    await stage.boot()
    // Where nothing is loaded yet.
    const pm = { title: 'pm', text: 'PM INSTRUCTIONS', agent: pmAgentName }
    pmSession = await stage.client.createPrimed(stage.home.paths.base, pm)
  })
  afterAll(() => stage?.cleanup())

  it('has the logins of the user in a database of its own', async () => {
    expect(await providers('logins')).toEqual(expect.arrayContaining(['anthropic', 'openai', 'scripted']))
    const auth = path.join(stage.home.userHome, '.local/share/opencode/auth.json')
    fs.writeFileSync(auth, '{"groq":{"type":"api","key":"k3"}}')
    driver.renewFiles(stage.home, { program: '', mark: '' })
    const after = await providers('other-logins')
    expect(after).toEqual(expect.arrayContaining(['groq', 'openai']))
    expect(after).not.toContain('anthropic')
    const ours = openSqlite(driver.storeFile(stage.home), { timeoutMs: 1_000, readonly: true })
    expect(ours.all('SELECT id FROM credential ORDER BY id').map(({ id }) => id)).toEqual([
      'cred_kugetsu_cred_1',
      'cred_kugetsu_file_groq',
    ])
    ours.close()
    const usersTables = openSqlite(path.join(path.dirname(auth), 'opencode.db'), { timeoutMs: 1_000, readonly: true })
    expect(usersTables.all('SELECT name FROM sqlite_master').map(({ name }) => name)).not.toContain('session_v2')
    usersTables.close()
    expect(stage.warnings).toEqual([])
  })

  it('gives an agent and its sub-agents their variables, and nothing of the server', async () => {
    const own = await agent()
    const look = shell('env | sort')
    const subagent = tool('subagent', { agent: 'general', description: 'x', prompt: `FROM-THE-PARENT ${look}` })
    await say(own, `${look} ${subagent}`)
    const looks = stage.model.turns().filter(({ lastText }) => lastText.includes('KUGETSU_DIR='))
    expect(looks.map(({ asked }) => asked.startsWith('You are a subagent'))).toEqual([false, true])
    for (const { lastText } of looks) {
      expect(lastText).toContain('TOKEN=dev\n')
      expect(lastText).toContain(`KUGETSU_ISSUE_REF=${own.issue}\n`)
      expect(lastText).toContain('KUGETSU_SERVER=marker\n')
      expect(lastText).toMatch(/KUGETSU_CALL=call_\w+\n/)
      expect(lastText).toMatch(/^PATH=[^:]*\/opencode\/bin:/m)
      expect(lastText).not.toMatch(/OPENCODE_(?:PASSWORD|SERVER_PASSWORD|DB|CONFIG_CONTENT)/)
    }
  })

  it('refuses by policy what would wait for a person, with the reason, and notes it', async () => {
    const own = await agent([{ permission: 'bash', pattern: '*', action: 'ask' }])
    const noted = () => readJournal(stage.home, { issueRef: own.issue }).map(({ reason }) => reason)
    await say(own, shell('echo asked'))
    expect(told()).toContain('kugetsu refused this by policy: shell (echo asked)')
    expect(await stage.client.asks(own.directory)).toEqual([])
    write('config', 'PERMISSION_POLICY=allow\n')
    await say(own, shell('echo allowed'))
    expect(told()).toBe('allowed\n')
    write('config', '')
    // A variable with the name of a secret has this value (see beforeAll).
    await say(own, shell('echo everybody-else'))
    const again = 'rejected shell echo everybody-else'.replace('everybody', '***MASKED***')
    expect(noted()).toEqual(['rejected shell echo asked', 'allowed shell echo allowed', again])
  })

  it('holds the PM agent to its programs and tools', async () => {
    const { base } = stage.home.paths
    const pm = { directory: base, id: pmSession }
    await stage.client.place(pm.id, { directory: base, rules: [], title: 'pm', isNew: false })
    write('sessions/pm-agent.json', JSON.stringify({ type: 'pm_agent', opencode_session_id: pm.id, run: {} }))
    write('worktrees/agent-1/.env', 'SECRET')
    write('worktrees/agent-1/README.md', 'the readme')
    const worktree = path.join(stage.home.paths.worktrees, 'agent-1')
    const asked = async (text: string) => {
      await say(pm, text, { agent: pmAgentName })
      return told()
    }
    expect(await asked(shell('kugetsu list > file'))).toContain(
      'kugetsu refused this command, and nothing of it was run',
    )
    expect(await asked(shell('node -e 1'))).toContain('kugetsu refused this command')
    expect(await asked(shell(`cd ${worktree} && git log --oneline`))).toMatch(/[0-9a-f]{7} one/)
    expect(await asked(tool('read', { path: path.join(worktree, 'README.md') }))).toContain('the readme')
    expect(await asked(tool('read', { path: path.join(worktree, '.env') }))).toMatch(/refused/)
    expect(await asked(tool('read', { path: path.join(stage.home.paths.env, 'dev.env') }))).toMatch(/refused/)
    expect(await asked(tool('write', { path: path.join(worktree, 'x'), content: 'x' }))).toMatch(
      /refused|No tool named/,
    )
    expect(fs.existsSync(path.join(worktree, 'x'))).toBe(false)
    expect(stage.model.turns().at(-1)?.tools).not.toEqual(expect.arrayContaining(['subagent']))
    await expect(stage.client.createPrimed(base, { title: 'x', text: 'x', agent: 'nobody' })).rejects.toMatchObject({
      code: 'priming_failed',
    })
  })

  it('runs no command in the background, and offers no way to another directory', async () => {
    const own = await agent()
    await say(own, shell('sleep 0.2; echo in front', { background: true }))
    expect(told()).toBe('in front\n')
    expect(stage.model.turns().at(-1)?.system).not.toMatch(/session_move|tools\.browser/)
    await say(own, tool('execute', { code: 'return Object.keys(tools.opencode ?? {}).join()' }))
    expect(told()).not.toContain('session_move')
  })

  it('takes an agent for one prompt, and refuses to start without an answer for one that is not there', async () => {
    const own = await agent()
    await say(own, 'SAY{{planned}}', { agent: 'extra' })
    expect(stage.model.turns('SAY{{planned}}').at(-1)?.system).toContain('YOU ARE EXTRA')
    expect((await say(own, 'SAY{{x}}', { agent: 'nobody' })).outcome).toMatchObject({
      kind: 'done',
      error: 'Agent not found: "nobody"',
    })
    expect((await say(own, 'SAY{{y}}', { agent: 'build', model: 'scripted/none' })).outcome).toMatchObject({
      kind: 'done',
      error: 'Model unavailable: scripted/none',
    })
    expect((await say(own, 'SAY{{z}}', { agent: 'build' })).observed.answer).toBe('z')
  })

  it('tells a run that ended with the promise of a call from an answer', async () => {
    const own = await agent()
    expect((await say(own, 'SAY{{now I will}} FINISH=tool_calls')).outcome).toMatchObject({ kind: 'lacking' })
  })

  it('reads no device and waits at no pipe in the place of a file of the project', async () => {
    const directory = stage.worktree('pipe')
    execFileSync('mkfifo', [path.join(directory, 'AGENTS.md')])
    const id = await stage.session(directory)
    expect((await say({ id, directory }, 'SAY{{through}}')).observed.answer).toBe('through')
    const device = stage.worktree('device')
    fs.symlinkSync('/dev/zero', path.join(device, 'AGENTS.md'))
    await expect(stage.client.warmUp(device)).rejects.toMatchObject({ code: 'bad_repository_config' })
    await expect(stage.session(device)).rejects.toMatchObject({ code: 'bad_repository_config' })
    const odd = stage.worktree('odd')
    fs.mkdirSync(path.join(odd, 'opencode.json'))
    await expect(stage.client.agents(odd)).rejects.toMatchObject({ code: 'bad_repository_config' })
  })

  it('works in directories with any signs in their names', async () => {
    for (const name of ['100%41b c', 'ü"q&x=y#z+1']) {
      const directory = path.join(stage.home.paths.worktrees, name)
      fs.mkdirSync(directory)
      const id = await stage.session(directory)
      await say({ id, directory }, shell('pwd'))
      expect(told()).toBe(`${directory}\n`)
    }
  })

  it('takes a server that was told to end for no person who stopped the agent', async () => {
    const [hanging, working] = [await agent(), await agent()]
    const first = await stage.say(hanging, 'HANG! in vain')
    await stage.model.turn('HANG! in vain')
    const second = await stage.say(working, shell('sleep 616'))
    await waitFor('the command', () => commandLines().includes('sleep 616'))
    const [server] = serversOf(stage.home.userHome)
    process.kill(server?.pid ?? 0, 'SIGTERM')
    await waitFor('the end of the server', () => serversOf(stage.home.userHome).length === 0)
    await stage.boot()
    for (const [{ id, directory }, prompt] of [
      [hanging, first],
      [working, second],
    ] as const) {
      const observed = await stage.client.observe(id, directory, [prompt])
      expect(observed?.busy).toBe(false)
      expect(observed?.messages.at(-1)).toMatchObject({ error: undefined, aborted: false })
      expect((await say({ id, directory }, 'SAY{{went on}}')).observed.answer).toBe('went on')
    }
  })

  it.each([
    ['fails', 'broken', 'export default { id: "kugetsu.environment", setup: () => { throw new Error("broken") } }'],
    ['has the form of opencode 1', 'without it', 'export const KugetsuEnvironment = async () => ({})'],
  ])('sends no prompt where its plugin %s', async (_, reason, text) => {
    const broken: Driver = {
      ...driver,
      launch: (home, own) => {
        const launched = driver.launch(home, own)
        fs.writeFileSync(path.join(home.paths.opencode, 'plugin', 'index.js'), text)
        return launched
      },
    }
    const other = await setDriverStage(broken, program)
    try {
      await other.boot()
      const message = expect.stringContaining(reason)
      await expect(other.session(other.worktree('one'))).rejects.toMatchObject({ code: 'guard_missing', message })
      expect(other.model.requests).toEqual([])
    } finally {
      await other.cleanup()
    }
  })
})
