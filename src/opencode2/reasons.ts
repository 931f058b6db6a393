/**
 * Why runs failed before their first step, as far as this process has heard: opencode 2 gives the reason in an event
 * only, and its messages only say that the run has failed.
 */
import { startOf } from '../core/columns.ts'
import { ownTrouble } from '../opencode/own-trouble.ts'
import type { Failure } from './api/schemas.ts'

export interface Reason {
  text: string
  /** Set when opencode itself failed, in words that can follow "opencode failed:". */
  trouble: string | undefined
}

/** More than one process follows at a time. */
const most = 1_000
const heard = new Map<string, Reason>()

export function rememberReason(sessionId: string, reason: Reason): void {
  heard.delete(sessionId)
  heard.set(sessionId, reason)
  const [oldest] = heard.keys()
  if (heard.size > most && oldest !== undefined) heard.delete(oldest)
}

/** A new run of a session has begun. */
export function forgetReason(sessionId: string): void {
  heard.delete(sessionId)
}

export function reasonOf(sessionId: string): Reason | undefined {
  return heard.get(sessionId)
}

/** An error of opencode as a reason: its text on one line, its kind when it has none. */
export function asReason({ type, message }: Failure): Reason {
  const line = (message || type || 'unknown error').replace(/\s+/g, ' ').trim()
  const text = startOf(line, 1000)
  return {
    text,
    trouble: ownTrouble({ ...(type === undefined || type === 'unknown' ? {} : { name: type }), message: text }),
  }
}
