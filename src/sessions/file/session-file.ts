import * as z from 'zod/mini'
import { lazy } from '../../core/lazy.ts'

// Shared, because making one schema takes as long as reading a file.
const string = lazy(() => z.string())
const text = lazy(() => z.nullish(string()))

/** One piece of work of an agent, from the prompt that begins it to its settling. */
const run = lazy(() =>
  z.looseObject({
    /** The slot it holds: slots/<slot>.slot. */
    slot: string(),
    /** The prompts of this run in the order they were sent; the run is over when the last one is answered. */
    message_ids: z.array(string()).check(z.minLength(1)),
    started_at: string(),
    /** When it is stopped as timed out. */
    deadline_at: string(),
    /** How long it may take from its last prompt on; missing in files of older versions. */
    allotted_ms: z.optional(z.number()),
    /** The deadline by a clock that does not jump, see uptime(); absent where there is no such clock. */
    deadline_uptime: z.optional(z.looseObject({ boot_id: string(), ms: z.number() })),
    /** How often the server died under it. */
    interruptions: z._default(z.int(), 0),
    /** The marker of a server that died because of another agent's start: that death is not counted. */
    excused: z.optional(string()),
    /** The prompt that told the agent of the last interruption. */
    resumed_with: z.optional(string()),
    /** The prompt that told the agent to go on, because it had ended without an answer. */
    told_to_go_on_with: z.optional(string()),
    /** How often in a row opencode itself failed and the agent was told to go on, without a step in between. */
    troubles: z.optional(z.int()),
    /** The prompts that repeated a message which the model may not have read. */
    repeats: z.optional(z.array(string())),
    /** A person stopped it: an aborted message then counts as an end, not as a failure. */
    stop_requested: z.optional(z.boolean()),
    /** The marker of the server it was sent to. The run was interrupted if another server runs now, or if this is empty. */
    server: string(),
    /** The queue item it was started for; written together with the run, so that no item is started twice. */
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
 * A session file: the fields of the bash tool plus ours. Unknown fields are kept.
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
    /** The agent of opencode's configuration that its prompts are for; without it, the default agent. */
    agent: text(),
    /** False until its first prompt was sent: the agent does not know yet what the issue is about. */
    briefed: z.optional(z.boolean()),
    cost: z.nullish(z.number()),
    tokens: z.nullish(z.looseObject({})),
    run: z.nullish(run()),
    /** The newest last; see daemon/following/late-transcripts.ts. */
    unwritten: z.nullish(z.array(unwrittenRun())),
    /** The notifications about ended runs that are not stored among the notifications yet, see announce.ts. */
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
 * The record in a session file; undefined when the value is not one. A value that the schema would accept unchanged is
 * checked by hand, which is faster: there may be thousands.
 */
export function parseRecord(value: unknown): SessionRecord | undefined {
  return isPlainRecord(value) ? value : sessionRecord().safeParse(value).data
}

/** The index in index.json; undefined when the value is not one. Checked by hand first, as in parseRecord(). */
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

/** Whether it is a record without a run that the schema would accept unchanged. */
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
