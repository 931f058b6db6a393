/** A notification for a person, before it is stored. */
import { maskerOf } from '../agents/known-secrets.ts'
import type { Home } from '../config/home.ts'
import { plainLine } from '../core/plain-text.ts'

const longestMessage = 500

export type NotificationType =
  | 'task_queued'
  | 'task_dequeued'
  | 'task_started'
  | 'task_interrupted'
  | 'task_completed'
  | 'task_error'
  | 'task_timeout'

/** Something that happened and is to be told. */
export interface Notice {
  type: NotificationType
  /** null for the PM agent. */
  issue_ref: string | null
  /** Any text; stored as one line without secrets. Empty for a task with the standard message. */
  message: string
  queue_item?: string | undefined
  /** Names the event: an event with an id that is stored already is not told again. */
  id?: string | undefined
  /** When it happened, in ISO 8601; now by default. */
  timestamp?: string | undefined
}

/** A text as notifications hold it: one line of bounded length, without the secrets that agents are given. */
export function messageLine(home: Pick<Home, 'paths' | 'env'>, message: string): string {
  return plainLine(maskerOf(home)(message), longestMessage) || '(the standard message)'
}
