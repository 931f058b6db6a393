import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Item } from '../../src/queue/item.ts'
import type { SessionView } from '../../src/sessions/status/session-view.ts'
import { runJson } from '../helpers/kugetsu.ts'
import { killQuietly, leftovers } from '../helpers/processes.ts'
import { ctrlC, hasTerminals, inTerminal, openTerminal } from '../helpers/terminal.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

let stage: Stage
/** Lets the agents go on that are told to tidy up. */
let tidyUp = () => {}
beforeAll(async () => {
  const told = new Promise<undefined>((resolve) => (tidyUp = () => resolve(undefined)))
  stage = await setStage({
    config: { MAX_CONCURRENT_AGENTS: 1 },
    model: { answer: async ({ asked, system }) => (isPm(system) || !asked.includes('tidy up') ? undefined : told) },
  })
})
const skill = (name: string) =>
  fs.readFileSync(new URL(`../../skills/kugetsu/pm/${name}.md`, import.meta.url), 'utf8').trimEnd()
const instructions = skill('instructions')
const firstMessage = skill('first-message')
const isPm = (system: string) => system.includes('You are the project manager')

afterAll(() => stage.cleanup())

const at = (...parts: string[]) => path.join(stage.home.kugetsuDir, ...parts)
const delegate = async (message: string, ...flags: string[]) =>
  (await runJson<Item>(stage.home, ['delegate', message, '--json', ...flags])).json
const item = async (id: string) => (await runJson<Item>(stage.home, ['queue', 'show', id, '--json'])).json
const ended = (id: string) =>
  waitFor(`the end of ${id}`, async () => {
    const now = await item(id)
    return now.completed_at !== null && now
  })
const pmSession = async () =>
  (await runJson<SessionView[]>(stage.home, ['list', '--json'])).json.find(({ type }) => type === 'pm_agent')
/** What the tools answered since the last user message, which has `text`. */
function toolResults(text: string): string[] {
  const messages = stage.model.turns(text).at(-1)?.messages ?? []
  const from = messages.findLastIndex(({ role }) => role === 'user')
  return messages
    .slice(from + 1)
    .filter(({ role }) => role === 'tool')
    .map((message) => message.text)
}

describe('a message for the PM agent', () => {
  let id: string

  it('waits in the queue, and says that nothing takes it out', async () => {
    const said = await stage.ok(['delegate', `SAY{{a plan}} for ${ref(1)}, me/app#2 and #3.`])
    expect(said).toMatch(/^Queued for the PM agent as q_\d+; no daemon takes tasks\. Run: kugetsu queue-daemon start$/m)
    expect(said).toContain(`  about   ${ref(1)}\n`)
    id = /q_\d+/.exec(said)?.[0] ?? ''
    expect(said).toContain(`kugetsu logs -f ${id}`)
    expect(await item(id)).toMatchObject({ kind: 'pm', state: 'pending', issue_ref: null })
    expect(await stage.ok(['queue', 'list'])).toMatch(new RegExp(`${id} +pending +\\w+ +pm-agent +SAY`))
  })

  it('is not waited for then', async () => {
    const { code, stderr } = await stage.kugetsu(['delegate', 'SAY{{not for ever}}', '--wait'])
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^Error: pm-agent has a task in the queue \(q_\d+\), and no daemon/),
    ])
    await stage.ok(['queue', 'remove', /q_\d+/.exec(stderr)?.[0] ?? ''])
  })

  it('is answered once a daemon takes tasks, with what is known of its issues in front', async () => {
    await stage.ok(['queue-daemon', 'start'])
    expect(await ended(id)).toMatchObject({ state: 'completed', result: { answer: 'a plan' } })
    const [request] = stage.model.turns('a plan')
    expect(request?.system).toContain(instructions)
    expect(request?.messages.map(({ text }) => text).join('\n')).toContain(firstMessage)
    expect(request?.asked).toContain(`- ${ref(1)}: no session and no worktree`)
    expect(request?.asked).toContain('- github.com/me/app#2: no session')
    expect(request?.asked).not.toContain('#3:')
    expect(request?.asked.endsWith(`SAY{{a plan}} for ${ref(1)}, me/app#2 and #3.`)).toBe(true)
    const told = await stage.ok(['notify'])
    for (const type of ['task_queued', 'task_dequeued', 'task_started']) {
      expect(told).toMatch(new RegExp(`${type} +pm-agent +SAY`))
    }
    expect(told).toMatch(/task_completed +pm-agent +a plan\n/)
    expect(await stage.ok(['queue', 'show', id])).toMatch(/answer\n {4}a plan\n/)
  })

  it('and its answer are in a log of their own', async () => {
    const log = fs.readFileSync(at('logs', `delegate-${id}.log`), 'utf8')
    expect(log).toContain('a plan')
    expect(log).toContain('■ finished after')
    for (const what of [id, 'pm-agent']) expect(await stage.ok(['logs', what])).toBe(log)
    expect(await stage.ok(['logs', '-f', id])).toBe(log)
    expect(await stage.ok(['logs'])).toMatch(new RegExp(`delegate-${id}\\.log +\\w+ +completed +SAY`))
    expect(fs.statSync(at('logs', `delegate-${id}.log`)).mode & 0o777).toBe(0o600)
  })

  it('can be waited for', async () => {
    expect(await stage.ok(['delegate', 'SAY{{the answer\nof two lines}}', '--wait'])).toMatch(
      /^Queued .*\nthe answer\nof two lines\n$/,
    )
    const late = await stage.kugetsu(['delegate', 'GATE=late SAY{{late}}', '--wait', '--timeout', '0'])
    expect(late.code).toBe(124)
    stage.model.release('late')
  })

  it('is answered in as many words as KUGETSU_VERBOSITY says', async () => {
    stage.configure({ MAX_CONCURRENT_AGENTS: 1, KUGETSU_VERBOSITY: 'quiet' })
    await stage.ok(['delegate', 'SAY{{short}}', '--wait'])
    expect((await stage.model.turn('SAY{{short}}')).asked).toContain('Report in one line')
    stage.configure({ MAX_CONCURRENT_AGENTS: 1 })
  })
})

describe('the PM agent', () => {
  it('starts agents through its shell, takes no slot itself, and queues what has none', async () => {
    const start = (number: number) => `kugetsu start --queue ${ref(number)} 'tidy up ${number}'`
    const { id } = await delegate(`BASH{{${start(11)} && ${start(12)}}} BASH{{kugetsu list}} SAY{{handed out}}`)
    expect(await ended(id)).toMatchObject({ state: 'completed', result: { answer: 'handed out' } })
    const [started, listed] = toolResults('handed out')
    expect(started).toContain(`An agent works on ${ref(11)}`)
    expect(started).toMatch(new RegExp(`Queued ${ref(12)} as q_\\d+\n`))
    expect(listed).toMatch(new RegExp(`${ref(11)} +forked +running`))
    expect(stage.slots().filter((name) => name.endsWith('.slot'))).toHaveLength(1)
    tidyUp()
    await waitFor('both agents to be done', async () => {
      const { json } = await runJson<Item[]>(stage.home, ['queue', 'list', '--json'])
      return json.some(({ issue_ref, state }) => issue_ref === ref(12) && state === 'completed')
    })
    expect(stage.model.turns('tidy up 11')).not.toEqual([])
    expect(fs.existsSync(stage.worktree(12))).toBe(true)
  })

  it('is told of the sessions there are, also under the end of their ref', async () => {
    await stage.ok(['delegate', 'How are app#11 and #12? SAY{{well}}', '--wait'])
    const { asked } = await stage.model.turn('SAY{{well}}')
    expect(asked).toMatch(new RegExp(`- ${ref(11)}: its agent is idle\\. .*branch fix/issue-11`))
    expect(asked).toMatch(new RegExp(`- ${ref(12)}: its agent is idle\\.`))
  })

  it.skipIf(!hasTerminals)('is told what the person meant, who is asked on a terminal', async () => {
    await stage.ok(['server', 'add', 'work', stage.git.url])
    await stage.ok(['start', 'work/me/app#11', 'SAY{{the other}}', '--wait'])
    const question = /Which one\? \[1-2, Enter: delegate anyway\] $/
    const { code, shown } = await inTerminal(
      stage.home,
      ['delegate', 'Look at app#11. SAY{{looked}}'],
      [
        { question, answer: '3' },
        { question, answer: '2' },
      ],
    )
    expect(code).toBe(0)
    expect(shown).toMatch(/1 .*forge\.test\/me\/app#11.* idle, fix\/issue-11\r\n +2 .*work\/me\/app#11/)
    expect((await stage.model.turn('SAY{{looked}}')).asked).toContain('- work/me/app#11: its agent is idle')
    const unanswered = openTerminal(stage.home, ['delegate', 'Look at app#11.'])
    await unanswered.until(question)
    unanswered.type(ctrlC)
    expect([await unanswered.ended, unanswered.shown()]).toEqual([130, expect.stringContaining('Error: not delegated')])
    const kept = await inTerminal(stage.home, ['destroy', 'work/me/app#11'], [{ question: /\[y\/N\] $/, answer: 'n' }])
    expect(kept).toMatchObject({ code: 1, shown: expect.stringContaining('not destroyed') })
  })

  it('cannot write, nor get around that with its shell, nor do what is for a person', async () => {
    const file = path.join(stage.home.root, 'written')
    const refused = [
      `echo x > ${file}`,
      `kugetsu list > ${file}`,
      `kugetsu list | tee ${file}`,
      `> ${file}`,
      `export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.fsmonitor GIT_CONFIG_VALUE_0="touch ${file}"; git status`,
      `kugetsu list "$(touch ${file})"`,
      'kugetsu delegate "and again"',
      `kugetsu destroy -y --force ${ref(11)}`,
      `cd ${stage.worktree(11)} && git log -1 --o\\utput=${file}`,
      `cd ${stage.worktree(11)} && git branch --list --no-list -D fix/issue-11`,
      `head ${at('env', 'default.env')}`,
      `cd ${stage.worktree(11)} && git diff README.md ../../env/default.env`,
      `kugetsu pm-shell 'kugetsu list' > ${file}`,
      `kugetsu start ${ref(13)} 'with another model' --model other/one`,
    ]
    const script = refused.map((command) => `BASH{{${command}}}`).join(' ')
    const write = `TOOL{{write {"filePath": "${file}", "content": "x"}}}`
    const read = `TOOL{{read {"filePath": "${at('env', 'default.env')}"}}}`
    const search = `TOOL{{grep {"pattern": "TOKEN", "path": "${stage.worktree(11)}", "include": ".env"}}}`
    await stage.ok(['delegate', `${script} ${write} ${read} ${search} SAY{{nothing worked}}`, '--wait'])
    const results = toolResults('nothing worked')
    expect(results).toHaveLength(refused.length + 3)
    // opencode would print all of its rules each time.
    expect(Math.max(...results.map(({ length }) => length))).toBeLessThan(500)
    expect(results.filter((text) => !/refused|prevents|denied|not allowed|unavailable/i.test(text))).toEqual([])
    expect(fs.existsSync(file)).toBe(false)
    expect(fs.existsSync(stage.worktree(11))).toBe(true)
    expect(results.join('\n')).not.toContain('GITHUB_TOKEN')
    const looks = `BASH{{cd ${stage.worktree(11)} && git branch --list 'fix/issue-11' | grep -o 'fix.*'}}`
    await stage.ok(['delegate', `${looks} SAY{{looked around}}`, '--wait'])
    expect(toolResults('looked around')).toEqual(['fix/issue-11\n'])
    // Were its shell's rules lifted, the command would still say no.
    const forbidden = await stage.kugetsu(['delegate', 'again'], { env: { KUGETSU_AGENT: 'pm-agent' } })
    expect(forbidden).toMatchObject({ code: 1, stderr: expect.stringContaining('the PM agent cannot delegate') })
  })

  it('gets one message at a time, and can be stopped', async () => {
    const first = await delegate('GATE=first SAY{{first}}')
    const second = await delegate('SAY{{second}}')
    await stage.model.turn('GATE=first')
    expect((await pmSession())?.state).toBe('running')
    expect((await item(second.id)).state).toBe('pending')
    expect((await stage.kugetsu(['init', '--force'])).stderr).toContain('the PM agent is at work')
    expect((await stage.kugetsu(['destroy', '--pm-agent', '-y'])).stderr).toContain('the PM agent is at work')
    expect(await stage.ok(['stop', 'pm-agent'])).toContain('Stopped pm-agent')
    expect(await ended(first.id)).toMatchObject({ state: 'error', error: 'stopped' })
    expect(await ended(second.id)).toMatchObject({ state: 'completed', result: { answer: 'second' } })
    stage.model.release('first')
  })

  it('goes on, as itself, when the server dies under it', async () => {
    const { id } = await delegate('GATE=dying SAY{{survived}}')
    await stage.model.turn('GATE=dying')
    killQuietly(-(stage.server()?.pid ?? 0))
    stage.model.release('dying')
    expect(await ended(id)).toMatchObject({ state: 'completed' })
    const resumed = await stage.model.turn('You were interrupted in the middle of the last request')
    expect(isPm(resumed.system)).toBe(true)
    expect(resumed.messages.map(({ text }) => text).join('\n')).toContain('GATE=dying')
  })

  it('gets a new session when opencode has lost its own', async () => {
    const before = (await pmSession())?.opencode_session_id ?? ''
    await stage.look().remove(before)
    await stage.ok(['delegate', 'SAY{{born again}}', '--wait'])
    expect((await pmSession())?.opencode_session_id).not.toBe(before)
    const request = await stage.model.turn('born again')
    expect(isPm(request.system)).toBe(true)
    expect(request.asked).toMatch(/the delegator asked:\n> SAY\{\{short\}\}[^]*the agent answered:\n> short\n/)
  })

  it('leaves no process behind', async () => {
    await stage.ok(['queue-daemon', 'stop'])
    expect(leftovers(stage.home.root).filter(({ command }) => !command.includes('opencode'))).toEqual([])
  })
})
