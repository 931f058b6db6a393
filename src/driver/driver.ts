/**
 * What kugetsu needs of the server of a coding agent. A driver knows one kind of server: its routes, events, tables and files
 * are known there alone (and in the plugin, which runs inside it). `choose.ts` picks the driver of a home.
 */
import type { Home } from '../config/home.ts'
import type { SeenMessage } from '../core/run-outcome.ts'

/** Named in state files; a file without it was written for `opencode`. */
export type DriverKind = 'opencode' | 'opencode2'

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

/** Agents to define in addition to the user's own, by name, in the form of opencode 1's configuration. */
export type AgentDefinitions = Record<string, object>

/** What a driver can do without a server. */
export interface Driver {
  readonly kind: DriverKind
  /** The newest version that the tests have run on. */
  readonly testedVersion: string
  /** Throws KugetsuError `bad_home` when such a server cannot work in the directories of a home. */
  requireWorkable(home: string): void
  /** Called once by a process that lives long: reads now what an upgrade of kugetsu would replace under it. */
  preload(): void
  /**
   * Writes the files that a new server reads, and tells how to run the program. Called while the home has no server, and
   * before each boot. Throws KugetsuError `bad_config` when the user's own configuration cannot be added to.
   */
  launch(home: Home, own: Own): Launch
  /** The `mark` of a server that would be launched now. */
  markFor(home: Home, program: string): string
  /**
   * Called with a server that has just booted, before any other process finds it. Returns whether it has only now become
   * known how to launch it well: then it is ended and launched again. Throws when the server does not answer.
   */
  isToBeLaunchedAnew(home: Home, client: Client, launched: { program: string; mark: string }): Promise<boolean>
  /** Once an hour while the server runs: renews files that it reads again from time to time. */
  renewFiles(home: Home, launched: { program: string; mark: string }): void
  /**
   * A client of a running server. Its calls throw KugetsuError `opencode_request` with what was asked and what came back, and
   * the reason of an aborted signal as it is.
   */
  connect(home: Home, endpoint: Endpoint, signal: AbortSignal | undefined): Client
  /** How long a command of an agent may take without a timeout of its own, in milliseconds, in the server with this pid. */
  commandTimeoutMs(pid: number): number
  /** Arguments and variables of the program's terminal interface, opened on a session of a running server. */
  attach(endpoint: Endpoint, session: { id: string; directory: string }): { args: string[]; env: Record<string, string> }
  /** What it keeps of all sessions, read without a server; changes nothing. Undefined when it keeps none yet. Throws. */
  lookAtStore(home: Home): StoreLook | undefined
  /** Which of these sessions it keeps; undefined when that cannot be told. */
  knownSessions(home: Home, ids: readonly string[]): Set<string> | undefined
  /** Stores rules with sessions, also while no server runs; returns the ids of those that exist. Throws KugetsuError. */
  storeRules(home: Home, sessions: readonly { id: string; rules: PermissionRule[] }[]): string[]
  /** Removes what it keeps for a worktree that is gone, and that no session owns. Throws the system's errors. */
  forgetWorktree(home: Home, worktree: string): void
  /** The long outputs of agents' commands that it keeps as files, read without a server; undefined without any. */
  lookAtOutputs(home: Home): { directory: string; files: number; bytes: number; open: boolean } | undefined
  /** Keeps other users from reading those. Never throws. */
  closeOutputs(home: Home): void
  /** Whether reading the project in a directory changes files there, so that it must not be read ahead of its agent. */
  isChangedByReading(directory: string): boolean
  /** The models (`provider/model`) and the agents for people that can be named, from files alone, sorted. */
  suggest(home: Home, what: 'models' | 'agents'): string[]
}

/** What a new server is given. */
export interface Own {
  /** The fingerprint of the program, as `program.ts` gives it. */
  program: string
  password: string
  /** Value of KUGETSU_SERVER in its environment. */
  marker: string
  agents: AgentDefinitions
}

export interface Launch {
  args: string[]
  env: NodeJS.ProcessEnv
  /** Tells this launch from others, empty for a plain one: an idle server with another mark is replaced. */
  mark: string
}

export interface StoreLook {
  /** What the store would need and does not have, by name. */
  missing: string[]
  /** The ids of all sessions. */
  sessions: ReadonlySet<string>
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
  /** The user's or the project's settings there; what is not set is absent. */
  defaults(directory: string): Promise<{ model?: string | undefined; agent?: string | undefined }>
  /** The providers and models (`provider/model`) that it can use there. */
  usable(directory: string): Promise<UsableModels>
  /** What is wrong with the MCP servers there, one clause each; also that one has not answered after `patienceMs`. */
  mcpTrouble(directory: string, patienceMs: number): Promise<string[]>

  /** A new session with a first message that no model has answered. Throws KugetsuError `priming_failed`. */
  createPrimed(directory: string, session: { title: string; text: string; agent?: string | undefined }): Promise<string>
  /**
   * A new session that begins with what session `base` was told, and is to be placed. `near` is any directory of the home.
   * Throws KugetsuError `base_session_missing`.
   */
  fork(base: string, near: string): Promise<string>
  /**
   * Makes a session work in a directory under rules, and checks that it does, before any prompt is sent. A session that is
   * new comes from fork() and has no prompt yet. Throws KugetsuError `wrong_directory` when it does not work there.
   */
  place(id: string, target: Placement): Promise<void>
  /** Whether it has a session. */
  has(id: string, near: string): Promise<boolean>
  /** Removes a session and those of its sub-agents; does nothing when there is none. */
  remove(id: string, near: string): Promise<void>
  /** The files with long outputs of the commands of a session and its sub-agents. Throws KugetsuError when it cannot tell. */
  outputsOf(id: string, near: string): Promise<string[]>

  /** Sends a prompt; returns as soon as the server has it. A message id that was sent before is no second message. */
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
  /** Whether a session is at work, also without a prompt of ours. Must not load a directory that is not open. */
  isAtWork(id: string, at: { directory: string; near: string }): Promise<boolean>
  /** Whether any session is at work in a directory. */
  isBusy(directory: string): Promise<boolean>
  /** All messages of a session in order; undefined when there is no such session. */
  transcript(id: string, directory: string): Promise<Told[] | undefined>

  /** What agents in a directory wait for. */
  asks(directory: string): Promise<Ask[]>
  /** Answers a request: allowed this once, or refused with a text for the agent. A question can only be refused. */
  answer(ask: Ask, directory: string, answer: 'once' | { refused: string | undefined }): Promise<void>
  /**
   * Follows what happens in all directories until the stream ends, the signal aborts, or the stream falls silent. Calls
   * `onOpen` once it listens: no later event is missed. Throws KugetsuError when it cannot connect.
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
}

export interface Retry {
  attempt: number
  text: string
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

/** Something that an agent waits for. */
export interface Ask {
  id: string
  sessionId: string
  kind: 'permission' | 'question'
  /** What it wants to do, as `bash` or `edit`, and to what. */
  permission: string
  patterns: string[]
}

/** A message and what is known of it. */
export interface MessageFacts {
  id: string
  sessionId: string
  role: 'user' | 'assistant'
  /** When it began, by the server's clock; undefined when that is not known. */
  at: Date | undefined
  /** Nothing is added to it any more. */
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
  /** Nothing is added to it any more. A text of a user is always finished. */
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
  /** Once it has ended: the tool, what it was asked (the same text for the same call), and what went wrong. */
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
