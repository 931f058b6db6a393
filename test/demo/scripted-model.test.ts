import { once } from 'node:events'
import * as net from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { resumeMessage } from '../../src/agents/dev-agent.ts'
import { startScriptedModel, type ScriptedModel, type ScriptedModelOptions } from '../../src/demo/scripted-model.ts'
import { waitFor } from '../helpers/wait-for.ts'

type Message = { role: string; content: string | { type: string; text: string }[] }

interface Delta {
  content?: string
  tool_calls?: { id: string; function: { name: string; arguments: string } }[]
}

interface Chunk {
  choices: { delta: Delta; finish_reason?: string }[]
  usage?: { total_tokens: number }
}

const toolNames = ['bash', 'write']
let model: ScriptedModel | undefined

afterEach(async () => {
  await model?.close()
})

async function start(options?: ScriptedModelOptions): Promise<ScriptedModel> {
  model = await startScriptedModel(options)
  return model
}

function user(content: string): Message {
  return { role: 'user', content }
}

/** The conversation after `count` tool calls of an agent that was asked `content`. */
function after(count: number, content: string): Message[] {
  const turn = [
    { role: 'assistant', content: '' },
    { role: 'tool', content: 'result' },
  ]
  return [user(content), ...Array.from({ length: count }, () => turn).flat()]
}

function post(messages: Message[], extra: object = {}, init: RequestInit = {}): Promise<Response> {
  return fetch(`${model?.url}/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({
      model: 'one',
      stream: true,
      messages,
      tools: toolNames.map((name) => ({ type: 'function', function: { name } })),
      ...extra,
    }),
    ...init,
  })
}

/** One turn, its stream put together again. */
async function ask(messages: Message[], extra: object = {}) {
  const response = await post(messages, extra)
  expect(response.status).toBe(200)
  const events = (await response.text()).split('\n\n').filter((event) => event !== '')
  expect(events.at(-1)).toBe('data: [DONE]')
  const chunks = events.slice(0, -1).map((event) => JSON.parse(event.replace('data: ', '')) as Chunk)
  const choices = chunks.flatMap((chunk) => chunk.choices)
  const call = choices.flatMap(({ delta }) => delta.tool_calls ?? [])[0]
  return {
    text: choices.map(({ delta }) => delta.content ?? '').join(''),
    pieces: choices.filter(({ delta }) => delta.content !== undefined).length,
    call: call && { name: call.function.name, args: JSON.parse(call.function.arguments) as Record<string, unknown> },
    finish: choices.at(-1)?.finish_reason,
    tokens: chunks.at(-1)?.usage?.total_tokens,
  }
}

describe('a script', () => {
  test('is carried out one tool call a turn, by the tool results so far', async () => {
    await start()
    const script =
      'Please BASH{{echo one}} then TOOL{{write {"filePath": "a", "content": "{{}} }"}}} and SAY{{all is well}}.'

    const first = await ask(after(0, script))
    expect(first.call).toMatchObject({ name: 'bash', args: { command: 'echo one' } })
    expect(first.finish).toBe('tool_calls')
    const second = await ask(after(1, script))
    expect(second.call).toEqual({ name: 'write', args: { filePath: 'a', content: '{{}} }' } })
    const third = await ask(after(2, script))
    expect(third).toMatchObject({ text: 'all is well', call: undefined, finish: 'stop', tokens: 12 })
  })

  test('may speak before it calls a tool, and ends with Done. when nothing is left to say', async () => {
    await start()
    const script = 'SAY{{I look first}} BASH{{ls}}'

    expect(await ask(after(0, script))).toMatchObject({ text: 'I look first', call: { name: 'bash' } })
    expect(await ask(after(1, script))).toMatchObject({ text: 'Done.', call: undefined, finish: 'stop' })
    expect(await ask([user('no marker but SLEEP=0.01')])).toMatchObject({ text: 'Done.', finish: 'stop' })
  })

  test('streams longer text in pieces, whole characters each', async () => {
    await start()
    const text = 'A sentence that is longer than one piece. 🐢🐢🐢🐢🐢🐢🐢🐢🐢🐢🐢🐢'

    const answer = await ask([user(`SAY{{${text}}}`)])
    expect(answer.text).toBe(text)
    expect(answer.pieces).toBeGreaterThan(1)
  })

  test('of a newer user message replaces the one before', async () => {
    await start()
    const conversation = [...after(1, 'BASH{{one}} BASH{{two}}'), user('BASH{{three}} SAY{{steered}}')]

    expect((await ask(conversation)).call?.args['command']).toBe('three')
    expect((await ask([...conversation, ...after(1, '').slice(1)])).text).toBe('steered')
  })

  test('with RESUMES! goes on after an interruption, and does again what was cut off', async () => {
    await start()
    const cutOff = { role: 'tool', content: '[Tool execution was interrupted]' }
    const interrupted = (script: string) => [...after(1, script), { role: 'assistant', content: '' }, cutOff]
    const resumed = [...interrupted('RESUMES! BASH{{one}} BASH{{two}} SAY{{all}}'), user(resumeMessage)]

    expect((await ask(resumed)).call?.args['command']).toBe('two')
    const twice = [...resumed, { role: 'assistant', content: '' }, cutOff, user(resumeMessage)]
    expect((await ask(twice)).call?.args['command']).toBe('two')
    expect((await ask([...twice, ...after(1, '').slice(1)])).text).toBe('all')
    // Without the marker it is a message like any other, and so is any other message with it.
    expect((await ask([...interrupted('BASH{{one}} BASH{{two}}'), user(resumeMessage)])).text).toBe('Done.')
    expect((await ask([...interrupted('RESUMES! BASH{{one}} BASH{{two}}'), user('go on')])).text).toBe('Done.')
  })

  test('keeps braces that belong to the command or the arguments', async () => {
    await start()
    expect((await ask([user('BASH{{echo ${x}}} ok')])).call?.args['command']).toBe('echo ${x}')
    expect((await ask([user('TOOL{{task {"a":{"b":{}} }}} ok')])).call).toEqual({
      name: 'task',
      args: { a: { b: {} } },
    })
    expect((await ask([user('BASH{{FAIL=500 HANG! ./run}}')])).call?.args['command']).toBe('FAIL=500 HANG! ./run')
  })

  test('is read from a message in parts too, and asks questions', async () => {
    await start()
    const { call } = await ask([{ role: 'user', content: [{ type: 'text', text: 'well, QUESTION!' }] }])
    expect(call?.name).toBe('question')
    expect(call?.args['questions']).toHaveLength(1)
  })

  test.each(['BASH{{never closed', 'TOOL{{write {"a": }}', 'FAIL=soon'])(
    'that cannot be read is an error: %s',
    async (script) => {
      await start()
      const response = await post([user(script)])
      expect(response.status).toBe(400)
      expect(await response.text()).toContain('scripted model')
    },
  )
})

describe('failing', () => {
  test('happens on every try with FAIL, and on the first one with FAILONCE', async () => {
    await start()
    const failing = await post([user('FAIL=500')])
    expect([failing.status, await failing.json()]).toEqual([500, { error: { message: 'scripted 500' } }])
    expect((await post([user('FAIL=500')])).status).toBe(500)

    expect((await post([user('FAILONCE=429 SAY{{fine}}')])).status).toBe(429)
    expect((await ask([user('FAILONCE=429 SAY{{fine}}')])).text).toBe('fine')
  })

  test('once is once per message of a conversation', async () => {
    await start()
    const system = { role: 'system', content: 'another directory' }
    expect((await post([user('FAILONCE=500')])).status).toBe(500)
    expect((await post([system, user('FAILONCE=500')])).status).toBe(500)
    expect((await post([user('FAILONCE=500'), user('FAILONCE=500')])).status).toBe(500)
    expect((await post([system, user('FAILONCE=500')])).status).toBe(200)
  })

  test('comes in its turn, after the tool calls before it', async () => {
    await start()
    expect((await ask(after(0, 'BASH{{ls}} FAIL=500'))).call?.name).toBe('bash')
    expect((await post(after(1, 'BASH{{ls}} FAIL=500'))).status).toBe(500)
  })
})

describe('waiting', () => {
  test('at a gate lasts until it is released, for the first turn of a message alone', async () => {
    const { inFlight, release } = await start()
    let answered = false
    const waiting = ask(after(0, 'GATE=go.on SAY{{through}}.')).finally(() => (answered = true))
    await waitFor('the turn at the gate', () => inFlight() === 1)

    expect((await ask(after(1, 'GATE=go.on BASH{{ls}}'))).text).toBe('Done.')
    release('another')
    expect((await ask([user('GATE=another')])).text).toBe('Done.')
    expect([answered, inFlight()]).toEqual([false, 1])

    release('go.on')
    expect((await waiting).text).toBe('through')
    expect(inFlight()).toBe(0)
  })

  test('counts the turns in flight and their conversations; titles do not count', async () => {
    const { inFlight, peak, peakConversations, release, requests } = await start()
    const gated = user('GATE=all')
    const one = [ask([gated]), ask([gated])]
    const other = ask([{ role: 'system', content: 'elsewhere' }, gated])
    await waitFor('three turns', () => inFlight() === 3)
    expect((await ask([gated], { tools: [] })).text).not.toBe('')
    release('all')
    await Promise.all([...one, other])

    // One after the other adds nothing.
    for (let turn = 0; turn < 20; turn++) await ask([user('SAY{{next}}')])
    expect([inFlight(), peak(), peakConversations()]).toEqual([0, 3, 2])
    expect(requests.filter((request) => request.agentTurn)).toHaveLength(23)
    expect(requests).toHaveLength(24)
  })

  test('takes the session header for the conversation where there is one', async () => {
    const { requests } = await start()
    const headers = { 'x-session-affinity': 'ses_1' }
    await (await post([user('a')], {}, { headers })).text()
    await (await post([user('b')], {}, { headers })).text()
    expect(requests.map((request) => request.conversation)).toEqual(['ses_1', 'ses_1'])
  })

  test('ends when the client goes away', async () => {
    const { inFlight } = await start()
    const gone = new AbortController()
    const requests = ['HANG!', 'GATE=never', 'SLEEP=3600'].map((script) =>
      post([user(script)], {}, { signal: gone.signal }).catch((error: Error) => error.name),
    )
    await waitFor('three turns', () => inFlight() === 3)
    gone.abort()
    expect(await Promise.all(requests)).toEqual(['AbortError', 'AbortError', 'AbortError'])
    await waitFor('no turn in flight', () => inFlight() === 0)
  })

  test('ends when the server closes: gates and sleeps are answered, hanging turns cut off', async () => {
    const { close, inFlight, url } = await start()
    const gated = ask([user('GATE=never SAY{{released}}')])
    const sleeping = ask([user('SLEEP=3600 SAY{{woken}}')])
    const hanging = post([user('HANG!')]).then(
      () => 'answered',
      () => 'cut off',
    )
    await waitFor('three turns', () => inFlight() === 3)
    await close()
    expect([(await gated).text, (await sleeping).text, await hanging]).toEqual(['released', 'woken', 'cut off'])
    await expect(fetch(`${url}/models`)).rejects.toThrow()
  })
})

describe('the server', () => {
  test('records who asked what', async () => {
    const seen: string[] = []
    const { requests } = await start({ onRequest: (request) => seen.push(request.lastText) })
    await ask([{ role: 'system', content: 'be good' }, user('first'), ...after(1, 'BASH{{ls}}')])

    expect(seen).toEqual(['result'])
    expect(requests[0]).toMatchObject({
      agentTurn: true,
      asked: 'BASH{{ls}}',
      lastText: 'result',
      lastRole: 'tool',
      system: 'be good',
      tools: toolNames,
    })
    expect(requests[0]?.messages[1]).toEqual({ role: 'user', text: 'first' })
  })

  test('does not take what opencode 2 says of itself for the words of a user', async () => {
    const { requests } = await start()
    const update = "<system-update>\nToday's date is now: Wed Dec 02 2026\n</system-update>"
    expect(await ask([...after(1, `BASH{{ls}} SAY{{seen}}\n${update}`), user(update)])).toMatchObject({ text: 'seen' })
    expect(requests[0]).toMatchObject({ asked: 'BASH{{ls}} SAY{{seen}}', lastRole: 'tool' })
  })

  test('gives opencode 2 a summary of the form that it asks for, and obeys no marker then', async () => {
    const { requests } = await start()
    const form = '<template>\n## Objective\n- [what]\n\n## Work State\nAll of it.\n### Active\n- [goals]\n</template>'
    const { text } = await ask([user('SAY{{one}}'), user(`You MUST summarize SAY{{two}}\n${form}\nNo more.`)])
    expect(text).toBe('## Objective\n- (none)\n\n## Work State\n- (none)\n\n### Active\n- (none)')
    expect(requests[0]?.agentTurn).toBe(false)
  })

  test('lets its owner answer, and reads the markers where the owner does not', async () => {
    await start({
      answer: ({ asked }) => (asked === 'mine' ? { text: 'mine', call: { name: 'bash', args: {} } } : undefined),
    })
    expect(await ask([user('mine')])).toMatchObject({ text: 'mine', call: { name: 'bash' } })
    expect((await ask([user('SAY{{theirs}}')])).text).toBe('theirs')
  })

  test('answers in one document when asked not to stream', async () => {
    await start()
    const body = await (await post([user('SAY{{whole}}')], { stream: false })).json()
    expect(body).toMatchObject({ choices: [{ message: { content: 'whole' }, finish_reason: 'stop' }] })
  })

  test('lists its model and knows no other route', async () => {
    const { url } = await start()
    expect(await (await fetch(`${url}/models`)).json()).toMatchObject({ data: [{ id: 'one' }] })
    expect((await fetch(`${url}/embeddings`, { method: 'POST' })).status).toBe(404)
    expect((await fetch(`${url}/chat/completions`)).status).toBe(404)
  })

  test('survives what is not a request, and bodies of many megabytes', async () => {
    const { url } = await start()
    expect((await fetch(`${url}/chat/completions`, { method: 'POST', body: '[not json' })).status).toBe(400)
    expect((await post([], { messages: 'none', tools: 1 })).status).toBe(200)
    expect((await ask([user(`${'long '.repeat(4_000_000)} SAY{{read}}`)])).text).toBe('read')
    const tooLong = await fetch(`${url}/chat/completions`, {
      method: 'POST',
      body: Buffer.alloc(51 * 1024 * 1024, ' '),
    })
    expect(tooLong.status).toBe(413)
    await cutOffUpload(url)
    expect((await ask([user('SAY{{still here}}')])).text).toBe('still here')
  })
})

/** Promises a body and goes away in the middle of it. */
async function cutOffUpload(url: string): Promise<void> {
  const socket = net.connect(Number(new URL(url).port), '127.0.0.1')
  socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{', () => socket.destroy())
  await once(socket, 'close')
}
