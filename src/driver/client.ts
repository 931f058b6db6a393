/** A running server of a coding agent. */
import type { SeenMessage } from '../core/run-outcome.ts'
import type { Retry, ServerEvent, Told } from './entry.ts'

/** A server listens on 127.0.0.1. */
export interface Endpoint {
  port: number
  password: string
}

/** A rule of what an agent may do; the last one that matches applies. */
export interface PermissionRule {
  permission: string
  /** `*` stands for anything, `?` for one character. */
  pattern: string
  action: 'allow' | 'deny' | 'ask'
}

/** A running server. A `directory` is a worktree, or the home's base directory. */
export interface Client {
  /** Whether a server of this kind answers and takes our password. Throws only when aborted. */
  isUp(timeoutMs: number): Promise<boolean>
  /**
   * Loads ahead what the first prompt in a directory needs, as far as the server can. Throws KugetsuError
   * `bad_repository_config` where that would do harm.
   */
  warmUp(directory: string): Promise<void>
  /** Closes what the server has open for a directory. Ends agents at work there. */
  close(directory: string): Promise<void>
  /** The agents that it has in a directory, the default one first. */
  agents(directory: string): Promise<AgentInfo[]>
  /** The model and agent that the user or the project has set there; absent without a setting. */
  defaults(directory: string): Promise<{ model?: string | undefined; agent?: string | undefined }>
  /** The providers and models (`provider/model`) that it can use there. */
  usable(directory: string): Promise<UsableModels>
  /**
   * What is wrong with the MCP servers there, one clause each; also that one has not answered after `patienceMs`
   * milliseconds.
   */
  mcpTrouble(directory: string, patienceMs: number): Promise<string[]>

  /** A new session with a first message that no model has answered. Throws KugetsuError `priming_failed`. */
  createPrimed(directory: string, session: { title: string; text: string; agent?: string | undefined }): Promise<string>
  /**
   * A new session that begins with the messages of session `base`, and is to be placed. `near` is any directory of the
   * home. Throws KugetsuError `base_session_missing`.
   */
  fork(base: string, near: string): Promise<string>
  /**
   * Makes a session work in a directory under rules, and checks that it does, before any prompt is sent. A new session
   * comes from fork() and has no prompt yet. Throws KugetsuError `wrong_directory` when it does not work there.
   */
  place(id: string, target: Placement): Promise<void>
  /** Whether it has a session. */
  has(id: string, near: string): Promise<boolean>
  /** Removes a session and those of its sub-agents; does nothing when there is none. */
  remove(id: string, near: string): Promise<void>
  /** The files with long outputs of the commands of a session and its sub-agents. Throws KugetsuError when it cannot tell. */
  outputsOf(id: string, near: string): Promise<string[]>

  /** Sends a prompt; returns as soon as the server has it. A message id sent before makes no second message. */
  prompt(id: string, directory: string, prompt: Prompt): Promise<void>
  /** Whether a message is in a session, whole. */
  hasMessage(id: string, directory: string, messageId: string): Promise<boolean>
  /** Ends the agent's work, the commands it runs and its sub-agents; the session stays. */
  interrupt(id: string, directory: string): Promise<void>
  /**
   * How a session stands: back to the last of the messages `promptIds` while it is busy, and to all of them when it is idle.
   * Undefined when there is no such session.
   */
  observe(id: string, directory: string, promptIds: readonly string[]): Promise<ObservedSession | undefined>
  /** The failure of the model's provider, while the server waits to try again. */
  retryOf(id: string, directory: string): Promise<Retry | undefined>
  /** Whether a session is at work, also without a prompt of ours. Must not load a closed directory. */
  isAtWork(id: string, at: { directory: string; near: string }): Promise<boolean>
  /** Whether any session is at work in a directory. */
  isBusy(directory: string): Promise<boolean>
  /** All messages of a session in order; undefined when there is no such session. */
  transcript(id: string, directory: string): Promise<Told[] | undefined>

  /** The requests that agents in a directory wait for. */
  asks(directory: string): Promise<Ask[]>
  /** Answers a request: allowed this once, or refused with a text for the agent. A question can only be refused. */
  answer(ask: Ask, directory: string, answer: 'once' | { refused: string | undefined }): Promise<void>
  /**
   * Follows all directories until the stream ends, the signal aborts, or the stream falls silent. Calls `onOpen` once
   * it listens: no later event is missed. Throws KugetsuError when it cannot connect.
   */
  follow(handlers: { onOpen: () => void; onEvent: (event: ServerEvent) => void }, signal: AbortSignal): Promise<void>
}

export interface Placement {
  directory: string
  rules: PermissionRule[]
  title: string
  isNew: boolean
}

export interface Prompt {
  /** As message-id.ts makes them. */
  messageId: string
  text: string
  /** `provider/model`; absent, the session's model stays. */
  model?: string | undefined
  agent?: string | undefined
}

/** An agent in the server's sense: a system prompt, tools and rules under a name. */
export interface AgentInfo {
  name: string
  /** Whether a person may give it work; false for those that only work for other agents, and hidden ones. */
  isPrimary: boolean
  /** It can neither change files nor run commands. */
  isWithoutTools: boolean
}

export interface UsableModels {
  /** The ids of the providers. */
  providers: string[]
  has: (model: string) => boolean
  /** There are only models that are free to try, without any login. */
  isOnlyFree: boolean
}

export interface ObservedSession {
  busy: boolean
  retry: Retry | undefined
  messages: SeenMessage[]
  /** What the agent said last, whole; undefined when it said nothing since the last prompt. */
  answer: string | undefined
  /** In dollars; undefined when it is not known. */
  cost: number | undefined
  tokens: Record<string, unknown> | undefined
}

/** A request that an agent waits for. */
export interface Ask {
  id: string
  sessionId: string
  kind: 'permission' | 'question'
  /** The action, as `bash` or `edit`, and its targets. */
  permission: string
  patterns: string[]
}
