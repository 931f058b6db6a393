import { messageOf } from '../../core/errors.ts'
import { parseJson } from '../../platform/state-file.ts'
import type { Client, Endpoint } from '../../driver/client.ts'
import type { ServerEvent } from '../../driver/entry.ts'
import { readEventStream } from '../../driver/event-stream.ts'
import { entryOf, factsOf } from '../entries.ts'
import { ownTrouble } from '../own-trouble.ts'
import { eventProperties, failureText, globalEvent, retryIn } from './schemas.ts'

/** Follows the server's events, as Client.follow() says. */
export function followEvents(
  endpoint: Endpoint,
  { onOpen, onEvent }: Parameters<Client['follow']>[0],
  signal: AbortSignal,
): Promise<void> {
  const onData = (data: string) => {
    for (const event of parseEvent(data)) onEvent(event)
  }
  return readEventStream(endpoint, '/global/event', { onOpen, onData }, signal)
}

/** The meaning of an event of the stream; none for unknown events and opencode's own bookkeeping. */
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
