import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createHome, type Home } from '../helpers/home.ts'
import { startModel, type TestModel } from '../helpers/model.ts'
import { opencode2Program } from '../helpers/opencode-2.ts'
import { opencode1Program } from '../helpers/opencode.ts'
import { leftovers } from '../helpers/processes.ts'
import { waitFor } from '../helpers/wait-for.ts'

// What every other end-to-end test stands on: the real opencode, in a home of its own, does what the script says.

type Request = <T>(method: string, route: string, body?: object) => Promise<T>

interface Kind {
  name: string
  found: { program: string } | { why: string }
  /** Makes a session; its id. */
  session: (request: Request) => Promise<string>
  prompt: (request: Request, session: string, text: string) => Promise<unknown>
  /** The last text of the last message once that is complete. */
  last: (request: Request, session: string) => Promise<string | undefined>
}

interface Answer {
  type?: string
  info?: { time: { completed?: number } }
  time?: { completed?: number }
  parts?: { type: string; text?: string }[]
  content?: { type: string; text?: string }[]
}

const textOf = (answer: Answer | undefined) => {
  if ((answer?.info ?? answer)?.time?.completed === undefined) return undefined
  return (answer?.parts ?? answer?.content)?.findLast(({ type }) => type === 'text')?.text
}

const kinds: Kind[] = [
  {
    name: 'opencode 1',
    found: { program: opencode1Program },
    session: async (request) => (await request<{ id: string }>('POST', '/session', { title: 'scripted' })).id,
    prompt: (request, id, text) => request('POST', `/session/${id}/prompt_async`, { parts: [{ type: 'text', text }] }),
    last: async (request, id) => textOf((await request<Answer[]>('GET', `/session/${id}/message`)).at(-1)),
  },
  {
    name: 'opencode 2.0.15',
    found: opencode2Program(),
    session: async (request) => {
      const made = {
        title: 'scripted',
        location: { directory: home.cwd },
        model: { providerID: 'scripted', id: 'one' },
      }
      return (await request<{ data: { id: string } }>('POST', '/api/session', made)).data.id
    },
    prompt: (request, id, text) =>
      request('POST', `/api/session/${id}/prompt`, { id: `msg_${randomBytes(12).toString('hex')}`, text }),
    last: async (request, id) => {
      const { data } = await request<{ data: Answer[] }>('GET', `/api/session/${id}/message?order=asc`)
      return textOf(data.filter(({ type }) => type === 'assistant').at(-1))
    },
  },
]

let model: TestModel
let home: Home

for (const kind of kinds) {
  const why = 'why' in kind.found ? ` (${kind.found.why})` : ''
  describe.skipIf(why !== '')(`${kind.name}${why}`, () => {
    beforeEach(async () => {
      model = await startModel()
      home = createHome({ modelUrl: model.url, ...kind.found })
    })

    afterEach(async () => {
      await home.cleanup()
      await model.close()
    })

    test('carries out a script in a home, and cleanup leaves nothing of it', async () => {
      const opencode = await startOpencode(kind)
      const id = await opencode.session()

      await opencode.prompt(id, 'BASH{{echo hi > out.txt}} TOOL{{nonsense {"a": {"b": 1}}}} SAY{{finished}}')
      const text = await opencode.lastText(id, 'finished')

      expect(text).toBe('finished')
      expect(fs.readFileSync(path.join(home.cwd, 'out.txt'), 'utf8')).toBe('hi\n')
      expect(model.turns('out.txt').map((turn) => turn.lastRole)).toEqual(['user', 'tool', 'tool'])
      // By the session's id, where opencode tells the provider of it, which older ones do not.
      expect(new Set(model.turns('out.txt').map((turn) => turn.conversation)).size).toBe(1)
      expect(fs.existsSync(path.join(home.opencodeData, 'opencode.db'))).toBe(true)
      expect(leftovers(home.root).map(({ pid }) => pid)).toContain(opencode.pid)

      await home.cleanup()
      expect(leftovers(home.root)).toEqual([])
      expect(fs.existsSync(home.root)).toBe(false)
    })

    test('a message to a busy agent starts a script of its own, and a failing model is asked again', async () => {
      const opencode = await startOpencode(kind)
      const id = await opencode.session()

      await opencode.prompt(id, 'GATE=steered BASH{{echo first > first.txt}} SAY{{never said}}')
      await model.turn('GATE=steered')
      await opencode.prompt(id, 'FAILONCE=500 BASH{{echo second > second.txt}} SAY{{steered well}}')
      model.release('steered')

      expect(await opencode.lastText(id, 'steered well')).toBe('steered well')
      expect(fs.existsSync(path.join(home.cwd, 'first.txt'))).toBe(true)
      expect(fs.existsSync(path.join(home.cwd, 'second.txt'))).toBe(true)
      expect(model.turns('FAILONCE').map((turn) => turn.lastRole)).toEqual(['user', 'user', 'tool'])
    })
  })
}

async function startOpencode(kind: Kind) {
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

  const request: Request = async <T>(method: string, route: string, body?: object) => {
    const address = new URL(route, url)
    address.searchParams.set('directory', home.cwd)
    const response = await fetch(address, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from('opencode:secret').toString('base64')}`,
        'content-type': 'application/json',
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(60_000),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${text}`)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }
  return {
    pid: child.pid,
    session: () => kind.session(request),
    prompt: (session: string, text: string) => kind.prompt(request, session, text),
    lastText: (session: string, wanted: string) =>
      waitFor(`the agent to say ${wanted}`, async () => {
        const text = await kind.last(request, session)
        if (text !== wanted) throw new Error(String(text))
        return text
      }),
  }
}
