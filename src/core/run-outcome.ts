/** How an agent's run stands, from what opencode says of its session. Pure. */

export interface SeenMessage {
  id: string
  role: string
  parentId: string | undefined
  completed: boolean
  /** Why the model stopped; `tool-calls` means that another step follows. */
  finish: string | undefined
  error: string | undefined
  /** The error is that a person stopped it. */
  aborted: boolean
}

export type RunOutcome =
  /** The agent is at work. */
  | { kind: 'working' }
  /** The last prompt of the run never reached the session. */
  | { kind: 'undelivered' }
  /** The prompt is there and nothing works on it: not begun yet, failed without a word, or interrupted. */
  | { kind: 'unanswered' }
  /** The agent has finished; `error` when it finished badly, `aborted` when somebody stopped it. */
  | { kind: 'done'; error: string | undefined; aborted: boolean }
  /** opencode does not know the session any more. */
  | { kind: 'lost' }

/**
 * A run is over when the session is idle and the assistant message that answers the last prompt is complete or failed.
 * `messages` are in order and reach back at least to the last prompt, or are all there are.
 */
export function outcomeOf(
  promptIds: readonly string[],
  session: { busy: boolean; messages: readonly SeenMessage[] } | undefined,
): RunOutcome {
  if (session === undefined) return { kind: 'lost' }
  if (session.busy) return { kind: 'working' }
  const last = promptIds.at(-1)
  const from = session.messages.findIndex(({ id }) => id === last)
  const answers =
    from === -1
      ? session.messages.filter(({ role, parentId }) => role === 'assistant' && parentId === last)
      : session.messages.slice(from + 1).filter(({ role }) => role === 'assistant')
  if (from === -1 && answers.length === 0) return { kind: 'undelivered' }
  const final = answers.at(-1)
  if (final === undefined) return { kind: 'unanswered' }
  if (final.error !== undefined) return { kind: 'done', error: final.error, aborted: final.aborted }
  if (!final.completed || final.finish === 'tool-calls') return { kind: 'unanswered' }
  return { kind: 'done', error: undefined, aborted: false }
}
