/** The words and actions of agents, as a server reports them: messages, their parts, and events. */

/** The facts of a message, without its text. */
export interface MessageFacts {
  id: string
  sessionId: string
  role: 'user' | 'assistant'
  /** When it began, by the server's clock; undefined when unknown. */
  at: Date | undefined
  /** It is complete. */
  isOver: boolean
  isFailed: boolean
  /** Why the model stopped, in its own word. */
  finish: string | undefined
  /** It only sums up the conversation before it. */
  isSummary: boolean
}

/** A message with its parts. */
export interface Told {
  message: MessageFacts
  entries: Entry[]
}

/** A part of a message, in the order of a transcript. */
export type Entry = EntryOf & {
  id: string
  messageId: string
  sessionId: string
  /** It is complete. A text of a user always is. */
  isFinished: boolean
}

export type EntryOf =
  | { kind: 'text' | 'thought'; text: string }
  | { kind: 'call'; call: ToolCall }
  | { kind: 'file'; name: string | undefined }
  | { kind: 'retry'; attempt: number; text: string }
  /** The conversation was replaced by a summary. */
  | { kind: 'summary' }

export interface ToolCall {
  /** Once it has ended: the tool, its arguments (the same text for the same call), and its error. */
  ended: { tool: string; input: string; failure: string | undefined } | undefined
  /** While it runs a command: the id that the command has in KUGETSU_CALL, and its own timeout. */
  command: { callId: string; timeoutMs: number | undefined; startedAt: number | undefined } | undefined
  /** Lines for a transcript, each ending in a newline. `mask` hides secrets; paths are shown relative to `directory`. */
  show: (options: { directory: string | undefined; mask: (text: string) => string }) => string
}

export type ServerEvent =
  | { type: 'message'; message: MessageFacts }
  | { type: 'entry'; entry: Entry }
  /** A session is that of a sub-agent. */
  | { type: 'child'; sessionId: string; parentId: string }
  | { type: 'retry'; sessionId: string; retry: Retry }
  /** `trouble` is set when the server itself failed, in words that can follow "opencode failed:". */
  | { type: 'error'; sessionId: string; text: string; trouble: string | undefined }
  /** The status of a session may have changed, or it waits for an answer. */
  | { type: 'news'; sessionId: string; news: 'changed' | 'asked' }
  /** An event that the driver knows and cannot read; in words for a warning. */
  | { type: 'misread'; text: string }

export interface Retry {
  attempt: number
  text: string
}
