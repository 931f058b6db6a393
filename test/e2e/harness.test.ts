import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createHome, type Home } from '../helpers/home.ts'
import { startModel, type TestModel } from '../helpers/model.ts'
import { leftovers } from '../helpers/processes.ts'
import { waitFor } from '../helpers/wait-for.ts'

// What every other end-to-end test stands on: the real opencode, in a home of its own, does what the script says.

let model: TestModel
let home: Home

beforeEach(async () => {
  model = await startModel()
  home = createHome({ modelUrl: model.url })
})

afterEach(async () => {
  await home.cleanup()
  await model.close()
})

test('the real opencode carries out a script in a home, and cleanup leaves nothing of it', async () => {
  const opencode = await startOpencode()
  const { id } = await opencode.post<{ id: string }>('/session', { title: 'scripted' })

  await opencode.prompt(id, 'BASH{{echo hi > out.txt}} TOOL{{nonsense {"a": {"b": 1}}}} SAY{{finished}}')
  const text = await opencode.lastText(id, 'finished')

  expect(text).toBe('finished')
  expect(fs.readFileSync(path.join(home.cwd, 'out.txt'), 'utf8')).toBe('hi\n')
  expect(model.turns('out.txt').map((turn) => turn.lastRole)).toEqual(['user', 'tool', 'tool'])
  // By the session's id, where opencode tells the provider of it, which older ones do not.
  expect(new Set(model.turns('out.txt').map((turn) => turn.conversation)).size).toBe(1)
  expect(fs.existsSync(home.opencodeDatabase)).toBe(true)
  expect(leftovers(home.root).map(({ pid }) => pid)).toContain(opencode.pid)

  await home.cleanup()
  expect(leftovers(home.root)).toEqual([])
  expect(fs.existsSync(home.root)).toBe(false)
})

test('a message to a busy agent starts a script of its own, and a failing model is asked again', async () => {
  const opencode = await startOpencode()
  const { id } = await opencode.post<{ id: string }>('/session', { title: 'scripted' })

  await opencode.prompt(id, 'GATE=steered BASH{{echo first > first.txt}} SAY{{never said}}')
  await model.turn('GATE=steered')
  await opencode.prompt(id, 'FAILONCE=500 BASH{{echo second > second.txt}} SAY{{steered well}}')
  model.release('steered')

  expect(await opencode.lastText(id, 'steered well')).toBe('steered well')
  expect(fs.existsSync(path.join(home.cwd, 'first.txt'))).toBe(true)
  expect(fs.existsSync(path.join(home.cwd, 'second.txt'))).toBe(true)
  expect(model.turns('FAILONCE').map((turn) => turn.lastRole)).toEqual(['user', 'user', 'tool'])
})

async function startOpencode() {
  const child = spawn('opencode', ['serve', '--hostname', '127.0.0.1', '--port', '0'], {
    cwd: home.cwd,
    env: { ...home.env, OPENCODE_SERVER_PASSWORD: 'secret' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text))
  const url = await waitFor('opencode serve to listen', () => {
    if (child.exitCode !== null) throw new Error(`it ended: ${said}`)
    return /listening on (http:\S+)/.exec(said)?.[1]
  })

  const request = async (method: string, route: string, body?: object): Promise<Response> => {
    const response = await fetch(`${url}${route}?directory=${encodeURIComponent(home.cwd)}`, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from('opencode:secret').toString('base64')}`,
        'content-type': 'application/json',
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(60_000),
    })
    if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${await response.text()}`)
    return response
  }
  return {
    pid: child.pid,
    post: async <T>(route: string, body: object) => (await (await request('POST', route, body)).json()) as T,
    prompt: (session: string, text: string) =>
      request('POST', `/session/${session}/prompt_async`, { parts: [{ type: 'text', text }] }),
    lastText: (session: string, wanted: string) =>
      waitFor(`the agent to say ${wanted}`, async () => {
        type Message = {
          info: { role: string; time: { completed?: number } }
          parts: { type: string; text?: string }[]
        }
        const messages = (await (await request('GET', `/session/${session}/message`)).json()) as Message[]
        const last = messages.at(-1)
        const text = last?.parts.findLast((part) => part.type === 'text')?.text
        if (last?.info.time.completed === undefined || text !== wanted) throw new Error(JSON.stringify(messages.at(-1)))
        return text
      }),
  }
}
