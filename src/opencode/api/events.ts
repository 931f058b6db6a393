import * as http from 'node:http'
import { createParser } from 'eventsource-parser'
import { KugetsuError, messageOf } from '../../core/errors.ts'
import { basicAuth, originOf, type Endpoint } from './client.ts'
import { globalEvent } from './schemas.ts'

export interface OpencodeEvent {
  type: string
  properties: Record<string, unknown>
}

/** A stream that has been silent for this long counts as dead; the server sends a heartbeat more often. */
const silenceMs = 90_000

/**
 * Follows the server's events of all directories until the stream ends, the signal aborts, or the stream falls silent.
 * Calls `onOpen` once it listens: no later event is missed. Throws KugetsuError when it cannot connect.
 */
export async function followEvents(
  endpoint: Endpoint,
  handlers: { onOpen: () => void; onEvent: (event: OpencodeEvent) => void },
  signal: AbortSignal,
): Promise<void> {
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(), silenceMs)
  const parser = createParser({
    onEvent: ({ data }) => {
      const event = parseEvent(data)
      if (event !== undefined) handlers.onEvent(event)
    },
  })
  try {
    const response = await openStream(endpoint, AbortSignal.any([signal, silence.signal]))
    handlers.onOpen()
    response.setEncoding('utf8')
    for await (const text of response) {
      timer.refresh()
      parser.feed(text as string)
    }
  } catch (cause) {
    if (signal.aborted || silence.signal.aborted) return
    throw new KugetsuError(`lost the event stream of the opencode server: ${messageOf(cause)}`, { cause })
  } finally {
    clearTimeout(timer)
  }
}

/** Uses node:http, because fetch would be most of what the daemon loads: 5 MB of its own memory. */
function openStream(endpoint: Endpoint, signal: AbortSignal): Promise<http.IncomingMessage> {
  const headers = { authorization: basicAuth(endpoint.password), accept: 'text/event-stream' }
  return new Promise((resolve, reject) => {
    const request = http.request(`${originOf(endpoint)}/global/event`, { headers, signal, agent: false })
    request.on('error', reject)
    request.on('response', (response) => {
      if (response.statusCode === 200) return resolve(response)
      response.destroy()
      reject(new Error(`status ${response.statusCode}`))
    })
    request.end()
  })
}

/** An event of the stream, or undefined for one that is not understood or is opencode's own bookkeeping. */
function parseEvent(data: string): OpencodeEvent | undefined {
  // Deltas and sync copies are most of the stream and of no use here: do not even parse them.
  if (data.includes('"type":"message.part.delta"') || data.includes('"type":"sync"')) return undefined
  try {
    const { payload } = globalEvent.parse(JSON.parse(data))
    return { type: payload.type, properties: payload.properties ?? {} }
  } catch {
    return undefined
  }
}
