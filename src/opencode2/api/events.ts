import { KugetsuError, messageOf } from '../../core/errors.ts'
import type { Client, Endpoint } from '../../driver/client.ts'
import type { ServerEvent } from '../../driver/entry.ts'
import { readEventStream } from '../../driver/event-stream.ts'
import { parseJson } from '../../platform/state-file.ts'
import { toldBy } from '../entries.ts'
import { asReason, forgetReason, rememberReason } from '../reasons.ts'
import { createRoutes, type Routes } from './routes.ts'
import { event as anyEvent, eventData } from './schemas.ts'

/**
 * Follows the server's events, as Client.follow() says. An event only names the message that has changed; its text is
 * fetched, so that it reads the same as in the transcript.
 */
export async function followEvents(
  endpoint: Endpoint,
  handlers: Parameters<Client['follow']>[0],
  signal: AbortSignal,
): Promise<void> {
  const failure = new AbortController()
  const until = AbortSignal.any([signal, failure.signal])
  const teller = createTeller(createRoutes(endpoint, until), handlers.onEvent, (error) => failure.abort(error))
  await readEventStream(endpoint, '/api/event', { onOpen: handlers.onOpen, onData: teller.take }, until)
  if (signal.aborted) return
  await teller.isDone()
  if (failure.signal.aborted) {
    const cause: unknown = failure.signal.reason
    throw new KugetsuError(`lost the event stream of the opencode server: ${messageOf(cause)}`, { cause })
  }
}

/** Tells the meanings of events, in their order, while the stream is read on. */
function createTeller(routes: Routes, tell: (event: ServerEvent) => void, failed: (error: unknown) => void) {
  /** The messages to be fetched. */
  const waiting = new Set<string>()
  const begun = new Set<string>()
  let done: Promise<unknown> = Promise.resolve()

  function then(work: () => Promise<void> | void): void {
    done = done.then(work).catch(failed)
  }

  async function tellMessage(sessionId: string, messageId: string): Promise<void> {
    waiting.delete(messageId)
    const message = await routes.message(sessionId, messageId)
    const told = message && toldBy(message, sessionId)
    if (told === undefined) return
    const { isOver, role } = told.message
    // Its entries come before its end. A message first seen at its end has also begun.
    if (!begun.has(messageId)) tell({ type: 'message', message: { ...told.message, isOver: false } })
    begun.add(messageId)
    for (const entry of told.entries) tell({ type: 'entry', entry })
    if (!isOver) return
    begun.delete(messageId)
    if (role === 'assistant') tell({ type: 'message', message: told.message })
  }

  /** The event does not name the message. */
  async function tellSummary(sessionId: string): Promise<void> {
    const last = (await routes.tail(sessionId, 20))?.findLast(({ type }) => type === 'compaction')
    if (last !== undefined) await tellMessage(sessionId, last.id)
  }

  return {
    take(data: string): void {
      for (const meant of parseEvent(data)) {
        if (meant.type === 'summarised') then(() => tellSummary(meant.sessionId))
        else if (meant.type !== 'said') then(() => tell(meant))
        else if (!waiting.has(meant.messageId)) {
          waiting.add(meant.messageId)
          then(() => tellMessage(meant.sessionId, meant.messageId))
        }
      }
    },
    isDone: () => done,
  }
}

/** `said`: a message has changed. `summarised`: the last summary of a session is whole. */
type Meaning =
  ServerEvent | { type: 'said'; sessionId: string; messageId: string } | { type: 'summarised'; sessionId: string }

/** Most of the stream, and of no use here: do not even parse them. */
const useless = /"type":"(?:session\.(?:text|reasoning|tool\.input|compaction)\.delta|session\.tool\.progress)"/

/** The meanings of an event; none for opencode's own bookkeeping. */
export function parseEvent(data: string): Meaning[] {
  if (useless.test(data.slice(0, 300))) return []
  const { success, data: event } = anyEvent.safeParse(parseJson(data))
  if (!success) return []
  try {
    return meaningOf(event.type, event.data ?? {})
  } catch (error) {
    return [{ type: 'misread', text: `an event of opencode was not understood (${event.type}): ${messageOf(error)}` }]
  }
}

function meaningOf(type: string, data: Record<string, unknown>): Meaning[] {
  switch (type) {
    case 'session.created': {
      const { sessionID: sessionId, parentID: parentId } = eventData.created.parse(data)
      return parentId === undefined ? [] : [{ type: 'child', sessionId, parentId }]
    }
    case 'session.inbox.delivered': {
      const { sessionID: sessionId, inboxID: messageId } = eventData.delivered.parse(data)
      return [{ type: 'said', sessionId, messageId }]
    }
    case 'session.step.started':
    case 'session.tool.called':
    case 'session.tool.success':
    case 'session.tool.failed':
    case 'session.text.ended':
    case 'session.reasoning.ended':
    case 'session.step.ended':
    case 'session.step.failed': {
      const { sessionID: sessionId, assistantMessageID: messageId } = eventData.step.parse(data)
      return [{ type: 'said', sessionId, messageId }]
    }
    case 'session.compaction.ended':
      return [{ type: 'summarised', sessionId: eventData.ofSession.parse(data).sessionID }]
    case 'session.execution.started':
      forgetReason(eventData.ofSession.parse(data).sessionID)
      return []
    case 'session.execution.succeeded':
    case 'session.execution.interrupted':
      return [{ type: 'news', sessionId: eventData.ofSession.parse(data).sessionID, news: 'changed' }]
    case 'session.execution.failed': {
      const { sessionID: sessionId, error = {} } = eventData.failed.parse(data)
      const reason = asReason(error)
      rememberReason(sessionId, reason)
      return [
        { type: 'error', sessionId, ...reason },
        { type: 'news', sessionId, news: 'changed' },
      ]
    }
    case 'session.retry.scheduled': {
      const { sessionID: sessionId, attempt = 2, error = {} } = eventData.retry.parse(data)
      return [
        { type: 'news', sessionId, news: 'changed' },
        { type: 'retry', sessionId, retry: { attempt: Math.max(1, attempt - 1), text: asReason(error).text } },
      ]
    }
    case 'permission.asked':
      return [{ type: 'news', sessionId: eventData.ofSession.parse(data).sessionID, news: 'asked' }]
    case 'form.created':
      return [{ type: 'news', sessionId: eventData.form.parse(data).form.sessionID, news: 'asked' }]
    default:
      return []
  }
}
