/**
 * The server of opencode 2 and the daemon, killed at each step of a message's way: no message is lost, none is told twice, none
 * that was answered is paid for again.
 */
import * as fs from 'node:fs'
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resumeMessage } from '../../src/agents/dev-agent.ts'
import type { SessionView } from '../../src/sessions/status/session-view.ts'
import { runJson } from '../helpers/kugetsu.ts'
import { opencode2Program } from '../helpers/opencode-2.ts'
import { daemonsOf, killAndWait, leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

const found = opencode2Program()
const why = 'why' in found ? ` (${found.why})` : ''

describe.skipIf(why !== '')(`opencode 2.0.15${why}`, () => {
  let stage: Stage
  let proxy: Proxy
  beforeAll(async () => {
    const broken = new Set<string>()
    stage = await setStage({
      ...found,
      config: { MAX_CONCURRENT_AGENTS: 10 },
      // The answer to HALF breaks off, the first time.
      model: {
        answer: ({ asked, conversation }) => {
          if (!asked.includes('HALF') || broken.has(conversation)) return undefined
          broken.add(conversation)
          return { text: 'This is half of', hang: true }
        },
      },
    })
    proxy = await startProxy(stage)
  })
  afterAll(async () => {
    await stage?.cleanup()
    proxy?.close()
  })

  const sessionOf = (number: number) => String(stage.file(number)?.['opencode_session_id'])
  /** What users have said in the session of an issue, kugetsu included. */
  const told = async (number: number) => {
    const { json } = await stage.opencode(`/api/session/${sessionOf(number)}/message?limit=200&order=asc`)
    const { data } = json as { data: { type: string; text?: string }[] }
    return data.filter(({ type }) => type === 'user').map(({ text = '' }) => text)
  }
  const times = (texts: string[], part: string) => texts.filter((text) => text.includes(part)).length
  /** The states of all issues. */
  const states = async () => {
    const { json } = await runJson<SessionView[]>(stage.home, ['list', '--json'])
    return json.filter(({ issue_ref: issue }) => issue !== null).map(({ state }) => state)
  }
  const start = (number: number, script: string) => stage.ok(['start', ref(number), script])
  const killDaemon = async () => {
    const [daemon] = daemonsOf(stage.home.root)
    await killAndWait(daemon?.pid ?? 0)
  }
  const killServer = () => killAndWait(stage.server()?.pid ?? 0)
  const isActive = async (number: number) => {
    const { json } = await stage.opencode('/api/session/active')
    return sessionOf(number) in (json as { data: object }).data
  }
  const hasCommand = (command: string) => leftovers(stage.home.root).some((each) => each.command === command)

  it('loses nothing with its server and the daemon, wherever its agents are', async () => {
    const [delivered, streaming, inCommand, admitted, answered] = [1, 2, 3, 4, 5] as const
    const all = [delivered, streaming, inCommand, admitted, answered]
    await start(delivered, 'GATE=delivered SAY{{one}}')
    await start(streaming, 'HALF SAY{{two}}')
    await start(inCommand, 'BASH{{echo run >> ran.txt; sleep 618}} SAY{{three}}')
    await start(admitted, 'GATE=admitted SAY{{four}}')
    await start(answered, 'GATE=answered SAY{{five}}')
    for (const part of ['GATE=delivered', 'HALF', 'GATE=admitted', 'GATE=answered']) await stage.model.turn(part)
    await stage.ok(['continue', ref(admitted), 'And this. SAY{{four and a half}}'])
    await waitFor('the command', () => hasCommand('sleep 618'))

    // The daemon alone: nobody is interrupted, and nothing is asked again.
    const before = stage.model.turns().length
    await killDaemon()
    expect(await states()).toEqual(all.map(() => 'running'))
    stage.model.release('answered')
    await waitFor('the end of its answer', async () => !(await isActive(answered)))
    expect(stage.model.turns().length).toBe(before)

    // The server too, before any daemon has seen that end.
    await killServer()
    expect(await states()).toEqual(all.map(() => 'interrupted'))
    for (const gate of ['delivered', 'admitted']) stage.model.release(gate)
    await stage.ok(['wait', ...all.map(ref)])
    expect(await states()).toEqual(all.map(() => 'idle'))
    expect(stage.slots()).toEqual([])
    expect(hasCommand('sleep 618')).toBe(false)

    for (const [number, part, resumed] of [
      [delivered, 'SAY{{one}}', 1],
      [streaming, 'SAY{{two}}', 1],
      [inCommand, 'SAY{{three}}', 1],
      [admitted, 'SAY{{four}}', 1],
      [admitted, 'SAY{{four and a half}}', 1],
      [answered, 'SAY{{five}}', 0],
    ] as const) {
      const texts = await told(number)
      expect([part, times(texts, part), times(texts, resumeMessage)]).toEqual([part, 1, resumed])
    }
    // The answer was paid for once, the command ran once, and all are told what they were told before.
    expect(stage.model.turns('SAY{{five}}')).toHaveLength(1)
    expect(fs.readFileSync(path.join(stage.worktree(inCommand), 'ran.txt'), 'utf8')).toBe('run\n')
    const last = stage.model.turns(resumeMessage)
    for (const part of ['SAY{{one}}', 'SAY{{two}}', 'SAY{{three}}', 'SAY{{four and a half}}']) {
      expect(last.some(({ messages }) => messages.some(({ text }) => text.includes(part)))).toBe(true)
    }
    expect(await stage.ok(['logs', ref(answered)])).toMatch(/five[^]*■ finished/)
  })

  it('takes a message whose reply is lost for sent, and sends it once', async () => {
    proxy.intercept('forward, then cut off')
    await stage.ok(['start', ref(6), 'GATE=six SAY{{six}}'])
    expect(proxy.intercepted()).toBe(1)
    await stage.model.turn('SAY{{six}}')
    proxy.intercept('forward, then cut off')
    await stage.ok(['continue', ref(6), 'SAY{{six and a half}}'])
    expect(proxy.intercepted()).toBe(1)
    stage.model.release('six')
    await stage.ok(['wait', ref(6)])
    const texts = await told(6)
    expect([times(texts, 'SAY{{six}}'), times(texts, 'SAY{{six and a half}}')]).toEqual([1, 1])
    expect([stage.model.turns('SAY{{six}}').length, stage.model.turns('SAY{{six and a half}}').length]).toEqual([1, 1])
  })

  it('answers a message once when it dies as soon as it has it', async () => {
    proxy.intercept('forward, then kill')
    await stage.ok(['start', ref(7), 'SAY{{seven}}', '--wait'])
    expect(proxy.intercepted()).toBe(1)
    expect(times(await told(7), 'SAY{{seven}}')).toBe(1)
    expect((await stage.session(7)).state).toBe('idle')
  })

  it('is told nothing when it dies before it has a message, and the task of the queue begins anew', async () => {
    proxy.intercept('kill')
    const { code, stderr } = await stage.kugetsu(['start', ref(8), 'SAY{{eight}}'])
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/Error: the opencode server died while the agent was being/),
    ])
    expect(proxy.intercepted()).toBe(1)
    expect([stage.slots(), stage.model.turns('SAY{{eight}}')]).toEqual([[], []])
    await stage.ok(['start', ref(8), 'SAY{{eight}}', '--wait'])
    expect(times(await told(8), 'SAY{{eight}}')).toBe(1)

    proxy.intercept('kill')
    await stage.ok(['queue', 'enqueue', ref(9), 'SAY{{nine}}'])
    await stage.ok(['queue-daemon', 'start'])
    await waitFor('its prompt', () => proxy.intercepted() === 1)
    await stage.model.turn('SAY{{nine}}')
    await stage.ok(['wait', ref(9)])
    expect([times(await told(9), 'SAY{{nine}}'), stage.model.turns('SAY{{nine}}').length]).toEqual([1, 1])
    await stage.ok(['queue-daemon', 'stop'])
  })

  it('leaves no process behind', async () => {
    await stage.home.cleanup()
    expect(leftovers(stage.home.root)).toEqual([])
  })
})

/** What becomes of the next prompt. */
type Fate = 'kill' | 'forward, then kill' | 'forward, then cut off'

interface Proxy {
  /** Puts itself in front of the server that runs, for the next prompt. */
  intercept: (fate: Fate) => void
  /** How many prompts it has intercepted since then. */
  intercepted: () => number
  close: () => void
}

/** Stands between kugetsu and its server: server.json names its port. */
async function startProxy(stage: Stage): Promise<Proxy> {
  const file = path.join(stage.home.kugetsuDir, 'opencode', 'server.json')
  let [target, pid, intercepted] = [0, 0, 0]
  let fate: Fate | undefined
  const server = http.createServer((request, response) => {
    const { method, headers, url: route } = request
    const cutOff = () => response.destroy()
    const isPrompt = method === 'POST' && route?.endsWith('/prompt') === true
    const mine = isPrompt ? fate : undefined
    if (mine !== undefined) {
      fate = undefined
      intercepted++
    }
    const kill = () => void killAndWait(pid).then(cutOff)
    if (mine === 'kill') return kill()
    const onward = http.request({ port: target, host: '127.0.0.1', path: route, method, headers }, (answer) => {
      if (mine === 'forward, then kill') return kill()
      if (mine === 'forward, then cut off') return cutOff()
      response.writeHead(answer.statusCode ?? 0, answer.headers)
      answer.pipe(response)
      return undefined
    })
    onward.on('error', cutOff)
    request.on('close', () => request.complete || onward.destroy())
    request.pipe(onward)
    return undefined
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    intercept: (next) => {
      const record = JSON.parse(fs.readFileSync(file, 'utf8')) as { pid: number; port: number }
      if (record.port !== port) target = record.port
      pid = record.pid
      intercepted = 0
      fate = next
      // At once, as kugetsu does: the daemon reads it at any moment, and starts a new server for half a file.
      fs.writeFileSync(`${file}.proxy`, JSON.stringify({ ...record, port }), { mode: 0o600 })
      fs.renameSync(`${file}.proxy`, file)
    },
    intercepted: () => intercepted,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
