/**
 * What every driver does, through its interface alone and with the real program: the same tests for each. A driver that is
 * added to the list has to pass them.
 */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PermissionRule } from '../../src/driver/client.ts'
import { knownSessions } from '../../src/driver/known-sessions.ts'
import type { Entry, ServerEvent } from '../../src/driver/entry.ts'
import { bundledDriver, setDriverStage, usualRules, type DriverStage } from '../helpers/driver-stage.ts'
import { opencode2Program } from '../helpers/opencode-2.ts'
import { opencode1Program } from '../helpers/opencode.ts'
import { commandLines } from '../helpers/processes.ts'
import { waitFor } from '../helpers/wait-for.ts'

interface Kind {
  name: string
  /** Where the driver is in src/, and what it is exported as. */
  from: readonly [file: string, name: string]
  /** The program, or why there is none. */
  found: { program: string } | { why: string }
  /** Has the scripted model run a command, or give work to a sub-agent. */
  command: (command: string) => string
  subagent: (prompt: string) => string
}

const kinds: Kind[] = [
  {
    name: 'opencode 1',
    from: ['opencode/driver.ts', 'opencode'],
    found: { program: opencode1Program },
    command: (command) => `BASH{{${command}}}`,
    subagent: (prompt) =>
      `TOOL{{task ${JSON.stringify({ subagent_type: 'general', description: 'part of it', prompt })}}}`,
  },
  {
    name: 'opencode 2.0.15',
    from: ['opencode2/driver.ts', 'opencode2'],
    found: opencode2Program(),
    command: (command) => `TOOL{{shell ${JSON.stringify({ command })}}}`,
    subagent: (prompt) => `TOOL{{subagent ${JSON.stringify({ agent: 'general', description: 'part of it', prompt })}}}`,
  },
]

const askFirst: PermissionRule[] = [{ permission: 'bash', pattern: '*', action: 'ask' }]

for (const kind of kinds) {
  const why = 'why' in kind.found ? ` (${kind.found.why})` : ''
  describe.skipIf(why !== '')(`${kind.name}${why}`, () => {
    let stage: DriverStage
    let offersDenied = false
    let count = 0
    /** A new agent in a worktree of its own. */
    const agent = async (rules: PermissionRule[] = []) => {
      const directory = stage.worktree(`agent-${++count}`)
      return { directory, id: await stage.session(directory, rules) }
    }
    /** What opencode 1.2 offers although rules deny it, and refuses when it is called. */
    const offered = ({ tools }: { tools: string[] }) => (offersDenied ? [] : tools)
    const observe = ({ id, directory }: { id: string; directory: string }, prompt: string) =>
      stage.client.observe(id, directory, [prompt])
    const runs = (command: string) => commandLines().some((line) => line === command)

    beforeAll(async () => {
      stage = await setDriverStage(await bundledDriver(...kind.from), 'program' in kind.found ? kind.found.program : '')
      await stage.boot()
      const version = execFileSync('program' in kind.found ? kind.found.program : '', ['--version'], {
        encoding: 'utf8',
      })
      offersDenied = version.startsWith('1.2.')
    })
    afterAll(() => stage?.cleanup())

    it('knows a server of its kind that takes the password', async () => {
      const { driver, home } = stage
      const endpoint = stage.endpoint()
      expect(await stage.client.isUp(5_000)).toBe(true)
      const up = (port: number, password: string) => driver.connect(home, { port, password }, home.signal).isUp(5_000)
      expect(await up(endpoint.port, 'wrong')).toBe(false)
      const page = http.createServer((_, response) => {
        response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>opencode</title>')
      })
      await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve))
      const { port } = page.address() as AddressInfo
      expect(await up(port, endpoint.password)).toBe(false)
      await new Promise((resolve) => page.close(resolve))
      expect(await up(port, endpoint.password)).toBe(false)
      expect(() => driver.requireWorkable(home.paths.home)).not.toThrow()
    })

    it('tells the agents, settings and models of a directory, loaded or not', async () => {
      const directory = stage.worktree('facts')
      await stage.client.warmUp(directory)
      const agents = await stage.client.agents(directory)
      expect(agents[0]).toEqual({ name: 'build', isPrimary: true, isWithoutTools: false })
      expect(agents.find(({ name }) => name === 'general')?.isPrimary).toBe(false)
      const fresh = stage.worktree('more-facts')
      expect((await stage.client.defaults(fresh)).model).toBe('scripted/one')
      const usable = await stage.client.usable(fresh)
      expect(usable.providers).toContain('scripted')
      expect([usable.has('scripted/one'), usable.has('scripted/two'), usable.has('none/one')]).toEqual([
        true,
        false,
        false,
      ])
      expect(usable.isOnlyFree).toBe(false)
      expect(await stage.client.mcpTrouble(fresh, 5_000)).toEqual([])
    })

    it('forks what a base was told, and places it under rules of its own', async () => {
      const { client, home } = stage
      const { id, directory } = await agent()
      expect(await client.has(id, home.paths.base)).toBe(true)
      await client.place(id, { directory, rules: usualRules, title: 'again', isNew: false })
      const prompt = await stage.say({ id, directory }, `${kind.command('pwd -P')} SAY{{placed}}`)
      expect((await stage.end({ id, directory }, prompt)).observed.answer).toBe('placed')
      const asked = await stage.model.turn('SAY{{placed}}')
      expect([asked.system, ...asked.messages.map(({ text }) => text)].join('\n')).toContain('BASE INSTRUCTIONS')
      expect(offered(asked)).not.toContain('question')
      expect(stage.model.turns('SAY{{placed}}').at(-1)?.lastText).toContain(fs.realpathSync(directory))
      await expect(client.fork('ses_none', home.paths.base)).rejects.toMatchObject({ code: 'base_session_missing' })
    })

    it('takes a prompt once, however often it is sent, and tells the answer and the cost', async () => {
      const own = await agent()
      const text = `GATE=once ${kind.command('echo counted')} SAY{{the answer}}`
      const prompt = await stage.say(own, text)
      await stage.model.turn(text)
      await stage.say(own, text, { messageId: prompt })
      expect(await observe(own, prompt)).toMatchObject({ busy: true, answer: undefined })
      expect(await stage.client.isAtWork(own.id, { directory: own.directory, near: own.directory })).toBe(true)
      expect(await stage.client.isBusy(own.directory)).toBe(true)
      expect(await stage.client.isBusy(stage.home.paths.base)).toBe(false)
      stage.model.release('once')
      const { observed, outcome } = await stage.end(own, prompt)
      expect(outcome).toEqual({ kind: 'done', error: undefined, aborted: false })
      expect(observed).toMatchObject({ busy: false, retry: undefined, answer: 'the answer' })
      // Two steps; a server may also pay for a title.
      expect(observed.cost).toBeGreaterThan(0.000027)
      expect(observed.cost).toBeLessThan(0.00005)
      expect(observed.tokens).toMatchObject({ input: expect.any(Number), output: expect.any(Number) })
      await stage.say(own, text, { messageId: prompt })
      const again = await stage.end(own, prompt)
      expect(again.outcome).toEqual(outcome)
      const prompts = again.observed.messages.filter(({ role, text: said }) => role === 'user' && said.includes(text))
      expect(prompts.map(({ id }) => id)).toEqual([prompt])
      expect(await stage.client.hasMessage(own.id, own.directory, prompt)).toBe(true)
      expect(await stage.client.hasMessage(own.id, own.directory, 'msg_000000000001AAAAAAAAAAAAAA')).toBe(false)
      expect(await stage.client.isAtWork(own.id, { directory: own.directory, near: own.directory })).toBe(false)
      expect(await stage.client.observe('ses_none', own.directory, [prompt])).toBeUndefined()
    })

    it('tells why a model refuses', async () => {
      const own = await agent()
      const { outcome } = await stage.end(own, await stage.say(own, 'FAIL=400'))
      expect(outcome).toMatchObject({ kind: 'done', aborted: false, error: expect.stringContaining('scripted 400') })
      const next = await stage.end(own, await stage.say(own, 'SAY{{well again}}'))
      expect(next.outcome).toMatchObject({ kind: 'done', error: undefined })
    })

    it('waits and tries again when a model fails', async () => {
      const own = await agent()
      const prompt = await stage.say(own, 'FAILONCE=500 SAY{{at last}}')
      const seen = await waitFor('the failure', async () => (await observe(own, prompt))?.retry)
      expect(seen).toEqual({ attempt: 1, text: expect.stringContaining('scripted 500') })
      expect(await stage.client.retryOf(own.id, own.directory)).toEqual(seen)
      expect((await stage.end(own, prompt)).observed.answer).toBe('at last')
      expect(stage.events).toContainEqual({ type: 'retry', sessionId: own.id, retry: seen })
      expect(await stage.client.retryOf(own.id, own.directory)).toBeUndefined()
    })

    it('tells an answer that is cut off from a whole one', async () => {
      const own = await agent()
      const { outcome } = await stage.end(own, await stage.say(own, 'FINISH=length SAY{{half an ans}}'))
      expect(outcome).toEqual({ kind: 'lacking', how: 'cut off at its output limit' })
    })

    it('interrupts an agent with its command, and the command of its sub-agent', async () => {
      const own = await agent()
      for (const [seconds, text] of [
        ['611', kind.command('sleep 611')],
        ['612', kind.subagent(kind.command('sleep 612'))],
      ] as const) {
        const prompt = await stage.say(own, text)
        await waitFor('the command', () => runs(`sleep ${seconds}`))
        await stage.client.interrupt(own.id, own.directory)
        expect((await stage.end(own, prompt)).outcome).toMatchObject({ kind: 'done', aborted: true })
        await waitFor('the end of the command', () => !runs(`sleep ${seconds}`))
        expect(await stage.client.isBusy(own.directory)).toBe(false)
      }
    })

    it('lets a message join an agent at work', async () => {
      const own = await agent()
      const first = await stage.say(own, `GATE=steered ${kind.command('echo worked')} SAY{{never said}}`)
      await stage.model.turn('GATE=steered')
      const second = await stage.say(own, 'SAY{{steered}}')
      expect(await stage.client.hasMessage(own.id, own.directory, second)).toBe(true)
      expect((await stage.client.observe(own.id, own.directory, [first, second]))?.busy).toBe(true)
      stage.model.release('steered')
      const { observed, outcome } = await stage.end(own, first, second)
      expect([outcome.kind, observed.answer]).toEqual(['done', 'steered'])
    })

    it('answers what an agent waits for', async () => {
      const own = await agent(askFirst)
      const asked = async (answer: 'once' | { refused: string }) => {
        const prompt = await stage.say(own, `${kind.command(`echo ${JSON.stringify(answer).length}`)} SAY{{went on}}`)
        const [ask] = await waitFor('the request', async () => {
          const asks = await stage.client.asks(own.directory)
          return asks.length > 0 && asks
        })
        expect(ask).toMatchObject({
          sessionId: own.id,
          kind: 'permission',
          permission: expect.stringMatching(/bash|shell/),
        })
        expect(ask?.patterns.join()).toContain('echo')
        if (ask !== undefined) await stage.client.answer(ask, own.directory, answer)
        const { observed } = await stage.end(own, prompt)
        return { answer: observed.answer, calls: observed.messages.flatMap(({ calls }) => calls).at(-1) }
      }
      expect(await asked('once')).toEqual({ answer: 'went on', calls: 'finished' })
      expect(await asked({ refused: 'kugetsu refused this' })).toEqual({ answer: 'went on', calls: 'failed' })
      expect(stage.events).toContainEqual({ type: 'news', sessionId: own.id, news: 'asked' })
    })

    it('refuses a question, and the agent goes on', async () => {
      const own = await agent([{ permission: 'question', pattern: '*', action: 'allow' }])
      const prompt = await stage.say(own, 'QUESTION! SAY{{without an answer}}')
      const [ask] = await waitFor('the question', async () => {
        const asks = await stage.client.asks(own.directory)
        return asks.length > 0 && asks
      })
      expect(ask).toMatchObject({ sessionId: own.id, kind: 'question' })
      if (ask !== undefined) await stage.client.answer(ask, own.directory, { refused: 'kugetsu refused this' })
      expect((await stage.end(own, prompt)).observed.answer).toBe('without an answer')
    })

    it('tells by its events what the transcript says, sub-agents included', async () => {
      const own = await agent()
      const text = `REASON{{a thought}} ${kind.command('echo printed; exit 3')} ${kind.subagent('SAY{{a part}}')} SAY{{all of it}}`
      const prompt = await stage.say(own, text)
      await stage.end(own, prompt)
      await waitFor('the end as news', () =>
        stage.events.some((event) => event.type === 'news' && event.sessionId === own.id && event.news === 'changed'),
      )
      const told = (await stage.client.transcript(own.id, own.directory)) ?? []
      const from = told.findIndex(({ message }) => message.id === prompt)
      const lines = told.slice(from).flatMap(({ entries }) => entries.map(shown))
      expect(lines).toEqual([
        `text ${text}`,
        'thought a thought',
        '$ echo printed; exit 3\n  printed\n  (exit code 3)\n',
        expect.stringMatching(/^▷ sub-agent general: part of it\n$/),
        'text all of it',
      ])
      const entries = told.slice(from).flatMap((each) => each.entries)
      const heard = lastEntries(stage.events).filter(({ isFinished, messageId }) => isFinished || messageId === prompt)
      const texts = new Map(heard.map((entry) => [entry.id, shown(entry)]))
      expect(entries.map(({ id }) => texts.get(id))).toEqual(entries.map(shown))
      const child = stage.events.find((event) => event.type === 'child' && event.parentId === own.id)
      expect(child).toBeDefined()
      expect(lastEntries(stage.events).map(shown)).toContain('text a part')
      const over = stage.events.flatMap((event) =>
        event.type === 'message' && event.message.isOver && event.message.sessionId === own.id ? [event.message] : [],
      )
      expect([...new Map(over.map(({ id, finish }) => [id, finish])).values()]).toEqual([
        'tool-calls',
        'tool-calls',
        'stop',
      ])
      expect(stage.events.filter(({ type }) => type === 'misread')).toEqual([])
    })

    it('tells of a command while it runs', async () => {
      const own = await agent()
      const prompt = await stage.say(own, kind.command('echo $KUGETSU_CALL > call; sleep 613'))
      const entry = await waitFor('the command', () =>
        lastEntries(stage.events).find(
          (each) => each.sessionId === own.id && each.kind === 'call' && each.call.command,
        ),
      )
      const command = entry.kind === 'call' ? entry.call.command : undefined
      const file = path.join(own.directory, 'call')
      await waitFor('its id', () => fs.existsSync(file) && fs.readFileSync(file, 'utf8') !== '')
      expect(fs.readFileSync(file, 'utf8').trim()).toBe(command?.callId)
      expect(Math.abs(Date.now() - (command?.startedAt ?? 0))).toBeLessThan(60_000)
      await stage.client.interrupt(own.id, own.directory)
      await stage.end(own, prompt)
    })

    it('knows the long outputs of commands, and keeps them from others', async () => {
      const own = await agent()
      await stage.end(own, await stage.say(own, kind.command('seq 1 40000')))
      const outputs = await stage.client.outputsOf(own.id, own.directory)
      expect(outputs).toHaveLength(1)
      expect(fs.readFileSync(outputs[0] ?? '', 'utf8')).toContain('\n20000\n')
      expect(stage.driver.lookAtOutputs(stage.home)).toMatchObject({ open: false })
      expect(stage.driver.lookAtOutputs(stage.home)?.files).toBeGreaterThan(0)
    })

    it('removes a session, and closes a directory with the agents in it', async () => {
      const [own, other] = [await agent(), await agent()]
      await stage.client.remove(own.id, stage.home.paths.base)
      expect(await stage.client.has(own.id, stage.home.paths.base)).toBe(false)
      await stage.client.remove(own.id, stage.home.paths.base)
      expect(await stage.client.transcript(own.id, stage.home.paths.base)).toBeUndefined()
      await stage.say(other, kind.command('sleep 614'))
      await waitFor('the command', () => runs('sleep 614'))
      await stage.client.close(other.directory)
      await waitFor('the end of the command', () => !runs('sleep 614'))
      expect(await stage.client.has(other.id, stage.home.paths.base)).toBe(true)
    })

    it('goes on in its own session after its server was killed', async () => {
      const { driver, home } = stage
      const own = await agent()
      await stage.end(own, await stage.say(own, 'SAY{{before}}'))
      const prompt = await stage.say(own, kind.command('sleep 615'))
      await waitFor('the command', () => runs('sleep 615'))
      await stage.kill()
      expect(driver.lookAtStore(home)).toMatchObject({ missing: [] })
      expect(driver.lookAtStore(home)?.sessions.has(own.id)).toBe(true)
      expect(knownSessions(driver, home, [own.id, 'ses_none'])).toEqual(new Set([own.id]))
      const rules: PermissionRule[] = [...usualRules, { permission: 'edit', pattern: '*', action: 'deny' }]
      expect(
        driver.storeRules(
          home,
          [own.id, 'ses_none'].map((id) => ({ id, rules })),
        ),
      ).toEqual([own.id])
      await stage.boot()
      await stage.client.warmUp(own.directory)
      expect(await stage.client.isAtWork(own.id, { directory: own.directory, near: home.paths.base })).toBe(false)
      const write = `TOOL{{write ${JSON.stringify({ filePath: path.join(own.directory, 'denied.txt'), content: 'x' })}}}`
      const cut = await observe(own, prompt)
      expect(cut).toMatchObject({ busy: false, answer: undefined })
      expect(cut?.messages.at(-1)).toMatchObject({ completed: false, error: undefined, calls: ['cut off'] })
      const { observed, outcome } = await stage.end(own, prompt, await stage.say(own, `${write} SAY{{after}}`))
      expect([outcome.kind, observed.answer]).toEqual(['done', 'after'])
      const asked = await stage.model.turn('SAY{{after}}')
      expect(asked.messages.map(({ text }) => text)).toEqual(expect.arrayContaining(['SAY{{before}}', 'before']))
      expect(offered(asked)).not.toContain('edit')
      expect(fs.existsSync(path.join(own.directory, 'denied.txt'))).toBe(false)
    })

    it('attaches a person to a session', () => {
      const { args, env } = stage.driver.attach(stage.endpoint(), { id: 'ses_x', directory: '/tmp' })
      expect(args).toEqual(expect.arrayContaining(['--session', 'ses_x']))
      expect(args.join(' ')).not.toContain(stage.endpoint().password)
      expect(Object.values(env)).toEqual([stage.endpoint().password])
    })
  })
}

/** The last that was told of each entry. */
function lastEntries(events: ServerEvent[]): Entry[] {
  return [
    ...new Map(events.flatMap((event) => (event.type === 'entry' ? [[event.entry.id, event.entry]] : []))).values(),
  ]
}

function shown(entry: Entry): string {
  if (entry.kind === 'call') return entry.call.show({ directory: undefined, mask: (text) => text })
  return 'text' in entry ? `${entry.kind} ${entry.text}` : entry.kind
}
