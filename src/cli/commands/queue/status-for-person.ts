/** `status` as a person sees it on a terminal, and as one line. */
import { isNews } from '../../../activity/notification.ts'
import { countUnread } from '../../../activity/notifications.ts'
import { shortNames } from '../../../core/issue-ref.ts'
import { plainLine } from '../../../core/plain-text.ts'
import { counted } from '../../../core/wording.ts'
import { memoryShortage, type MemoryRoom } from '../../../sessions/slots/memory.ts'
import { groupOf, statuses } from '../../../sessions/status/status.ts'
import { readIndex } from '../../../sessions/file/store.ts'
import { readIssues, type Issue } from '../../../tasks/issues.ts'
import type { Context } from '../../terminal/context.ts'
import { age, styled } from '../../terminal/output.ts'
import { wrap } from '../../terminal/wrap.ts'

/** How many issues a line names. */
const named = 3
const notSetUp = 'Not set up yet: kugetsu init\n'

/** The findings of status() for a person. */
export interface Report {
  status: string
  slots: { limit: number; used: number }
  daemon: { running: boolean; dispatching: boolean }
  server: { running: boolean; version?: string; started_at?: string }
}

/** Prints five lines: agents, queue, the issues that need a person, daemon, server; and then anything wrong. */
export async function printForPerson(
  context: Context,
  report: Report,
  more: { room: MemoryRoom; replacement: string | undefined },
): Promise<void> {
  if (report.status === 'kugetsu_not_initialized') return context.io.out(notSetUp)
  const issues = await issuesOf(context)
  const { slots, daemon, server } = report
  const indent = ' '.repeat(11)
  const line = (name: string, text: string) => {
    const rows = wrap(text, context.io.columns - indent.length, indent)
    context.io.out(`${styled(context, 'dim', name.padEnd(9))}  ${rows}\n`)
  }
  const inGroup = (group: number) => issues.filter(({ status }) => groupOf(status) === group)
  const names = namer(issues)
  const [needs, atWork, queued] = [inGroup(0), inGroup(1), inGroup(2)]
  if (report.status !== 'ok') line('set-up', `not complete (${report.status}): kugetsu doctor`)
  line('agents', `${slots.used} of ${slots.limit} running${names(atWork)}`)
  const paused = daemon.dispatching ? '' : '; it is paused: kugetsu queue-daemon start'
  const waiting = queued.length === 0 ? 'empty' : `${queued.length} waiting${names(queued)}${paused}`
  line('queue', waiting)
  line('needs you', needs.length === 0 ? 'nothing' : `${counts(needs)}${names(needs)}`)
  const shortage = memoryShortage(more.room)
  if (shortage !== undefined) line('memory', `${shortage}, so new work waits (MIN_FREE_MEMORY_MB)`)
  const outdated = more.replacement === undefined ? '' : `; of another build: ${more.replacement}`
  const does = daemon.dispatching ? '' : ', takes no tasks from the queue'
  line('daemon', daemon.running ? `running${does}${outdated}` : 'not running; it starts when it is needed')
  const { version = '', started_at: startedAt = null } = server
  const up = `opencode ${plainLine(version, 40)}, up ${age(startedAt, context.now())}`
  line('server', server.running ? up : 'not running; it starts when it is needed')
  const news = countUnread(context, isNews)
  if (news > 0) line('unread', `${counted(news, 'notification')}: kugetsu notify`)
}

/** `2/3 running, 4 queued, 1 failed`: the statuses in use; empty before `init`. */
export async function statusLine(context: Context): Promise<string> {
  if (readIndex(context) === undefined) return ''
  const issues = await issuesOf(context)
  const running = issues.filter(({ status }) => groupOf(status) === 1).length
  const limit = context.settings().maxConcurrentAgents
  const others = issues.filter(({ status }) => groupOf(status) === 0 || status === 'queued')
  return `${[`${running}/${limit} running`, ...(others.length > 0 ? [counts(others)] : [])].join(', ')}\n`
}

/** `2 failed, 1 waiting`, in the order of the statuses. */
function counts(issues: readonly Issue[]): string {
  return statuses
    .map((status) => ({ status, count: issues.filter((each) => each.status === status).length }))
    .filter(({ count }) => count > 0)
    .map(({ status, count }) => `${count} ${status}`)
    .join(', ')
}

/** Names some of `issues` by refs that mean no other of them. */
function namer(issues: readonly Issue[]): (some: readonly Issue[]) => string {
  const shortName = shortNames(issues.map(({ issue_ref: ref }) => ref ?? ''))
  return (some) => {
    if (some.length === 0) return ''
    const shown = some.slice(0, named).map((each) => plainLine(shortName(each.issue_ref ?? ''), 100))
    return `: ${shown.join(', ')}${some.length > named ? ` and ${some.length - named} more` : ''}`
  }
}

async function issuesOf(context: Context): Promise<Issue[]> {
  return (await readIssues(context, { all: false, queued: true })).filter(({ issue_ref: ref }) => ref !== null)
}
