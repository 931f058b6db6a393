import { pmAgentWord, shortNames } from '../../../core/issue-ref.ts'
import { plainLine } from '../../../core/plain-text.ts'
import { tellUntold } from '../../../sessions/runs/announce.ts'
import { sessionsAtWork } from '../../../sessions/runs/at-work.ts'
import { isNews, isUnread, type Notification } from '../../../activity/notification.ts'
import { markAllRead, readNotifications } from '../../../activity/notifications.ts'
import { readSessions, trackedRefs } from '../../../sessions/file/store.ts'
import type { Context } from '../../terminal/context.ts'
import { tellOfInterrupted } from '../../interrupted.ts'
import { age, printJson, styled, table } from '../../terminal/output.ts'

const header = ['AGE', 'TYPE', 'ISSUE_REF', 'MESSAGE']
/** The types as a person reads them: the words of `kugetsu list` where there is one. */
const words: Record<string, string> = {
  task_queued: 'queued',
  task_dequeued: 'taken',
  task_started: 'running',
  task_interrupted: 'interrupted',
  task_completed: 'done',
  task_error: 'failed',
  task_timeout: 'time limit',
}
/** More than is ever stored. */
const shownLength = 1000

export async function runNotifyList(context: Context, options: { all?: boolean; json?: boolean }): Promise<void> {
  // Without a daemon, runs may have ended without a notification.
  const sessions = readSessions(context)
  await tellUntold(context, sessions)
  await tellOfInterrupted(context, sessionsAtWork(context, sessions))
  const all = readNotifications(context)
  if (context.io.terminal && options.json !== true) return showPerson(context, all, options)
  const shown = options.all === true ? all : all.filter(isUnread)
  if (options.json === true) return printJson(context, shown)
  const rows = shown.map((each) => [
    age(timeOf(each), context.now()),
    plainLine(each.type ?? '', shownLength),
    each.issue_ref ? plainLine(each.issue_ref, shownLength) : pmAgentWord,
    plainLine(each.message ?? '', shownLength),
  ])
  context.io.out(table(header, rows))
}

/** A person gets what has ended or needs them, with --all also the history, and has read it then. */
async function showPerson(context: Context, all: Notification[], options: { all?: boolean }): Promise<void> {
  const shown = options.all === true ? all : all.filter((each) => isUnread(each) && isNews(each))
  if (shown.length === 0) context.io.out('Nothing new. What happened before: kugetsu notify --all\n')
  else {
    // A ref shortened for these alone could mean another issue.
    const shortName = shortNames([...trackedRefs(context), ...all.flatMap(({ issue_ref: ref }) => ref ?? [])])
    const rows = shown.map((each) => [
      age(timeOf(each), context.now()),
      words[each.type ?? ''] ?? plainLine(each.type ?? '', shownLength),
      each.issue_ref ? plainLine(shortName(each.issue_ref), shownLength) : pmAgentWord,
      plainLine(each.message ?? '', shownLength),
    ])
    context.io.out(
      table(['AGE', 'STATUS', 'REF', 'MESSAGE'], rows, {
        columns: context.io.columns,
        cutFirst: ['MESSAGE'],
        keepEnd: ['REF'],
        paint: (_, row, cell) => (row === -1 ? styled(context, 'dim', cell) : cell),
      }),
    )
  }
  await markAllRead(context)
}

function timeOf({ timestamp, created_at: createdAt }: Notification): string | null {
  return timestamp ?? createdAt ?? null
}

export async function runNotifyClear(context: Context, options: { json?: boolean }): Promise<void> {
  const cleared = await markAllRead(context)
  if (options.json === true) return printJson(context, { cleared })
  context.io.out(`Marked ${cleared} ${cleared === 1 ? 'notification' : 'notifications'} as read\n`)
}
