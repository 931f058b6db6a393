/** A notification for a person, before it is stored and as it is stored. */
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

/** Something that happened, for a person to know. */
export interface Notice {
  /** Names the event: an event is told once. */
  id: string
  type: NotificationType
  /** null for the PM agent. */
  issue_ref: string | null
  /** Any text; stored as one line without secrets. Empty for a task with the standard message. */
  message: string
  queue_item?: string | undefined
  /** When it happened, in ISO 8601; now by default. */
  timestamp?: string | undefined
}

/** The text fields. `created_at` is the bash tool's name for `timestamp` in some versions. */
const texts = ['id', 'timestamp', 'created_at', 'type', 'message', 'issue_ref', 'queue_item'] as const

/** A notification as stored. Those of other versions may lack any field, and have unknown fields. */
export type Notification = { [field in (typeof texts)[number]]?: string | null } & { read?: boolean | null }

export function isNotification(value: unknown): value is Notification {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const { read, ...fields } = value as Notification
  const isNone = (field: unknown) => (field ?? undefined) === undefined
  return (
    texts.every((name) => typeof fields[name] === 'string' || isNone(fields[name])) &&
    (typeof read === 'boolean' || isNone(read))
  )
}

export function isUnread({ read }: Notification): boolean {
  return read !== true
}

/** Whether it tells of an end, or of something that may need a person; the others echo what a person did. */
export function isNews({ type }: Notification): boolean {
  return !['task_queued', 'task_dequeued', 'task_started'].includes(type ?? '')
}

/** A text as notifications hold it: one line of bounded length, without the secrets that agents are given. */
export function messageLine(home: Pick<Home, 'paths' | 'env'>, message: string): string {
  return plainLine(maskerOf(home)(message), longestMessage) || '(the standard message)'
}
