/** The little of the OpenAI chat-completions protocol that the scripted model speaks. */
import { createHash, randomBytes } from 'node:crypto'
import type * as http from 'node:http'
import { setImmediate as yieldOnce } from 'node:timers/promises'

export interface ModelRequest {
  /** When it came, in milliseconds since 1970. */
  at: number
  /** An agent asks what to do next, not for a title or a summary. */
  agentTurn: boolean
  /** The headings of the summary that opencode 2 asks for; empty for any other request. */
  headings: string[]
  /** The session that asks, as far as it can be told: opencode's header, else system prompt and first message. */
  conversation: string
  /** The last user message: its markers count. */
  asked: string
  /** The very last message, which may be a tool's result. */
  lastText: string
  lastRole: string
  system: string
  messages: { role: string; text: string }[]
  tools: string[]
}

/** What to reply: text, thoughts, a tool call; or a failure; or nothing, ever. */
export interface Answer {
  text?: string
  reasoning?: string
  /** Arguments that are a string are sent as they are, JSON or not. */
  call?: { name: string; args: Record<string, unknown> | string }
  /** Instead of `stop` or `tool_calls`; `none` ends the stream without a reason. */
  finish?: string
  /** How many tokens the prompt is said to have taken. */
  tokens?: number
  /** Answer with this HTTP status instead. */
  status?: number
  /** The answer breaks off after the text. */
  hang?: boolean
}

const bodyLimit = 50 * 1024 * 1024
const usage = ({ tokens = 10 }: Answer) => ({ prompt_tokens: tokens, completion_tokens: 2, total_tokens: tokens + 2 })
const finishOf = ({ finish, call }: Answer) => finish ?? (call === undefined ? 'stop' : 'tool_calls')

/** What opencode 2 itself adds as a user's words or to them, as when the date changes. */
const systemUpdate = /\n?<system-update>\n[^]*?\n<\/system-update>/g

/** What a request says, without that; what is missing or of another type is empty. */
export function readRequest(body: Record<string, unknown>, headers: http.IncomingHttpHeaders): ModelRequest {
  const messages = listOf(body['messages']).flatMap((message) => {
    const { role, content } = objectOf(message)
    const text = textOf(content)
    const said = role === 'user' ? text.replace(systemUpdate, '') : text
    return said === '' && text !== '' ? [] : [{ role: String(role), text: said }]
  })
  const tools = listOf(body['tools']).map((tool) => String(objectOf(objectOf(tool)['function'])['name']))
  const isUser = ({ role }: { role: string }) => role === 'user'
  const system = messages
    .filter(({ role }) => role === 'system')
    .map(({ text }) => text)
    .join('\n')
  const asked = messages.findLast(isUser)?.text ?? ''
  const headings = headingsIn(asked)
  const session = headers['x-session-affinity']
  const origin = `${system}\0${messages.find(isUser)?.text ?? ''}`
  return {
    at: Date.now(),
    agentTurn: tools.length > 0 && headings.length === 0,
    headings,
    conversation:
      typeof session === 'string' ? session : createHash('sha256').update(origin).digest('hex').slice(0, 16),
    asked,
    lastText: messages.at(-1)?.text ?? '',
    lastRole: messages.at(-1)?.role ?? '',
    system,
    messages,
    tools,
  }
}

/** opencode 2 shows the form of a summary, and takes only one that has it. */
function headingsIn(asked: string): string[] {
  const [, template = ''] = /^You MUST summarize[^]*<template>\n([^]*?)<\/template>/.exec(asked) ?? []
  return template.match(/^##+ .+$/gm) ?? []
}

/** The names of opencode 2 for tools of opencode 1, and for what these are given. */
const newer: Record<string, { name: string; args: Record<string, string> }> = {
  bash: { name: 'shell', args: {} },
  task: { name: 'subagent', args: { subagent_type: 'agent' } },
  read: { name: 'read', args: { filePath: 'path' } },
  edit: { name: 'edit', args: { filePath: 'path' } },
  write: { name: 'write', args: { filePath: 'path' } },
}

/** The answer with its call named as the tools that are offered are: scripts are written for opencode 1. */
export function asOffered(answer: Answer, tools: readonly string[]): Answer {
  const { call } = answer
  const other = newer[call?.name ?? '']
  if (call === undefined || other === undefined || tools.includes('bash') || !tools.includes('shell')) return answer
  const args =
    typeof call.args === 'string'
      ? call.args
      : Object.fromEntries(Object.entries(call.args).map(([name, value]) => [other.args[name] ?? name, value]))
  return { ...answer, call: { name: other.name, args } }
}

/** Sends an answer's text as server-sent chunks, and returns the bytes that end the answer. */
export async function startStream(response: http.ServerResponse, model: unknown, answer: Answer): Promise<string> {
  const { text = '', reasoning, call } = answer
  const id = newId('chatcmpl')
  const event = (choice: object, extra: object = {}) => {
    const chunk = {
      id,
      object: 'chat.completion.chunk',
      created: 1,
      model,
      choices: [{ index: 0, ...choice }],
      ...extra,
    }
    return `data: ${JSON.stringify(chunk)}\n\n`
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  if (reasoning !== undefined) response.write(event({ delta: { role: 'assistant', reasoning_content: reasoning } }))
  for (const content of text.match(/[^]{1,20}/gu) ?? []) {
    response.write(event({ delta: { role: 'assistant', content } }))
    await yieldOnce()
  }
  const calls =
    call === undefined ? '' : event({ delta: { role: 'assistant', tool_calls: [{ index: 0, ...toolCall(call) }] } })
  const reason = finishOf(answer)
  const finish = reason === 'none' ? '' : event({ delta: {}, finish_reason: reason }, { usage: usage(answer) })
  return `${calls}${finish}data: [DONE]\n\n`
}

/** An answer as one document, for requests that do not stream. */
export function completion(model: unknown, answer: Answer): object {
  const { text = '', call } = answer
  const message = { role: 'assistant', content: text, ...(call === undefined ? {} : { tool_calls: [toolCall(call)] }) }
  const choice = { index: 0, message, finish_reason: finishOf(answer) }
  return {
    id: newId('chatcmpl'),
    object: 'chat.completion',
    created: 1,
    model,
    choices: [choice],
    usage: usage(answer),
  }
}

function toolCall({ name, args }: NonNullable<Answer['call']>): object {
  const text = typeof args === 'string' ? args : JSON.stringify(args)
  return { id: newId('call'), type: 'function', function: { name, arguments: text } }
}

function newId(kind: string): string {
  return `${kind}_${randomBytes(9).toString('hex')}`
}

export function sendJson(response: http.ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

export function sendError(response: http.ServerResponse, status: number, message: string): void {
  sendJson(response, status, { error: { message } })
}

/** The whole body, or undefined when it is over the limit (the rest is read and dropped, so that the client listens). */
export async function readBody(request: http.IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size <= bodyLimit) chunks.push(chunk)
  }
  return size <= bodyLimit ? Buffer.concat(chunks).toString('utf8') : undefined
}

/** The JSON object in `text`, or undefined when it is none. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

/** Message content is a string or a list of parts. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  return listOf(content)
    .map((part) => objectOf(part)['text'])
    .filter((text) => typeof text === 'string')
    .join('\n')
}
