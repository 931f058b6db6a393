import { plainLine } from '../../../core/plain-text.ts'
import { tellUntold } from '../../../sessions/runs/announce.ts'
import { sessionsAtWork } from '../../../sessions/runs/at-work.ts'
import { isUnread } from '../../../activity/notification.ts'
import { markAllRead, readNotifications } from '../../../activity/notifications.ts'
import { readSessions } from '../../../sessions/file/store.ts'
import type { Context } from '../../terminal/context.ts'
import { tellOfInterrupted } from '../../interrupted.ts'
import { age, printJson, table } from '../../terminal/output.ts'

const header = ['AGE', 'TYPE', 'ISSUE_REF', 'MESSAGE']
/** More than is ever stored. */
const shownLength = 1000

export async function runNotifyList(context: Context, options: { all?: boolean; json?: boolean }): Promise<void> {
  // Without a daemon, runs may have ended without a notification.
  const sessions = readSessions(context)
  await tellUntold(context, sessions)
  await tellOfInterrupted(context, sessionsAtWork(context, sessions))
  const all = readNotifications(context)
  const shown = options.all === true ? all : all.filter(isUnread)
  if (options.json === true) return printJson(context, shown)
  const rows = shown.map(({ timestamp, created_at: createdAt, type, issue_ref: ref, message }) => [
    age(timestamp ?? createdAt ?? null, context.now()),
    plainLine(type ?? '', shownLength),
    ref ? plainLine(ref, shownLength) : 'pm-agent',
    plainLine(message ?? '', shownLength),
  ])
  const fit = { columns: context.io.columns, cutFirst: ['MESSAGE'], keepEnd: ['ISSUE_REF'] }
  context.io.out(table(header, rows, context.io.terminal ? fit : undefined))
}

export async function runNotifyClear(context: Context, options: { json?: boolean }): Promise<void> {
  const cleared = await markAllRead(context)
  if (options.json === true) return printJson(context, { cleared })
  context.io.out(`Marked ${cleared} ${cleared === 1 ? 'notification' : 'notifications'} as read\n`)
}
