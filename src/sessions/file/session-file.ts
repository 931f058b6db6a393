import * as z from 'zod/mini'
import { lazy } from '../../core/lazy.ts'

// Shared, because each of them takes as long to make as a file to read.
const string = lazy(() => z.string())
const text = lazy(() => z.nullish(string()))

/** One piece of work of an agent, from the prompt that begins it to its settling. */
const run = lazy(() =>
  z.looseObject({
    /** The slot it holds: slots/<slot>.slot. */
    slot: string(),
    /** The prompts of this run in the order they were sent; it is over when the last of them is answered. */
    message_ids: z.array(string()).check(z.minLength(1)),
    started_at: string(),
    /** When it is stopped as timed out. */
    deadline_at: string(),
    /** How long it may take from its last prompt on; older versions did not say. */
    allotted_ms: z.optional(z.number()),
    /** The deadline by a clock that does not jump, see uptime(); absent where there is none. */
    deadline_uptime: z.optional(z.looseObject({ boot_id: string(), ms: z.number() })),
    /** How often the server died under it. */
    interruptions: z._default(z.int(), 0),
    /** The server (its marker) of which a start was the end: that death is not counted. */
    excused: z.optional(string()),
    /** The prompt that told the agent of the last of these. */
    resumed_with: z.optional(string()),
    /** The prompt that told the agent to go on, because it had ended without an answer. */
    told_to_go_on_with: z.optional(string()),
    /** How often in a row opencode itself failed under it and it was told to go on, without a step in between. */
    troubles: z.optional(z.int()),
    /** The prompts that said again what the model may not have read. */
    repeats: z.optional(z.array(string())),
    /** A person wants it to end: an aborted message is then an end and no failure. */
    stop_requested: z.optional(z.boolean()),
    /** The server it was sent to (its marker): another one running now means that it was interrupted. Empty: so it was. */
    server: string(),
    /** The queue item it was started for; in the very write that makes it a run, so that no item is started twice. */
    queue_item: z.optional(string()),
  }),
)
export type Run = z.infer<ReturnType<typeof run>>

/** A run that ended while no daemon followed it: its transcript is to be completed. */
const unwrittenRun = lazy(() =>
  z.looseObject({
    run: run(),
    opencode_session_id: string(),
    state: z.enum(['idle', 'error', 'timeout', 'stopped']),
    ended_at: string(),
    error: z.optional(string()),
    cost: z.optional(z.number()),
  }),
)
export type UnwrittenRun = z.infer<ReturnType<typeof unwrittenRun>>

/**
 * A session file, in the fields of the bash tool plus ours. Whatever else is in the file survives.
 * `branch_name` is the bash tool's name for the branch.
 */
export const sessionRecord = lazy(() =>
  z.looseObject({
    type: string(),
    issue_ref: text(),
    opencode_session_id: text(),
    worktree_path: text(),
    branch_name: text(),
    base_branch: text(),
    pr_url: text(),
    /** starting, running, waiting, idle, error or timeout; as far as the file knows, see session-view.ts. */
    state: z._default(string(), 'idle'),
    created_at: text(),
    updated_at: text(),
    last_error: text(),
    model: text(),
    /** The agent of opencode's configuration that its prompts are for; the default one without. */
    agent: text(),
    /** False until its first prompt was sent: it is still to be told what the issue is about. */
    briefed: z.optional(z.boolean()),
    cost: z.nullish(z.number()),
    tokens: z.nullish(z.looseObject({})),
    run: z.nullish(run()),
    /** The newest last; see daemon/following/late-transcripts.ts. */
    unwritten: z.nullish(z.array(unwrittenRun())),
    /** What is to be told of runs that ended and is not among the notifications yet, see announce.ts. */
    untold: z.nullish(
      z.array(
        z.looseObject({
          id: string(),
          type: string(),
          message: string(),
          timestamp: string(),
          queue_item: z.optional(string()),
        }),
      ),
    ),
  }),
)
export type SessionRecord = z.infer<ReturnType<typeof sessionRecord>>

const index = lazy(() =>
  z.looseObject({
    base: text(),
    pm_agent: text(),
    issues: z._default(z.record(string(), string()), {}),
  }),
)
export type Index = z.infer<ReturnType<typeof index>>

/**
 * The record that a session file says, undefined when it is none. What the schema would only say yes to is told by
 * hand, which is faster: there may be thousands.
 */
export function parseRecord(value: unknown): SessionRecord | undefined {
  return isPlainRecord(value) ? value : sessionRecord().safeParse(value).data
}

/** The index that index.json says, undefined when it is none; by hand in the same way. */
export function parseIndex(value: unknown): Index | undefined {
  return isWholeIndex(value) ? value : index().safeParse(value).data
}

function isWholeIndex(value: unknown): value is Index {
  const read = value as Index | null
  return (
    typeof read === 'object' &&
    read !== null &&
    isText(read.base) &&
    isText(read.pm_agent) &&
    typeof read.issues === 'object' &&
    (read.issues as object | null) !== null &&
    !Array.isArray(read.issues) &&
    Object.values(read.issues).every((file) => typeof file === 'string')
  )
}

/** A record at rest, with nothing to fill in. */
function isPlainRecord(value: unknown): value is SessionRecord {
  const record = value as SessionRecord | null
  return (
    typeof record === 'object' &&
    record !== null &&
    typeof record.type === 'string' &&
    isText(record.issue_ref) &&
    isText(record.opencode_session_id) &&
    isText(record.worktree_path) &&
    isText(record.branch_name) &&
    isText(record.base_branch) &&
    isText(record.pr_url) &&
    typeof record.state === 'string' &&
    isText(record.created_at) &&
    isText(record.updated_at) &&
    isText(record.last_error) &&
    isText(record.model) &&
    isText(record.agent) &&
    (record.briefed === undefined || typeof record.briefed === 'boolean') &&
    (isNone(record.cost) || Number.isFinite(record.cost)) &&
    (isNone(record.tokens) || (typeof record.tokens === 'object' && !Array.isArray(record.tokens))) &&
    isNone(record.run) &&
    isNone(record.untold) &&
    isNone(record.unwritten)
  )
}

function isText(value: unknown): boolean {
  return typeof value === 'string' || isNone(value)
}

function isNone(value: unknown): value is null | undefined {
  return value === null || value === undefined
}
