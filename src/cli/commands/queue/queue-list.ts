/** `queue list` and `queue stats`: apart from the other commands of the queue, which load far more. */
import { pmAgentWord } from '../../../core/issue-ref.ts'
import { plainLine } from '../../../core/plain-text.ts'
import type { Item } from '../../../queue/item.ts'
import { openAttempt } from '../../../queue/transitions.ts'
import type { Status } from '../../../sessions/status/status.ts'
import { openTasks } from '../../../tasks/open-tasks.ts'
import type { Context } from '../../terminal/context.ts'
import { age, printJson, table } from '../../terminal/output.ts'

interface Options {
  json?: boolean
}

const header = ['ID', 'STATE', 'AGE', 'ISSUE_REF', 'MESSAGE']
const shownMessage = 200

export async function runQueueList(context: Context, options: Options): Promise<void> {
  const queue = await openTasks(context)
  if (options.json === true) return printJson(context, (await queue.list()).items)
  const now = context.now()
  const { shown: rows } = await queue.each((item) => [
    item.id,
    context.io.terminal ? wordFor(item) : item.state,
    age(item.pending_since, now),
    item.kind === 'pm' ? pmAgentWord : plainLine(item.issue_ref ?? '', shownMessage),
    plainLine(item.error === null ? item.message : `${item.error} ← ${item.message}`, shownMessage),
  ])
  if (rows.length === 0 && context.io.terminal) {
    return context.io.out('The queue is empty. Add a task: kugetsu queue enqueue <issue> "what to do"\n')
  }
  // The ids of one day begin alike, so a cut one names no task; a ref names it as well.
  const fit = { columns: context.io.columns, cutFirst: ['MESSAGE'], leaveOut: ['ID', 'AGE'], keepEnd: ['ISSUE_REF'] }
  const shownHeader = context.io.terminal ? header.map((title) => (title === 'STATE' ? 'STATUS' : title)) : header
  context.io.out(table(shownHeader, rows, context.io.terminal ? fit : undefined))
  const shortage = rows.some(([, state]) => state === 'pending' || state === 'queued')
    ? await (await import('../../shortage.ts')).shortageNow(context)
    : undefined
  if (shortage !== undefined) context.io.err(`Tasks wait: ${shortage}\n`)
}

/** The status of a task's issue as far as the task knows, in the words of `kugetsu list`. */
export function wordFor(item: Item): Status {
  switch (item.state) {
    case 'pending':
      return openAttempt(item) === undefined ? 'queued' : 'starting'
    case 'notified':
      return 'running'
    case 'completed':
      return 'done'
    case 'error':
      return item.attempts.at(-1)?.outcome === 'stopped' ? 'stopped' : 'failed'
  }
}

export async function runQueueStats(context: Context, options: Options): Promise<void> {
  const counts = await (await openTasks(context)).counts()
  if (options.json === true) return printJson(context, counts)
  context.io.out(
    table(
      ['STATE', 'TASKS'],
      Object.entries(counts).map(([state, count]) => [state, String(count)]),
    ),
  )
}
