/** When the commands that agents are running should have ended. Pure. */
import type { Entry } from '../../driver/entry.ts'

/** How long a command may go on beyond its timeout: opencode takes 3 s to kill one that does not end by itself. */
const graceMs = 30_000
/** How soon to look again at a call that goes on although nothing was found that keeps it waiting. */
const againMs = 60_000

export interface RunningCall {
  /** The id of the call, as its command has it in KUGETSU_CALL; empty when it has none. */
  callId: string
  /** The session that makes the call: the agent's own, or a sub-agent's. */
  sessionId: string
}

/** `timeoutMs`: what opencode allows a command without a `timeout` of its own. `elapsedMs` is a clock that does not jump. */
export function createRunningCalls(
  now: () => Date,
  timeoutMs: number,
  elapsedMs: () => number = () => performance.now(),
) {
  const running = new Map<string, RunningCall & { dueAt: number }>()
  return {
    /** To be called with each entry as it changes. Returns whether a new call will be overdue within a minute. */
    entry(entry: Entry): boolean {
      if (entry.kind !== 'call') return false
      const { command } = entry.call
      if (command === undefined) running.delete(entry.id)
      if (command === undefined || running.has(entry.id)) return false
      const allowedMs = (command.timeoutMs ?? timeoutMs) + graceMs
      // The start is by the server's clock. A clock may be set, so the rest is never more than the call may last.
      const sinceMs = now().getTime() - (command.startedAt ?? now().getTime())
      const restMs = Math.min(allowedMs, Math.max(0, allowedMs - sinceMs))
      running.set(entry.id, { callId: command.callId, sessionId: entry.sessionId, dueAt: elapsedMs() + restMs })
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
