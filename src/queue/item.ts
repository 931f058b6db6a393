/** A task in the queue: its file's fields, and reading them. */
import * as z from 'zod/mini'
import { lazy } from '../core/lazy.ts'
import { parseJson } from '../platform/state-file.ts'

const states = ['pending', 'notified', 'completed', 'error'] as const
const kinds = ['dev', 'pm'] as const
/** An id is a file name, here and elsewhere. */
const idPattern = /^q_[A-Za-z0-9_-]{1,100}$/
/** What counts of the attempts of the bash tool, which wrote down only how many there were. */
const mostUntoldAttempts = 3

export type ItemState = (typeof states)[number]

/** One time that an agent was to be started with a task, until the end of its run. */
export interface Attempt {
  started_at: string | null
  ended_at: string | null
  /**
   * null while it goes on; completed, error, timeout, stopped: how the agent ended; failed: the agent could not be
   * started; interrupted: what was to start it was killed, which counts for nothing.
   */
  outcome: string | null
  reason: string | null
  [field: string]: unknown
}

/** What came of a task. */
export interface Result {
  branch: string | null
  /** Commits of the branch that its base does not have; null when it could not be told. */
  commits: number | null
  /** Of this run, in dollars. */
  cost: number | null
  pr_url: string | null
  /** What the agent said last. */
  answer: string | null
  [field: string]: unknown
}

/** queue/items/<id>.json. Fields that are not known survive. */
export interface Item {
  /** `q_` and what sorts by the time it was enqueued. */
  id: string
  /** For a dev agent of its own, or for the PM agent. */
  kind: (typeof kinds)[number]
  issue_ref: string | null
  message: string
  /** pending → notified (an agent has it) → completed or error. */
  state: ItemState
  /** 1 for the next message to an existing session, which goes ahead of new work. */
  priority: number
  pending_since: string | null
  notified_at: string | null
  /** When it was over, well or not. */
  completed_at: string | null
  error: string | null
  attempts: Attempt[]
  /** How many of the attempts were before it was last given back by `queue retry`. */
  attempts_before: number
  /** It is not tried again before that. */
  not_before: string | null
  opencode_session_id: string | null
  /** The process its agent is in. */
  pid: number | string | null
  /** The slot of its agent's run. */
  run: string | null
  pr_url: string | null
  base: string | null
  model: string | null
  agent: string | null
  fresh: boolean
  /** The refs that a message to the PM agent speaks of, each with the issues it may mean. */
  mentions: { said: string; issue_refs: string[] }[]
  result: Result | null
  [field: string]: unknown
}

/** What is enqueued: the rest follows from it. */
export interface Task extends Partial<
  Pick<Item, 'kind' | 'priority' | 'pr_url' | 'base' | 'model' | 'agent' | 'fresh' | 'mentions'>
> {
  issue_ref: string | null
  message: string
}

const text = () => z.nullish(z.string())
const schema = lazy(() =>
  z.looseObject({
    id: z.optional(z.string()),
    kind: z.nullish(z.enum(kinds)),
    issue_ref: text(),
    message: text(),
    state: z.enum(states),
    priority: z.nullish(z.number()),
    pending_since: text(),
    notified_at: text(),
    completed_at: text(),
    error: text(),
    attempts: z.nullish(
      z.union([
        z.int(),
        z.array(z.looseObject({ started_at: text(), ended_at: text(), outcome: text(), reason: text() })),
      ]),
    ),
    attempts_before: z.nullish(z.int()),
    not_before: text(),
    opencode_session_id: text(),
    pid: z.nullish(z.union([z.number(), z.string()])),
    run: text(),
    pr_url: text(),
    base: text(),
    model: text(),
    agent: text(),
    fresh: z.nullish(z.boolean()),
    mentions: z.nullish(z.array(z.looseObject({ said: z.string(), issue_refs: z.array(z.string()) }))),
    result: z.nullish(
      z.looseObject({
        branch: text(),
        commits: z.nullish(z.number()),
        cost: z.nullish(z.number()),
        pr_url: text(),
        answer: text(),
      }),
    ),
  }),
)

export function isItemId(id: string): boolean {
  return idPattern.test(id)
}

/** Reads what the file of the item `id` says, also one of the bash tool; undefined when it is no such item. */
export function parseItem(id: string, content: string): Item | undefined {
  const value = parseJson(content)
  if (isWhole(value) && value.id === id && isItemId(id)) return value
  const read = schema().safeParse(value)
  if (!read.success || !isItemId(id) || (read.data.id ?? id) !== id) return undefined
  const { data } = read
  const issueRef = data.issue_ref || null
  return {
    ...data,
    id,
    kind: data.kind ?? (issueRef === null ? 'pm' : 'dev'),
    issue_ref: issueRef,
    message: data.message ?? '',
    priority: data.priority ?? 0,
    pending_since: data.pending_since ?? null,
    notified_at: data.notified_at ?? null,
    completed_at: data.completed_at ?? null,
    error: data.error ?? null,
    attempts: attemptsOf(data.attempts),
    attempts_before: data.attempts_before ?? 0,
    not_before: data.not_before ?? null,
    opencode_session_id: data.opencode_session_id ?? null,
    pid: data.pid ?? null,
    run: data.run ?? null,
    pr_url: data.pr_url ?? null,
    base: data.base ?? null,
    model: data.model ?? null,
    agent: data.agent ?? null,
    fresh: data.fresh ?? false,
    mentions: data.mentions ?? [],
    result: data.result
      ? { branch: null, commits: null, cost: null, pr_url: null, answer: null, ...known(data.result) }
      : null,
  }
}

/**
 * Whether it is an item with all of its fields, as it is written here, so that there is nothing to fill in. The schema
 * says the same of it and takes several times as long, which counts where there are thousands of them.
 */
function isWhole(value: unknown): value is Item {
  const item = value as Item | null
  return (
    typeof item === 'object' &&
    item !== null &&
    typeof item.id === 'string' &&
    kinds.includes(item.kind) &&
    isTextOrNull(item.issue_ref) &&
    item.issue_ref !== '' &&
    typeof item.message === 'string' &&
    states.includes(item.state) &&
    Number.isFinite(item.priority) &&
    isTextOrNull(item.pending_since) &&
    isTextOrNull(item.notified_at) &&
    isTextOrNull(item.completed_at) &&
    isTextOrNull(item.error) &&
    Array.isArray(item.attempts) &&
    item.attempts.every(isWholeAttempt) &&
    Number.isSafeInteger(item.attempts_before) &&
    isTextOrNull(item.not_before) &&
    isTextOrNull(item.opencode_session_id) &&
    (isTextOrNull(item.pid) || Number.isFinite(item.pid)) &&
    isTextOrNull(item.run) &&
    isTextOrNull(item.pr_url) &&
    isTextOrNull(item.base) &&
    isTextOrNull(item.model) &&
    isTextOrNull(item.agent) &&
    typeof item.fresh === 'boolean' &&
    Array.isArray(item.mentions) &&
    item.mentions.length === 0 && // others are seldom, and for the schema
    (item.result === null || isWholeResult(item.result))
  )
}

function isWholeAttempt(attempt: Attempt | null): boolean {
  return (
    typeof attempt === 'object' &&
    attempt !== null &&
    isTextOrNull(attempt.started_at) &&
    isTextOrNull(attempt.ended_at) &&
    isTextOrNull(attempt.outcome) &&
    isTextOrNull(attempt.reason)
  )
}

function isWholeResult(result: Result): boolean {
  return (
    typeof result === 'object' &&
    isTextOrNull(result.branch) &&
    (result.commits === null || Number.isFinite(result.commits)) &&
    (result.cost === null || Number.isFinite(result.cost)) &&
    isTextOrNull(result.pr_url) &&
    isTextOrNull(result.answer)
  )
}

/** False for undefined: a field that is missing is to be filled in. */
function isTextOrNull(value: unknown): value is string | null {
  return typeof value === 'string' || value === null
}

/** A new item for a task. */
export function newItem(id: string, task: Task, now: Date): Item {
  const issueRef = task.issue_ref || null
  return {
    id,
    kind: task.kind ?? (issueRef === null ? 'pm' : 'dev'),
    issue_ref: issueRef,
    message: task.message,
    state: 'pending',
    priority: task.priority ?? 0,
    pending_since: now.toISOString(),
    notified_at: null,
    completed_at: null,
    error: null,
    attempts: [],
    attempts_before: 0,
    not_before: null,
    opencode_session_id: null,
    pid: null,
    run: null,
    pr_url: task.pr_url ?? null,
    base: task.base ?? null,
    model: task.model ?? null,
    agent: task.agent ?? null,
    fresh: task.fresh ?? false,
    mentions: task.mentions ?? [],
    result: null,
  }
}

type ReadAttempts =
  number | { [Field in 'started_at' | 'ended_at' | 'outcome' | 'reason']?: string | null | undefined }[]

function attemptsOf(read: ReadAttempts | null | undefined): Attempt[] {
  if (typeof read !== 'number') {
    return (read ?? []).map((each) => ({
      started_at: null,
      ended_at: null,
      outcome: null,
      reason: null,
      ...known(each),
    }))
  }
  return Array.from({ length: Math.max(0, Math.min(read, mostUntoldAttempts)) }, () => ({
    started_at: null,
    ended_at: null,
    outcome: 'failed',
    reason: null,
  }))
}

/** Without the fields that are undefined. */
function known<T extends object>(value: T): { [Field in keyof T]: Exclude<T[Field], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as never
}
