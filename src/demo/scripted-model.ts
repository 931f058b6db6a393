/**
 * A model that does what the user's text tells it to (the markers are described in script.ts): an OpenAI-compatible
 * chat-completions server on loopback, so that a demo or a test can drive real agents without a key or a network.
 * Requests for titles and summaries never obey markers.
 */
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  asOffered,
  completion,
  parseObject,
  readBody,
  readRequest,
  sendError,
  sendJson,
  startStream,
  type Answer,
  type ModelRequest,
} from './chat-completions.ts'
import { nextAnswer, scriptOf } from './script.ts'

export type { Answer, ModelRequest }

export interface ScriptedModelOptions {
  /** Default: any free one. */
  port?: number
  /** Told of each request as it comes, before it is answered. */
  onRequest?: (request: ModelRequest) => void
  /** Asked first; what it leaves undefined is answered from the markers. */
  answer?: (request: ModelRequest) => Answer | undefined | Promise<Answer | undefined>
}

export interface ScriptedModel {
  /** The base URL for a client, ending in /v1. */
  url: string
  /** All requests so far, oldest first. */
  requests: ModelRequest[]
  /** Agent turns that are being answered now, waiting ones included. */
  inFlight: () => number
  /** The most agent turns that were ever in flight at once. */
  peak: () => number
  /** The most distinct conversations that ever had a turn in flight at once. */
  peakConversations: () => number
  /** Opens a gate for good, for turns that wait and turns that come later. */
  release: (gate: string) => void
  /** Ends all waits (gated and sleeping turns are still answered, hanging ones cut off), then stops listening. */
  close: () => Promise<void>
}

const models = { object: 'list', data: [{ id: 'one', object: 'model', created: 0, owned_by: 'kugetsu' }] }

/** Starts the server on 127.0.0.1. Rejects when the port is taken. */
export async function startScriptedModel(options: ScriptedModelOptions = {}): Promise<ScriptedModel> {
  const requests: ModelRequest[] = []
  const gates = new Map<string, Gate>()
  const failedOnce = new Set<string>()
  const active = new Map<AbortController, ModelRequest>()
  const answering = new Set<Promise<void>>()
  let peak = 0
  let peakConversations = 0

  const agentTurns = () => [...active.values()].filter((request) => request.agentTurn)

  const gate = (name: string): Gate => {
    const known = gates.get(name) ?? newGate()
    gates.set(name, known)
    return known
  }

  async function scripted(request: ModelRequest, ending: AbortSignal): Promise<Answer> {
    if (!request.agentTurn) {
      const summary = request.headings.map((heading) => `${heading}\n- (none)`)
      return { text: summary.join('\n\n') || 'Scripted work' }
    }
    const { script, results, message } = scriptOf(request)
    if (script.sleepMs > 0) await sleep(script.sleepMs, undefined, { signal: ending }).catch(() => {})
    if (results === 0) {
      await Promise.race([Promise.all(script.gates.map((name) => gate(name).opened)), aborted(ending)])
    }
    return nextAnswer(script, results, (step) => {
      const key = `${request.conversation} ${message} ${step}`
      const before = failedOnce.has(key)
      failedOnce.add(key)
      return before
    })
  }

  async function complete(body: Record<string, unknown>, request: ModelRequest, response: http.ServerResponse) {
    if (response.destroyed) return
    const ending = new AbortController()
    response.on('close', () => {
      active.delete(ending)
      ending.abort()
    })
    active.set(ending, request)
    const turns = agentTurns()
    peak = Math.max(peak, turns.length)
    peakConversations = Math.max(peakConversations, new Set(turns.map((turn) => turn.conversation)).size)
    requests.push(request)
    options.onRequest?.(request)
    const given = await Promise.race([options.answer?.(request), aborted(ending.signal)])
    const answer = asOffered(given ?? (await scripted(request, ending.signal)), request.tools)
    if (answer.hang === true) {
      if (answer.text !== undefined) await startStream(response, body['model'], answer)
      await aborted(ending.signal)
      response.destroy()
      return
    }
    const streamed = answer.status === undefined && body['stream'] === true
    const rest = streamed ? await startStream(response, body['model'], answer) : ''
    // No longer in flight from here on: a client that reads the end of the answer may send the next turn at once.
    active.delete(ending)
    if (streamed) response.end(rest)
    else if (answer.status === undefined) sendJson(response, 200, completion(body['model'], answer))
    else sendError(response, answer.status, answer.text ?? `scripted ${answer.status}`)
  }

  async function handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const route = `${request.method} ${(request.url ?? '').split('?', 1)[0]}`
    if (route === 'GET /v1/models') return sendJson(response, 200, models)
    if (route !== 'POST /v1/chat/completions') return sendError(response, 404, `no such route: ${route}`)
    const text = await readBody(request)
    if (text === undefined) return sendError(response, 413, 'the request is too large')
    const body = parseObject(text)
    if (body === undefined) return sendError(response, 400, 'the body is not a JSON object')
    const work = complete(body, readRequest(body, request.headers), response)
    answering.add(work)
    await work.finally(() => answering.delete(work))
  }

  const server = http.createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      // A client that went away needs no answer; a script that cannot be read is reported to its author.
      if (response.headersSent || response.destroyed) response.destroy()
      else sendError(response, 400, error instanceof Error ? error.message : String(error))
    })
  })
  // A kept connection that closes just as a client reuses it would look like a failing model.
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo

  return {
    url: `http://127.0.0.1:${port}/v1`,
    requests,
    inFlight: () => agentTurns().length,
    peak: () => peak,
    peakConversations: () => peakConversations,
    release: (name) => gate(name).open(),
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const ending of active.keys()) ending.abort()
      await Promise.allSettled(answering)
      server.closeAllConnections()
      await closed
    },
  }
}

interface Gate {
  opened: Promise<void>
  open: () => void
}

function newGate(): Gate {
  let open = () => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}
