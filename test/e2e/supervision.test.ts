import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Notification } from '../../src/activity/notification.ts'
import { runJson } from '../helpers/kugetsu.ts'
import { killAndWait, leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

const interrupted = 'Your work was interrupted'
const config = { MAX_CONCURRENT_AGENTS: 3 }

let stage: Stage
let hangWhenResumed = false
beforeAll(async () => {
  stage = await setStage({
    config,
    opencode: { permission: { bash: { '*': 'allow', 'touch asked*': 'ask' } } },
    model: {
      answer: ({ agentTurn, asked }) =>
        hangWhenResumed && agentTurn && asked.includes(interrupted) ? { hang: true } : undefined,
    },
  })
})
afterAll(() => stage.cleanup())

const inWorktree = (number: number, name: string) => path.join(stage.worktree(number), name)
const daemonPid = () => Number(fs.readFileSync(path.join(stage.home.kugetsuDir, 'queue', 'daemon.pid'), 'utf8'))
const livesHere = (pid: number) => leftovers(stage.home.root).some((one) => one.pid === pid)
const transcript = (number: number) => stage.ok(['logs', ref(number)])
const count = (text: string, pattern: RegExp) => [...text.matchAll(new RegExp(pattern, 'gm'))].length
/** The notifications of interruptions of an issue. */
const toldOfInterruptions = async (number: number) =>
  (await runJson<Notification[]>(stage.home, ['notify', 'list', '--all', '--json'])).json.flatMap(
    ({ type, issue_ref: issue, message }) => (type === 'task_interrupted' && issue === ref(number) ? [message] : []),
  )
const resumed = () => stage.model.turns(interrupted).length

/** Kills a process of the home and waits until it is gone. */
async function kill(pid: number): Promise<void> {
  expect(livesHere(pid)).toBe(true)
  await killAndWait(pid)
}

/** A command that writes its pid and sleeps until it is ended; its pid. */
const sleeper = 'BASH{{echo $$ > pid.txt; exec sleep 1000}}'
const sleeping = (number: number) =>
  waitFor('the command of the agent', () => {
    const pid = Number(fs.readFileSync(inWorktree(number, 'pid.txt'), 'utf8'))
    return leftovers(stage.home.root).some((one) => one.pid === pid && one.command === 'sleep 1000') && pid
  })

describe('what an agent gets and leaves', () => {
  it('is followed by a daemon that start has started, into a transcript for its owner alone', async () => {
    await stage.ok(['start', ref(1), 'SAY{{I look around.}} BASH{{env > env.txt; echo seen}} SAY{{All is well.}}'])
    await waitFor('the daemon', () => livesHere(daemonPid()))
    await stage.ok(['wait', ref(1)])
    const text = await transcript(1)
    expect(text).toMatch(
      /^─+\nforge\.test\/me\/app#1\n {2}session +ses_\w+\n {2}worktree +\S+\n {2}branch +fix\/issue-1\n {2}started +[^\n]+\n─+\n/,
    )
    const blocks = [
      /^\d\d:\d\d:\d\d ▶ task$/m,
      /^\d\d:\d\d:\d\d ● agent\n {2}I look around\.$/m,
      /^\d\d:\d\d:\d\d \$ env > env\.txt; echo seen\n {2}seen$/m,
      /^\d\d:\d\d:\d\d ● agent\n {2}All is well\.$/m,
      /^\d\d:\d\d:\d\d ■ finished after /m,
    ].map((block) => text.search(block))
    expect(blocks).not.toContain(-1)
    expect(blocks).toEqual([...blocks].sort((a, b) => a - b))
    const id = (await stage.session(1)).opencode_session_id
    const file = path.join(stage.home.kugetsuDir, 'logs', `dev-${id}.log`)
    expect(fs.statSync(file).mode & 0o777).toBe(0o600)
  })

  it('never includes the password of the server', () => {
    const { password } = stage.server() ?? { password: '' }
    expect(password.length).toBeGreaterThan(20)
    const environment = fs.readFileSync(inWorktree(1, 'env.txt'), 'utf8')
    expect(environment).toContain('KUGETSU_WORKTREE=')
    expect(environment).not.toContain(password)
    expect(leftovers(stage.home.root).filter(({ command }) => command.includes(password))).toEqual([])
    const holding = fs
      .readdirSync(stage.home.root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name))
      .filter((file) => fs.readFileSync(file).includes(password))
    expect(holding).toEqual([path.join(stage.home.kugetsuDir, 'opencode', 'server.json')])
  })
})

describe('requests of an agent', () => {
  it('are rejected with a reason that it reads', async () => {
    await stage.ok(['start', ref(2), 'BASH{{touch asked.txt}} SAY{{after the refusal}}', '--wait'])
    expect(fs.existsSync(inWorktree(2, 'asked.txt'))).toBe(false)
    const turns = stage.model.turns('after the refusal')
    expect(turns.at(-1)?.lastRole).toBe('tool')
    expect(turns.at(-1)?.lastText).toContain(
      `kugetsu refused this by policy: ${stage.look().tools.shell} (touch asked.txt)`,
    )
    expect(await transcript(2)).toMatch(/refused this by policy[^]*after the refusal[^]*■ finished/)
  })

  it('are granted with PERMISSION_POLICY=allow, from the next one on', async () => {
    stage.configure({ ...config, PERMISSION_POLICY: 'allow' })
    await stage.ok(['continue', ref(2), 'BASH{{touch asked.txt}} SAY{{after the grant}}', '--wait'])
    expect(fs.existsSync(inWorktree(2, 'asked.txt'))).toBe(true)
    stage.configure(config)
  })

  it('for an answer of a person do not make it wait for ever', async () => {
    await stage.ok(['continue', ref(2), 'QUESTION! SAY{{after the question}}', '--wait'])
    expect(await stage.session(2)).toMatchObject({ state: 'idle' })
    expect(stage.model.turns('after the question').length).toBeGreaterThan(1)
  })
})

describe('TASK_TIMEOUT_HOURS', () => {
  it('ends the agent and its command, and is told', async () => {
    await stage.ok(['start', ref(3), 'SAY{{warm}}', '--wait'])
    stage.configure({ ...config, TASK_TIMEOUT_HOURS: 0.001 })
    await stage.ok(['continue', ref(3), sleeper])
    const pid = await sleeping(3)
    stage.configure(config)
    const waited = await stage.kugetsu(['wait', ref(3)])
    expect(waited.code).toBe(1)
    expect(waited.stdout).toContain(`timeout  ${ref(3)}: stopped after`)
    expect(await stage.session(3)).toMatchObject({
      state: 'timeout',
      last_error: expect.stringContaining('TASK_TIMEOUT_HOURS'),
    })
    await waitFor('the end of the command', () => !livesHere(pid))
    expect(stage.slots()).toEqual([])
    expect(await transcript(3)).toMatch(/■ timed out after/)
  })
})

describe('a daemon that is killed', () => {
  const script =
    'SAY{{one}} BASH{{echo first}} SAY{{two}} BASH{{until [ -e go ]; do sleep 0.1; done; echo second}} SAY{{three}}'

  it('is replaced by the next command, and nothing is lost or told twice', async () => {
    await stage.ok(['start', ref(4), script])
    await waitFor('the first command in the transcript', async () => /\$ echo first\n/.test(await transcript(4)))
    await waitFor('the second command', () => stage.model.turns('echo first').length === 2)
    await kill(daemonPid())

    fs.writeFileSync(inWorktree(4, 'go'), '')
    await waitFor('the last turn', () => stage.model.turns('echo first').length === 3)
    expect(stage.file(4)).toMatchObject({ state: 'running' })
    await stage.ok(['wait', ref(4)])
    await waitFor('another daemon', () => livesHere(daemonPid()))
    const text = await transcript(4)
    for (const once of [
      /▶ task$/,
      /● agent\n {2}one$/,
      /\$ echo first$/,
      /● agent\n {2}two$/,
      /\$ until .*echo second$/,
      /● agent\n {2}three$/,
      /■ finished after/,
    ]) {
      expect(count(text, once), String(once)).toBe(1)
    }
    expect(stage.slots()).toEqual([])
  })
})

describe('a run that a command settles while no daemon lives', () => {
  it('has its whole transcript all the same', async () => {
    await stage.ok(['start', ref(14), 'BASH{{until [ -e go ]; do sleep 0.1; done; echo printed}} SAY{{settled}}'])
    await stage.model.turn('SAY{{settled}}')
    await kill(daemonPid())
    fs.writeFileSync(inWorktree(14, 'go'), '')
    await waitFor('list to settle it', async () => (await stage.session(14)).state === 'idle')
    expect(livesHere(daemonPid())).toBe(false)
    const logs = await stage.ok(['logs', ref(14)])
    for (const once of [/^ +printed$/, /● agent\n {2}settled$/, /■ finished after/]) {
      expect(count(logs, once), String(once)).toBe(1)
    }
    expect(stage.file(14)).not.toHaveProperty('unwritten')
  })
})

describe('without a daemon, and while none can start', () => {
  it('an agent is stopped and its run is settled by the command', async () => {
    const from = stage.model.turns('GATE=unfollowed').length
    await stage.ok(['start', ref(15), 'GATE=unfollowed SAY{{never said}}'])
    await waitFor('the turn', () => stage.model.turns('GATE=unfollowed').length > from)
    await waitFor('the daemon', () => livesHere(daemonPid()))
    await kill(daemonPid())
    const log = path.join(stage.home.kugetsuDir, 'queue', 'daemon.log')
    fs.truncateSync(log, 50_000_000)
    fs.mkdirSync(`${log}.1`) // so the log can neither be moved away nor written on
    const stopped = await stage.kugetsu(['stop', ref(15)])
    expect(stopped).toMatchObject({ code: 0, stdout: expect.stringContaining('Stopped') })
    expect(stopped.stderr).toMatch(/^Warning: no daemon follows the agents: /m)
    expect(stage.file(15)).toMatchObject({ state: 'idle', run: null })
    expect(stage.slots()).toEqual([])
    fs.truncateSync(log)
    fs.rmdirSync(`${log}.1`)
  })
})

describe('a server that is killed', () => {
  it('is restarted, its orphans ended, and the agent goes on in its own session', async () => {
    await stage.ok(['start', ref(5), `SAY{{I had begun}} ${sleeper}`])
    const command = await sleeping(5)
    const before = { server: stage.server(), session: (await stage.session(5)).opencode_session_id }
    await kill(before.server?.pid ?? 0)

    await stage.ok(['wait', ref(5)])
    await waitFor('the end of the orphan', () => !livesHere(command))
    expect(await stage.session(5)).toMatchObject({ state: 'idle', opencode_session_id: before.session })
    expect(stage.server()?.marker).not.toBe(before.server?.marker)
    const [turn, ...more] = stage.model.turns(interrupted)
    expect(more).toEqual([])
    const texts = turn?.messages.map(({ text }) => text) ?? []
    const at = (text: string) => texts.findIndex((one) => one.includes(text))
    expect(at('I had begun')).toBeGreaterThan(0)
    expect(at(interrupted)).toBeGreaterThan(at('I had begun'))
    expect(await transcript(5)).toMatch(
      /▶ task[^]*I had begun[^]*▶ message\n {2}Your work was interrupted[^]*■ finished/,
    )
    expect(await toldOfInterruptions(5)).toEqual(['the opencode server died; the agent is resumed'])
    expect(stage.slots()).toEqual([])
  })

  it('together with the daemon is seen by the next command, which starts both', async () => {
    const from = resumed()
    await stage.ok(['continue', ref(4), 'HANG! for both'])
    await stage.model.turn('HANG! for both')
    await waitFor('the daemon', () => livesHere(daemonPid()))
    await kill(daemonPid())
    await kill(stage.server()?.pid ?? 0)
    expect(await stage.session(4)).toMatchObject({ state: 'interrupted' })
    const told = await toldOfInterruptions(4)
    expect(told.at(-1)).toContain('the next daemon resumes it')
    await stage.ok(['wait', ref(4)])
    expect(await toldOfInterruptions(4)).toEqual(told)
    expect(resumed()).toBe(from + 1)
    expect(await stage.session(4)).toMatchObject({ state: 'idle' })
  })

  it('three times under one task ends the task', async () => {
    hangWhenResumed = true
    const from = resumed()
    await stage.ok(['continue', ref(5), 'HANG! again'])
    await stage.model.turn('HANG! again')
    for (const time of [1, 2, 3]) {
      await kill(stage.server()?.pid ?? 0)
      if (time < 3) await waitFor(`resumption ${time}`, () => resumed() === from + time)
    }
    const waited = await stage.kugetsu(['wait', ref(5)])
    hangWhenResumed = false
    expect(waited.code).toBe(1)
    expect(waited.stdout).toContain(`error  ${ref(5)}: the opencode server died 3 times under this task`)
    expect(resumed()).toBe(from + 2)
    expect(stage.slots()).toEqual([])
    await stage.ok(['continue', ref(5), 'SAY{{fine again}}', '--wait'])
  })
})

describe('an agent whose model', () => {
  const begin = (number: number, script: string) =>
    stage.ok([stage.file(number) ? 'continue' : 'start', ref(number), script])
  const turns = (script: string) => stage.model.turns(script).length
  const end = async (number: number) => {
    const { code, stdout } = await stage.kugetsu(['wait', ref(number)])
    return `${code} ${stdout.trim().replace(`  ${ref(number)}`, '')}`
  }

  it('ends without an answer is told to go on, once, and then has failed', async () => {
    const [mute, quiet] = ['REASON{{hm}} RESUMES!', 'BASH{{echo seen}} SAY{{}}']
    await begin(4, 'SAY{{half a}} FINISH=length')
    await begin(5, mute)
    await begin(6, quiet)
    expect(await end(4)).toBe('0 idle')
    expect(await transcript(4)).toMatch(/half a\n[^]*▶ message\n {2}Your last turn ended without an answer[^]*Done\./)
    expect(await end(5)).toBe(
      '1 error: no answer: it thought, and neither said nor did anything, even after it was told to go on',
    )
    expect(turns('Your last turn ended')).toBe(2) // once each
    expect(await end(6)).toBe('0 idle') // it has nothing to add to what it did
    expect(turns(quiet)).toBe(2)
    expect(await stage.ok(['explain', ref(5)])).toContain('no answer')
  })

  it('goes round in circles is stopped with the reason', async () => {
    // A model that answers at once has taken some steps more before the daemon can have stopped it.
    const calls = 'SLEEP=0.5 TOOL{{no_such_tool {}}} LOOP!'
    await begin(5, calls)
    expect(await end(5)).toMatch(/^1 error: aborted: the same call of no_such_tool failed 10 times in a row: \S/)
    expect(turns(calls)).toBeLessThan(20)
    expect(stage.slots()).toEqual([])
  })

  it('has not read a message, because opencode summed it up first, is told it again', async () => {
    await begin(6, 'TOKENS=199000 BASH{{touch full; until [ -e read-on ]; do sleep 0.1; done}}')
    await waitFor('the step that fills the context', () => fs.existsSync(inWorktree(6, 'full')))
    await stage.ok(['continue', ref(6), 'BASH{{touch second}} SAY{{the second is done}}'])
    fs.writeFileSync(inWorktree(6, 'read-on'), '')
    expect(await end(6)).toBe('0 idle')
    expect(fs.existsSync(inWorktree(6, 'second'))).toBe(true)
    expect(await transcript(6)).toMatch(/summarised to make room[^]*the second is done/)
  })
})

describe('what a command prints beyond what the model is given', () => {
  it('is kept from other users, and goes with the session and its sub-agents', async () => {
    const sub = '{"description": "count", "subagent_type": "general", "prompt": "BASH{{seq 80000}}"}'
    await stage.ok(['continue', ref(6), `BASH{{seq 90000}} TOOL{{task ${sub}}}`, '--wait'])
    const { children, outputs } = stage.look()
    const session = String(stage.file(6)?.['opencode_session_id'])
    const sessions = [session, ...(await children(session))]
    // Those that messages name: where the output comes in two pieces at once, opencode makes a file that none of them does.
    const files = [...new Set((await Promise.all(sessions.map(outputs))).flat())]
    expect(files).toHaveLength(2)
    expect(files.filter((file) => !fs.existsSync(file))).toEqual([])
    const directory = path.dirname(files[0] ?? '')
    expect(fs.statSync(stage.look().outputDirectory).mode & 0o777).toBe(0o700)
    const other = path.join(directory, path.basename(files[0] ?? '').replace(/_\w+/, '_of_another'))
    fs.writeFileSync(other, '')
    await stage.ok(['destroy', ref(6), '--force', '-y'])
    expect(fs.existsSync(other)).toBe(true)
    expect(files.filter((file) => fs.existsSync(file))).toEqual([])
  })
})

describe('when nothing is at work any more', () => {
  it('the daemon stops the server and ends, and the next start begins anew', async () => {
    stage.configure({ ...config, KUGETSU_SERVER_IDLE_MINUTES: 0 })
    await stage.ok(['continue', ref(1), 'SAY{{the last}}', '--wait'])
    await waitFor('the end of all processes', () => leftovers(stage.home.root).length === 0)
    expect(stage.server()).toBeUndefined()
    const { json } = await runJson(stage.home, ['status', '--json'])
    expect(json).toMatchObject({ status: 'ok', daemon: { running: false }, server: { running: false } })

    stage.configure(config)
    await stage.ok(['continue', ref(1), 'SAY{{once more}}', '--wait'])
    const texts = stage.model
      .turns('once more')[0]
      ?.messages.map(({ text }) => text)
      .join('\n')
    expect(texts).toContain('I look around.')
  })

  it('nothing is left behind', async () => {
    await stage.home.cleanup()
    expect(leftovers(stage.home.root)).toEqual([])
  })
})
