import * as http from 'node:http'
import { createParser } from 'eventsource-parser'
import { KugetsuError, messageOf } from '../core/errors.ts'
import type { Endpoint } from './client.ts'
import { basicAuth, originOf } from './http.ts'

/** A stream that has been silent for this long counts as dead; servers send a heartbeat every 10 or 15 s. */
const silenceMs = 90_000

/**
 * Reads the events of a server until the stream ends, the signal aborts, or the stream falls silent. `onOpen` is called once
 * it listens, `onData` with the data of each event. Throws KugetsuError when it cannot connect, or loses the connection.
 */
export async function readEventStream(
  endpoint: Endpoint,
  route: string,
  { onOpen, onData }: { onOpen: () => void; onData: (data: string) => void },
  signal: AbortSignal,
): Promise<void> {
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(), silenceMs)
  const parser = createParser({ onEvent: ({ data }) => onData(data) })
  try {
    const response = await openStream(endpoint, route, AbortSignal.any([signal, silence.signal]))
    onOpen()
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
function openStream(endpoint: Endpoint, route: string, signal: AbortSignal): Promise<http.IncomingMessage> {
  const headers = { authorization: basicAuth(endpoint.password), accept: 'text/event-stream' }
  return new Promise((resolve, reject) => {
    const request = http.request(`${originOf(endpoint)}${route}`, { headers, signal, agent: false })
    request.on('error', reject)
    request.on('response', (response) => {
      const isStream = /event-stream/.test(response.headers['content-type'] ?? '')
      if (response.statusCode === 200 && isStream) return resolve(response)
      response.destroy()
      reject(new Error(response.statusCode === 200 ? 'no event stream' : `status ${response.statusCode}`))
    })
    request.end()
  })
}
