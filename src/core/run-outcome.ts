/** The state of an agent's run, from what opencode says of its session. Pure. */

export interface SeenMessage {
  id: string
  role: string
  parentId: string | undefined
  completed: boolean
  /** Why the model stopped; `tool-calls` and `unknown` mean that another step follows. */
  finish: string | undefined
  error: string | undefined
  /** The error is opencode's own and temporary; in words that can follow "opencode failed:". */
  trouble?: string | undefined
  /** The error means that a person stopped it. */
  aborted: boolean
  /** opencode's own: `request` asks to replace the messages before it by a summary, `summary` is that summary. */
  compaction: 'request' | 'summary' | undefined
  /** Its text without the space around it. */
  text: string
  /** The model thought. */
  thought: boolean
  /** How far each of its tool calls came. */
  calls: readonly ('finished' | 'failed' | 'cut off')[]
}

export type RunOutcome =
  /** The agent is working. */
  | { kind: 'working' }
  /** The last prompt of the run never reached the session. */
  | { kind: 'undelivered' }
  /** The prompt is there and nothing works on it: not begun yet, failed without an error, or interrupted. */
  | { kind: 'unanswered' }
  /** opencode has summarized a prompt of the run before the model saw it: the model may never have read it. */
  | { kind: 'unread'; promptId: string; text: string }
  /** The model ended without an answer; `how`, in words that can follow "it ended:". */
  | { kind: 'lacking'; how: string }
  /**
   * opencode itself failed during the run, in a temporary way; `how`, in words that can follow "opencode failed:".
   * `hasWorked`: the model had ended a step since the last prompt.
   */
  | { kind: 'troubled'; how: string; hasWorked: boolean }
  /** The agent has finished; `error` when it finished badly, `aborted` when a person stopped it. */
  | { kind: 'done'; error: string | undefined; aborted: boolean }
  /** opencode no longer knows the session. */
  | { kind: 'lost' }

/**
 * A run is over when the session is idle and the assistant message that answers the last prompt is an answer or failed.
 * `messages` are in order and reach back at least to the last prompt, or are all messages of the session. `repeats` are the
 * prompts that were sent because an earlier one was unread.
 */
export function outcomeOf(
  promptIds: readonly string[],
  session: { busy: boolean; messages: readonly SeenMessage[] } | undefined,
  repeats: readonly string[] = [],
): RunOutcome {
  if (session === undefined) return { kind: 'lost' }
  if (session.busy) return { kind: 'working' }
  const last = promptIds.at(-1)
  const from = session.messages.findIndex(({ id }) => id === last)
  const answers = (
    from === -1
      ? session.messages.filter(({ role, parentId }) => role === 'assistant' && parentId === last)
      : session.messages.slice(from + 1).filter(({ role }) => role === 'assistant')
  ).filter(({ compaction, error }) => compaction === undefined || error !== undefined)
  if (from === -1 && answers.length === 0) return { kind: 'undelivered' }
  const final = answers.at(-1)
  if (final?.trouble !== undefined) {
    const hasWorked = answers.some(({ completed, error }) => completed && error === undefined)
    return { kind: 'troubled', how: final.trouble, hasWorked }
  }
  if (final?.error !== undefined) return { kind: 'done', error: final.error, aborted: final.aborted }
  const unread = promptIds.find((id) => !repeats.includes(id) && isUnread(id, session.messages))
  if (unread !== undefined) {
    const text = session.messages.find(({ id }) => id === unread)?.text ?? ''
    return { kind: 'unread', promptId: unread, text }
  }
  if (final === undefined || !final.completed || anotherStepFollows(final.finish)) return { kind: 'unanswered' }
  const how = lackOf(final, answers.at(-2))
  return how === undefined ? { kind: 'done', error: undefined, aborted: false } : { kind: 'lacking', how }
}

/** Whether opencode asks the model again after a step that ended with this word. */
export function anotherStepFollows(finish: string | undefined): boolean {
  return finish === 'tool-calls' || finish === 'unknown' || finish === undefined || finish === ''
}

/**
 * Why the last message of a run is no answer; undefined when it is one: it has text or a finished call, and is not cut
 * off. A model with nothing to add to a finished call ends with an empty message, which is an answer too.
 */
export function lackOf(final: SeenMessage, before: SeenMessage | undefined): string | undefined {
  if (final.finish === 'length') return 'cut off at its output limit'
  if (final.finish === 'content-filter') return "cut off by its provider's content filter"
  if (final.finish !== 'stop') return `ended by its provider for an unknown reason (${final.finish ?? 'none'})`
  if (final.text !== '' || final.calls.includes('finished')) return undefined
  if (final.calls.length > 0) return 'its last call failed or was cut off, and it said nothing'
  if (final.thought) return 'it thought, and neither said nor did anything'
  const hasActed = before !== undefined && before.calls.length > 0 && before.calls.every((call) => call === 'finished')
  return hasActed ? undefined : 'it neither said nor did anything'
}

/**
 * Whether a prompt lies before a summary, with no message of the model between the two: it came during the step that filled
 * the context, or was the first one after it. opencode sends some of these again itself, as a message of its own.
 */
function isUnread(promptId: string, messages: readonly SeenMessage[]): boolean {
  const at = messages.findIndex(({ id }) => id === promptId)
  if (at === -1) return false
  const after = messages.slice(at + 1)
  const request = after.findIndex(({ compaction }) => compaction === 'request')
  if (request === -1) return false
  const isAnswered = after.slice(0, request).some(({ role }) => role === 'assistant')
  const isSaidAgain = after.some(({ role, text }) => role === 'user' && text === messages[at]?.text)
  return !isAnswered && !isSaidAgain
}
