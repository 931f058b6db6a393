/** A task in the queue: the fields of its file, and how they are read. */
import { defaultsOf, type Described, field, isText, list, number, object, readFields, text } from '../core/fields.ts'
import { parseJson } from '../platform/state-file.ts'

const states = ['pending', 'notified', 'completed', 'error'] as const
const kinds = ['dev', 'pm'] as const
/** An id is a file name, here and elsewhere. */
const idPattern = /^q_[A-Za-z0-9_-]{1,100}$/
/** How many attempts of the bash tool count. It wrote down only their number. */
const mostUntoldAttempts = 3

export type ItemState = (typeof states)[number]

const attemptFields = {
  started_at: text,
  ended_at: text,
  /**
   * null while it goes on; completed, error, timeout, stopped: how the agent ended; failed: the agent could not be
   * started; interrupted: the process that was to start it was killed, which does not count as a failure.
   */
  outcome: text,
  reason: text,
}
const attemptList = list((value) => readFields(attemptFields, value))
/** One attempt to start an agent with a task, until the end of its run. */
export type Attempt = Described<typeof attemptFields>

const resultFields = {
  branch: text,
  /** Commits of the branch that its base does not have; null when it could not be told. */
  commits: number,
  /** Of this run, in dollars. */
  cost: number,
  pr_url: text,
  /** The last words of the agent. */
  answer: text,
}
/** The result of a task. */
export type Result = Described<typeof resultFields>

/** A ref that a message to the PM agent mentions, with the issues it may mean. */
export interface Mention {
  said: string
  issue_refs: string[]
}

const fields = {
  /** `q_` and a part that sorts by the time of enqueueing; also the name of the file. */
  id: field<string>(isText, () => ''),
  /** For a dev agent of its own, or for the PM agent. */
  kind: field<(typeof kinds)[number] | null>(
    (value) => kinds.includes(value as 'dev'),
    () => null,
  ),
  issue_ref: text,
  message: field<string>(isText, () => ''),
  /** pending → notified (an agent has it) → completed or error. Required in the file. */
  state: field<ItemState | undefined>(
    (value) => states.includes(value as ItemState),
    () => undefined,
  ),
  /** 1 for the next message to an existing session, because that goes ahead of new work. */
  priority: field<number>(Number.isFinite, () => 0),
  pending_since: text,
  notified_at: text,
  /** When it ended, as a success or not. */
  completed_at: text,
  error: text,
  attempts: { ...attemptList, read: readAttempts },
  /** How many attempts there were when `queue retry` last gave it back. */
  attempts_before: field<number>(Number.isSafeInteger, () => 0),
  /** It is not tried again before this time. */
  not_before: text,
  opencode_session_id: text,
  /** The process that its agent runs in. */
  pid: field<number | string | null>(
    (value) => isText(value) || Number.isFinite(value),
    () => null,
  ),
  /** The slot of its agent's run. */
  run: text,
  pr_url: text,
  base: text,
  model: text,
  agent: text,
  fresh: field<boolean>(
    (value) => typeof value === 'boolean',
    () => false,
  ),
  mentions: list<Mention>((value) => (isMention(value) ? value : undefined)),
  result: object(resultFields),
}

/** queue/items/<id>.json. Unknown fields are kept. */
export type Item = Described<Omit<typeof fields, 'kind' | 'state'>> & {
  kind: (typeof kinds)[number]
  state: ItemState
  /** Its place in the order, see rankOf(); only on items that are not in the place of their id. */
  rank?: string
  /** Where it came from; only on items that were added with an id of the caller's own. */
  source?: string
}

/** The parts of a task to enqueue: the rest follows from them. */
export interface Task extends Partial<
  Pick<Item, 'kind' | 'priority' | 'pr_url' | 'base' | 'model' | 'agent' | 'fresh' | 'mentions' | 'rank'>
> {
  issue_ref: string | null
  message: string
}

export function isItemId(id: string): boolean {
  return idPattern.test(id)
}

/** Reads the file of the item `id`, also one of the bash tool; undefined when the content is not that item. */
export function parseItem(id: string, content: string): Item | undefined {
  const read = readFields(fields, parseJson(content))
  if (read === undefined || !isItemId(id) || (read.id !== '' && read.id !== id)) return undefined
  const issueRef = read.issue_ref || null
  return { ...read, id, kind: read.kind ?? kindFor(issueRef), issue_ref: issueRef } as Item
}

/** A new item for a task, from `source` if given. */
export function newItem(id: string, task: Task, now: Date, source?: string): Item {
  const { message, priority, pr_url, base, model, agent, fresh, mentions, rank } = task
  const issueRef = task.issue_ref || null
  const kind = task.kind ?? kindFor(issueRef)
  const own = { id, kind, issue_ref: issueRef, state: 'pending', pending_since: now.toISOString() }
  const asked = { message, priority, pr_url, base, model, agent, fresh, mentions }
  const more = { ...(rank === undefined ? {} : { rank }), ...(source === undefined ? {} : { source }) }
  return readFields(fields, { ...defaultsOf(fields), ...asked, ...own, ...more }) as Item
}

function kindFor(issueRef: string | null): (typeof kinds)[number] {
  return issueRef === null ? 'pm' : 'dev'
}

/** Reads the attempts; the bash tool wrote down only their number. */
function readAttempts(value: unknown): Attempt[] | undefined {
  if (!Number.isSafeInteger(value)) return attemptList.read(value)
  const length = Math.max(0, Math.min(value as number, mostUntoldAttempts))
  return Array.from({ length }, () => ({ ...defaultsOf(attemptFields), outcome: 'failed' }))
}

function isMention(value: unknown): value is Mention {
  const { said, issue_refs: refs } = (value ?? {}) as Partial<Mention>
  return isText(said) && Array.isArray(refs) && refs.every(isText)
}
