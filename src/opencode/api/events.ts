import * as http from 'node:http'
import { createParser } from 'eventsource-parser'
import { KugetsuError, messageOf } from '../../core/errors.ts'
import { parseJson } from '../../platform/state-file.ts'
import type { Client, Endpoint } from '../../driver/client.ts'
import type { ServerEvent } from '../../driver/entry.ts'
import { basicAuth, originOf } from '../../driver/http.ts'
import { entryOf, factsOf } from '../entries.ts'
import { ownTrouble } from '../own-trouble.ts'
import { eventProperties, failureText, globalEvent, retryIn } from './schemas.ts'

/** A stream that has been silent for this long counts as dead; the server sends a heartbeat more often. */
const silenceMs = 90_000

/** Follows the server's events, as Client.follow() says. */
export async function followEvents(
  endpoint: Endpoint,
  handlers: Parameters<Client['follow']>[0],
  signal: AbortSignal,
): Promise<void> {
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(), silenceMs)
  const parser = createParser({
    onEvent: ({ data }) => {
      for (const event of parseEvent(data)) handlers.onEvent(event)
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

/** What an event of the stream means; nothing for one that is not understood or is opencode's own bookkeeping. */
export function parseEvent(data: string): ServerEvent[] {
  // Deltas and sync copies are most of the stream and of no use here: do not even parse them.
  if (data.includes('"type":"message.part.delta"') || data.includes('"type":"sync"')) return []
  const { success, data: event } = globalEvent.safeParse(parseJson(data))
  if (!success) return []
  const { type, properties = {} } = event.payload
  try {
    return meaningOf(type, properties)
  } catch (error) {
    return [{ type: 'misread', text: `an event of opencode was not understood (${type}): ${messageOf(error)}` }]
  }
}

function meaningOf(type: string, properties: Record<string, unknown>): ServerEvent[] {
  switch (type) {
    case 'message.updated':
      return [{ type: 'message', message: factsOf(eventProperties[type].parse(properties).info) }]
    case 'message.part.updated': {
      const entry = entryOf(eventProperties[type].parse(properties).part)
      return entry === undefined ? [] : [{ type: 'entry', entry }]
    }
    case 'session.created':
    case 'session.updated': {
      const { info } = eventProperties[type].parse(properties)
      return info.parentID === undefined ? [] : [{ type: 'child', sessionId: info.id, parentId: info.parentID }]
    }
    case 'session.status': {
      const { sessionID: sessionId, status } = eventProperties[type].parse(properties)
      const retry = retryIn(status)
      if (retry === undefined) return []
      return [
        { type: 'news', sessionId, news: 'changed' },
        { type: 'retry', sessionId, retry },
      ]
    }
    case 'session.error': {
      const { sessionID: sessionId, error } = eventProperties[type].parse(properties)
      if (sessionId === undefined) return []
      const changed: ServerEvent = { type: 'news', sessionId, news: 'changed' }
      if (error === undefined) return [changed]
      return [{ type: 'error', sessionId, text: failureText(error), trouble: ownTrouble(error) }, changed]
    }
    case 'session.idle':
      return [{ type: 'news', sessionId: eventProperties[type].parse(properties).sessionID, news: 'changed' }]
    case 'permission.asked':
    case 'permission.updated':
    case 'question.asked':
      return [{ type: 'news', sessionId: eventProperties[type].parse(properties).sessionID, news: 'asked' }]
    default:
      return []
  }
}
