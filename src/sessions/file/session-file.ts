import {
  aBoolean,
  aList,
  aNumber,
  anInteger,
  anObject,
  aText,
  type Described,
  isObject,
  nullish,
  oneOf,
  optional,
  type Read,
  readFields,
  required,
  texts,
  withDefault,
} from '../../core/fields.ts'

const textList = aList(aText)
/** At least one. */
const promptIds: Read<string[]> = (value) => {
  const ids = textList(value)
  return ids?.length === 0 ? undefined : ids
}

/** One piece of work of an agent, from the prompt that begins it to its settling. */
const run = {
  /** The slot it holds: slots/<slot>.slot. */
  slot: required(aText),
  /** The prompts of this run in the order they were sent; the run is over when the last one is answered. */
  message_ids: required(promptIds),
  started_at: required(aText),
  /** When it is stopped as timed out. */
  deadline_at: required(aText),
  /** How long it may take from its last prompt on; missing in files of older versions. */
  allotted_ms: optional(aNumber),
  /** The deadline by a clock that does not jump, see uptime(); absent where there is no such clock. */
  deadline_uptime: optional(anObject({ boot_id: required(aText), ms: required(aNumber) })),
  /** How often the server died under it. */
  interruptions: withDefault(anInteger, () => 0),
  /** The marker of a server that died because of another agent's start: that death is not counted. */
  excused: optional(aText),
  /** The prompt that told the agent of the last interruption. */
  resumed_with: optional(aText),
  /** The prompt that told the agent to go on, because it had ended without an answer. */
  told_to_go_on_with: optional(aText),
  /** How often in a row opencode itself failed and the agent was told to go on, without a step in between. */
  troubles: optional(anInteger),
  /** The prompts that repeated a message which the model may not have read. */
  repeats: optional(textList),
  /** A person stopped it: an aborted message then counts as an end, not as a failure. */
  stop_requested: optional(aBoolean),
  /** The marker of the server it was sent to. The run was interrupted if another server runs now, or if this is empty. */
  server: required(aText),
  /** The queue item it was started for; written together with the run, so that no item is started twice. */
  queue_item: optional(aText),
}
export type Run = Described<typeof run>

/** How a run ended. */
export interface Ending {
  state: 'idle' | 'error' | 'timeout'
  error?: string | undefined
  /** Ended by a person: an end, not a failure, though opencode reports an aborted message. */
  stopped?: boolean
  /** Its last prompt has never reached the agent. */
  undelivered?: boolean
  /** What the agent said last. */
  answer?: string | undefined
  cost?: number | undefined
  tokens?: Record<string, unknown> | undefined
}

/** A run that ended while no daemon followed it: its transcript is to be completed. */
const unwrittenRun = {
  run: required(anObject(run)),
  opencode_session_id: required(aText),
  state: required(oneOf('idle', 'error', 'timeout', 'stopped')),
  ended_at: required(aText),
  error: optional(aText),
  cost: optional(aNumber),
}
export type UnwrittenRun = Described<typeof unwrittenRun>

/**
 * A session file: the fields of the bash tool plus ours. Unknown fields are kept.
 * `branch_name` is the bash tool's name for the branch.
 */
const sessionRecord = {
  type: required(aText),
  issue_ref: nullish(aText),
  opencode_session_id: nullish(aText),
  /** The kind of server that has this session; absent: opencode 1. */
  driver: nullish(aText),
  /** The sessions that the issue had on servers of other kinds, by kind. They stay there. */
  former_sessions: nullish(texts),
  worktree_path: nullish(aText),
  branch_name: nullish(aText),
  base_branch: nullish(aText),
  pr_url: nullish(aText),
  /** starting, running, waiting, idle, error or timeout; as far as the file knows, see session-view.ts. */
  state: withDefault(aText, () => 'idle'),
  created_at: nullish(aText),
  updated_at: nullish(aText),
  last_error: nullish(aText),
  /** The beginning of the first message to its agent, without secrets; missing in files of 0.1.0. */
  task: nullish(aText),
  /** How its last run ended: finished, failed, timed_out or stopped; missing in files of 0.1.0. */
  ended: nullish(anObject({ how: required(aText), at: required(aText) })),
  model: nullish(aText),
  /** The agent of opencode's configuration that its prompts are for; without it, the default agent. */
  agent: nullish(aText),
  /** False until its first prompt was sent: the agent does not know yet what the issue is about. */
  briefed: optional(aBoolean),
  cost: nullish(aNumber),
  tokens: nullish((value) => (isObject(value) ? value : undefined)),
  run: nullish(anObject(run)),
  /** The newest last; see daemon/following/late-transcripts.ts. */
  unwritten: nullish(aList(anObject(unwrittenRun))),
  /** The notifications about ended runs that are not stored among the notifications yet, see announce.ts. */
  untold: nullish(
    aList(
      anObject({
        id: required(aText),
        type: required(aText),
        message: required(aText),
        timestamp: required(aText),
        queue_item: optional(aText),
      }),
    ),
  ),
}
export type SessionRecord = Described<typeof sessionRecord>

const index = {
  base: nullish(aText),
  /** The kind of server that has the base session; absent: opencode 1. */
  driver: nullish(aText),
  pm_agent: nullish(aText),
  issues: withDefault(texts, () => ({})),
}
export type Index = Described<typeof index>

/** The record in a session file; undefined when the value is not one. */
export function parseRecord(value: unknown): SessionRecord | undefined {
  return readFields(sessionRecord, value)
}

/** The index in index.json; undefined when the value is not one. */
export function parseIndex(value: unknown): Index | undefined {
  return readFields(index, value)
}
