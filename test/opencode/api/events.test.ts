import { once } from 'node:events'
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ServerEvent } from '../../../src/driver/entry.ts'
import { followEvents } from '../../../src/opencode/api/events.ts'

let server: http.Server
let streams: http.ServerResponse[]
let credentials: (string | undefined)[]
let status: number
beforeEach(async () => {
  streams = []
  credentials = []
  status = 200
  server = http.createServer((request, response) => {
    credentials.push(request.headers.authorization)
    response.writeHead(request.url === '/global/event' ? status : 404, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
    if (response.statusCode === 200) streams.push(response)
    else response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

/** Follows the stream; `until` events have come, or the stream has ended by itself. */
async function follow(lines: (stream: http.ServerResponse) => void, until = Number.POSITIVE_INFINITY) {
  const seen: ServerEvent[] = []
  const abort = new AbortController()
  let opened = 0
  const following = followEvents(
    { port: (server.address() as AddressInfo).port, password: 'secret' },
    {
      onOpen: () => {
        opened++
        lines(streams.at(-1)!)
      },
      onEvent: (event) => {
        seen.push(event)
        if (seen.length >= until) abort.abort()
      },
    },
    abort.signal,
  )
  await following
  return { seen, opened }
}

const event = (payload: object) => `data: ${JSON.stringify({ directory: '/d', payload })}\n\n`

describe('following the events', () => {
  it('tells of each one, with the password of the server, until the caller has enough', async () => {
    const { seen, opened } = await follow((stream) => {
      stream.write(event({ type: 'session.idle', properties: { sessionID: 'ses_1' } }))
      stream.write(event({ type: 'server.heartbeat' }))
      stream.write(event({ type: 'question.asked', properties: { sessionID: 'ses_2' } }))
    }, 2)
    expect(opened).toBe(1)
    expect(seen).toEqual([
      { type: 'news', sessionId: 'ses_1', news: 'changed' },
      { type: 'news', sessionId: 'ses_2', news: 'asked' },
    ])
    expect(credentials).toEqual([`Basic ${Buffer.from('opencode:secret').toString('base64')}`])
  })

  it('puts together events and characters that come in pieces', async () => {
    const properties = { sessionID: 'ses_1', error: { message: 'déjà vu 月' } }
    const bytes = Buffer.from(event({ type: 'session.error', properties }))
    const { seen } = await follow((stream) => {
      const next = (at: number) => {
        if (at === bytes.length) stream.end()
        else stream.write(bytes.subarray(at, at + 1), () => next(at + 1))
      }
      next(0)
    })
    expect(seen).toEqual([
      { type: 'error', sessionId: 'ses_1', text: 'déjà vu 月', trouble: undefined },
      { type: 'news', sessionId: 'ses_1', news: 'changed' },
    ])
  })

  it('leaves out deltas, copies for synchronisation, and what it does not understand', async () => {
    const { seen } = await follow((stream) => {
      stream.write(event({ type: 'message.part.delta', properties: { delta: 'x' } }))
      stream.write(event({ type: 'sync', properties: {} }))
      stream.write('data: {not json\n\n')
      stream.write('data: {"payload": {"no": "type"}}\n\n')
      stream.write(': a comment\n\n')
      stream.end(event({ type: 'session.idle', properties: { sessionID: 'ses_1' } }))
    })
    expect(seen).toEqual([{ type: 'news', sessionId: 'ses_1', news: 'changed' }])
  })

  it('tells of an event that it knows and cannot read', async () => {
    const { seen } = await follow((stream) => stream.end(event({ type: 'session.idle', properties: { id: 5 } })))
    expect(seen).toEqual([
      { type: 'misread', text: expect.stringMatching(/^an event of opencode was not understood \(session\.idle\): /) },
    ])
  })

  it('ends quietly with the stream', async () => {
    expect(await follow((stream) => stream.end())).toEqual({ seen: [], opened: 1 })
  })

  it('says so when it is refused, or the connection is lost', async () => {
    status = 401
    await expect(follow(() => {})).rejects.toThrow('status 401')
    status = 200
    await expect(follow((stream) => stream.destroy())).rejects.toThrow('lost the event stream')
  })
})
