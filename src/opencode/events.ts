import { createParser } from 'eventsource-parser'
import { KugetsuError, messageOf } from '../core/errors.ts'
import { basicAuth, originOf, type Endpoint } from './client.ts'
import { globalEvent } from './shapes.ts'

export interface OpencodeEvent {
  type: string
  properties: Record<string, unknown>
}

/** A stream that has been silent for this long is taken for dead; the server sends a heartbeat more often. */
const silenceMs = 90_000

/**
 * Follows the server's events over all directories until the stream ends, the signal aborts, or it falls silent.
 * Calls `onOpen` once it listens: what happens from then on is seen. Throws KugetsuError when it cannot connect.
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
    const response = await fetch(`${originOf(endpoint)}/global/event`, {
      headers: { authorization: basicAuth(endpoint.password), accept: 'text/event-stream' },
      signal: AbortSignal.any([signal, silence.signal]),
    })
    if (!response.ok || response.body === null) throw new Error(`status ${response.status}`)
    handlers.onOpen()
    const decoder = new TextDecoder()
    for await (const chunk of response.body) {
      timer.refresh()
      parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }))
    }
  } catch (cause) {
    if (signal.aborted || silence.signal.aborted) return
    throw new KugetsuError(`lost the event stream of the opencode server: ${messageOf(cause)}`, { cause })
  } finally {
    clearTimeout(timer)
  }
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
