/** The parts of opencode 2's answers that kugetsu reads; whatever else they hold is let through. */
import * as z from 'zod/mini'

const modelRef = z.looseObject({ id: z.string(), providerID: z.string() })
export type ModelRef = z.infer<typeof modelRef>

/** The answer of `/api/info`; an address that opencode does not know answers with a web page. */
export const info = z.looseObject({ version: z.string(), pid: z.number() })

export const rule = z.looseObject({ action: z.string(), resource: z.string(), effect: z.string() })

export const location = z.looseObject({ directory: z.string() })

export const session = z.looseObject({
  id: z.string(),
  parentID: z.optional(z.string()),
  agent: z.optional(z.string()),
  model: z.optional(modelRef),
  cost: z.optional(z.number()),
  tokens: z.optional(z.record(z.string(), z.unknown())),
  metadata: z.optional(z.record(z.string(), z.unknown())),
  location,
})
export type Session = z.infer<typeof session>

/** An error as the server reports it; `type` is such as `provider.auth`, `aborted` or `unknown`. */
export const failure = z.looseObject({ type: z.optional(z.string()), message: z.optional(z.string()) })
export type Failure = z.infer<typeof failure>

const retry = z.looseObject({ attempt: z.optional(z.number()), error: z.optional(failure) })

/** A message of any type: `user`, `assistant`, `compaction`, `idle` (the end of a run) and others. */
export const message = z.looseObject({
  id: z.string(),
  type: z.string(),
  time: z.optional(
    z.looseObject({
      created: z.optional(z.number()),
      /** The model has said all of it; tools may still run. */
      streamed: z.optional(z.number()),
      completed: z.optional(z.number()),
    }),
  ),
  text: z.optional(z.string()),
  content: z.optional(z.array(z.looseObject({ type: z.string() }))),
  files: z.optional(z.array(z.unknown())),
  finish: z.optional(z.string()),
  error: z.optional(failure),
  retry: z.optional(retry),
  /** Of an idle marker. */
  outcome: z.optional(z.string()),
  /** Of a compaction. */
  status: z.optional(z.string()),
})
export type Message = z.infer<typeof message>
/** A text, a thought or a call of a tool in a message. */
export type Content = NonNullable<Message['content']>[number]

/** A message admitted to a session and not yet given to its agent. */
export const inboxItem = z.looseObject({
  id: z.string(),
  type: z.string(),
  time: z.optional(z.looseObject({ created: z.optional(z.number()) })),
  payload: z.optional(z.unknown()),
})
export type InboxItem = z.infer<typeof inboxItem>

export const plugin = z.looseObject({
  /** Its file; absent for opencode's own plugins and those of packages. */
  source: z.optional(z.looseObject({ path: z.optional(z.string()) })),
  state: z.looseObject({ status: z.string(), error: z.optional(z.string()) }),
})

export const agent = z.looseObject({
  id: z.string(),
  mode: z.optional(z.string()),
  hidden: z.optional(z.boolean()),
  permissions: z.optional(z.array(rule)),
})
export type Agent = z.infer<typeof agent>

export const model = z.looseObject({ id: z.string(), providerID: z.string(), enabled: z.optional(z.boolean()) })

/** The model of a configuration: `provider/model`, `provider/model#variant`, or the same as an object. */
const configuredModel = z.union([
  z.string(),
  z.looseObject({ providerID: z.string(), model: z.string(), variant: z.optional(z.string()) }),
])

/** A part of the configuration: a document of the user or the project, or a directory that was searched. */
export const configuration = z.looseObject({
  info: z.optional(z.looseObject({ model: z.optional(configuredModel), default_agent: z.optional(z.string()) })),
})
export type Configuration = z.infer<typeof configuration>

export const mcpServer = z.looseObject({
  name: z.string(),
  status: z.looseObject({ status: z.string(), error: z.optional(z.string()) }),
})

export const permissionRequest = z.looseObject({
  id: z.string(),
  sessionID: z.string(),
  action: z.string(),
  resources: z.optional(z.array(z.string())),
})

/** Questions for a person; `custom` says that a text of its own is an answer too. */
export const form = z.looseObject({
  id: z.string(),
  sessionID: z.string(),
  fields: z.optional(z.array(z.looseObject({ key: z.string(), type: z.string(), custom: z.optional(z.boolean()) }))),
})
export type Form = z.infer<typeof form>

/** One event of `GET /api/event`. */
export const event = z.looseObject({ type: z.string(), data: z.optional(z.looseObject({})) })

const ofSession = { sessionID: z.string() }
const ofStep = z.looseObject({ ...ofSession, assistantMessageID: z.string() })

export const eventData = {
  created: z.looseObject({ ...ofSession, parentID: z.optional(z.string()) }),
  delivered: z.looseObject({ ...ofSession, inboxID: z.string() }),
  step: ofStep,
  ofSession: z.looseObject(ofSession),
  failed: z.looseObject({ ...ofSession, error: z.optional(failure) }),
  retry: z.looseObject({ ...ofSession, ...retry.shape }),
  form: z.looseObject({ form: z.looseObject(ofSession) }),
} as const
