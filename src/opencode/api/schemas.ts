/** The parts of opencode's answers and events that kugetsu reads; whatever else they hold is let through. */
import * as z from 'zod/mini'
import { startOf } from '../../core/columns.ts'
import type { Retry } from '../../driver/entry.ts'

const count = () => z.optional(z.number())
const tokens = z.looseObject({
  input: count(),
  output: count(),
  reasoning: count(),
  cache: z.optional(z.looseObject({ read: count(), write: count() })),
})
const times = z.looseObject({ created: z.optional(z.number()), completed: z.optional(z.number()) })
export const failure = z.looseObject({
  name: z.optional(z.string()),
  data: z.optional(z.looseObject({ message: z.optional(z.string()) })),
  message: z.optional(z.string()),
})

/** The answer of `/global/health` by a server that works. */
export const health = z.looseObject({ healthy: z.literal(true) })

export const project = z.looseObject({ id: z.string() })

export const session = z.looseObject({
  id: z.string(),
  directory: z.string(),
  parentID: z.optional(z.string()),
  title: z.optional(z.string()),
  cost: z.optional(z.number()),
  tokens: z.optional(tokens),
})

export const sessionStatus = z.looseObject({
  type: z.string(),
  attempt: z.optional(z.number()),
  message: z.optional(z.string()),
})

/** The failure of the provider in the status of a session, while opencode waits to try again. */
export function retryIn(status: z.infer<typeof sessionStatus> | undefined): Retry | undefined {
  return status?.type === 'retry' ? { attempt: status.attempt ?? 1, text: status.message ?? '' } : undefined
}

export const messageInfo = z.looseObject({
  id: z.string(),
  sessionID: z.string(),
  role: z.string(),
  time: z.optional(times),
  parentID: z.optional(z.string()),
  error: z.optional(failure),
  finish: z.optional(z.string()),
  cost: z.optional(z.number()),
  tokens: z.optional(tokens),
})
export type MessageInfo = z.infer<typeof messageInfo>

export const part = z.looseObject({
  id: z.string(),
  messageID: z.string(),
  sessionID: z.string(),
  type: z.string(),
})
export type Part = z.infer<typeof part>

export const message = z.looseObject({ info: messageInfo, parts: z.array(part) })
export type Message = z.infer<typeof message>

export const permissionRequest = z.looseObject({
  id: z.string(),
  sessionID: z.string(),
  permission: z.optional(z.string()),
  patterns: z.optional(z.array(z.string())),
})

/** One event of `GET /global/event`. */
export const globalEvent = z.looseObject({
  directory: z.optional(z.string()),
  payload: z.looseObject({ type: z.string(), properties: z.optional(z.looseObject({})) }),
})

export const eventProperties = {
  'message.updated': z.looseObject({ info: messageInfo }),
  'message.part.updated': z.looseObject({ part }),
  'session.created': z.looseObject({ info: session }),
  'session.updated': z.looseObject({ info: session }),
  'session.status': z.looseObject({ sessionID: z.string(), status: sessionStatus }),
  'session.idle': z.looseObject({ sessionID: z.string() }),
  'session.error': z.looseObject({ sessionID: z.optional(z.string()), error: z.optional(failure) }),
  'permission.asked': z.looseObject({ sessionID: z.string() }),
  'permission.updated': z.looseObject({ sessionID: z.string() }),
  'question.asked': z.looseObject({ sessionID: z.string() }),
} as const

/** The text of an error as opencode reports it, on one line and without its stack; its kind when it has no text. */
export function failureText(error: z.infer<typeof failure>): string {
  const text = error.data?.message ?? error.message ?? error.name ?? 'unknown error'
  const line = text
    .replace(/\n\s+at [^]*$/, '')
    .replace(/\s+/g, ' ')
    .trim()
  return startOf(line, 1000)
}

/**
 * The parts of opencode's configuration that say which model is used (`provider/model`, absent when opencode chooses one
 * itself) and which providers are configured.
 */
export const configuration = z.looseObject({
  model: z.optional(z.string()),
  default_agent: z.optional(z.string()),
  provider: z.optional(z.record(z.string(), z.looseObject({ models: z.optional(z.record(z.string(), z.unknown())) }))),
})

/** An agent of opencode. Its rules are a list from 1.2 on; other forms are not read. */
export const agent = z.looseObject({
  name: z.string(),
  mode: z.optional(z.unknown()),
  hidden: z.optional(z.unknown()), // null for agents of a configuration
  permission: z.optional(z.unknown()),
})
export type OpencodeAgent = z.infer<typeof agent>

export const permissionRules = z.array(
  z.looseObject({ permission: z.string(), pattern: z.string(), action: z.string() }),
)

/** `status` is `connected`, `disabled`, `failed`, `needs_auth` or `needs_client_registration`, as of 1.18. */
export const mcpServers = z.record(z.string(), z.looseObject({ status: z.string(), error: z.optional(z.string()) }))

/** The providers that can be used, each with its models by name. */
export const providers = z.looseObject({
  providers: z.array(z.looseObject({ id: z.string(), models: z.record(z.string(), z.unknown()) })),
})
