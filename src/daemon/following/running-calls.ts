/** When the commands that agents are running should have ended. Pure. */
import type { Part } from '../../opencode/api/schemas.ts'
import { numberAt, recordAt, textAt } from '../../opencode/api/fields.ts'

/** Overrides opencode's own default timeout of a command. */
export const timeoutVariable = 'OPENCODE_EXPERIMENTAL_BASH_DEFAULT_TIMEOUT_MS'
const defaultTimeoutMs = 120_000
/** How long a command may go on beyond its timeout: opencode takes 3 s to kill one that does not end by itself. */
const graceMs = 30_000
/** How soon to look again at a call that goes on although nothing was found that keeps it waiting. */
const againMs = 60_000

export interface RunningCall {
  /** opencode's id of the call, as its command has it in KUGETSU_CALL; empty when it has none. */
  callId: string
  /** The session that makes the call: the agent's own, or a sub-agent's. */
  sessionId: string
}

/** `timeoutMs`: what opencode allows a command without a `timeout` of its own. `elapsedMs` is a clock that does not jump. */
export function createRunningCalls(
  now: () => Date,
  timeoutMs: number = defaultTimeoutMs,
  elapsedMs: () => number = () => performance.now(),
) {
  const running = new Map<string, RunningCall & { dueAt: number }>()
  return {
    /** To be called with each part as it changes. Returns whether a call has begun that is overdue within a minute. */
    part(part: Part): boolean {
      const state = recordAt(part, 'state')
      const input = recordAt(state, 'input')
      if (part.type !== 'tool' || textAt(input, 'command') === undefined) return false
      if (textAt(state, 'status') !== 'running') running.delete(part.id)
      if (textAt(state, 'status') !== 'running' || running.has(part.id)) return false
      const allowedMs = (numberAt(input, 'timeout') ?? timeoutMs) + graceMs
      // The start is by opencode's clock. A clock may be set, so the rest is never more than the call may last.
      const sinceMs = now().getTime() - (numberAt(recordAt(state, 'time'), 'start') ?? now().getTime())
      const restMs = Math.min(allowedMs, Math.max(0, allowedMs - sinceMs))
      const callId = textAt(part, 'callID') ?? ''
      running.set(part.id, { callId, sessionId: part.sessionID, dueAt: elapsedMs() + restMs })
      return restMs < againMs
    },
    /** The calls that are overdue. Each is returned again a minute later. */
    takeOverdue(): RunningCall[] {
      const overdue = [...running.values()].filter(({ dueAt }) => dueAt <= elapsedMs())
      for (const call of overdue) call.dueAt = elapsedMs() + againMs
      return overdue
    },
    /** In how many milliseconds the next one is overdue; Infinity without any. */
    restMs: () => Math.max(0, Math.min(...[...running.values()].map(({ dueAt }) => dueAt)) - elapsedMs()),
    /** Forgets the calls of sessions that are not followed any more. */
    keep(isFollowed: (sessionId: string) => boolean): void {
      for (const [id, { sessionId }] of running) if (!isFollowed(sessionId)) running.delete(id)
    },
  }
}
