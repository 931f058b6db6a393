/** Prints what became of a task for the queue. */
import { exitCodes, KugetsuError } from '../core/errors.ts'
import { plainLine, plainText } from '../core/plain-text.ts'
import { waitForTask, type Queued } from '../tasks/enqueue.ts'
import type { Context } from './terminal/context.ts'
import { printJson, styled } from './terminal/output.ts'

export function tellQueued(context: Context, options: { json?: boolean }, queued: Queued): void {
  if (options.json === true) return printJson(context, queued.item)
  context.io.out(queuedText(context, queued))
}

/** Says what was queued, and that it stays queued when no daemon takes tasks. */
export function queuedText(context: Context, { item, dispatching }: Queued): string {
  const what = item.kind === 'pm' ? 'for the PM agent' : styled(context, 'bold', plainLine(item.issue_ref ?? '', 300))
  const ahead = item.priority > 0 ? ', ahead of new work' : ''
  return (
    `${styled(context, 'green', 'Queued')} ${what} as ${item.id}${ahead}` +
    `${dispatching ? '' : '; no daemon takes tasks. Run: kugetsu queue-daemon start'}\n`
  )
}

/**
 * Waits for the end of a queued task and says how it ended. Throws KugetsuError `agent_failed` when it ended badly,
 * otherwise as waitForTask().
 */
export async function reportQueuedEnd(
  context: Context,
  id: string,
  options: { timeout?: number; json?: boolean },
): Promise<void> {
  const timeoutMs = options.timeout === undefined ? undefined : options.timeout * 1000
  const item = await waitForTask(context, { id, timeoutMs })
  if (options.json === true) {
    printJson(context, item)
    if (item.state === 'error') context.setExitCode(exitCodes.failed)
    return
  }
  if (item.state === 'completed') {
    const answer = item.kind === 'pm' ? plainText(item.result?.answer ?? '').trim() : ''
    return context.io.out(answer === '' ? `${styled(context, 'green', 'completed')}  ${item.id}\n` : `${answer}\n`)
  }
  throw new KugetsuError(`${item.issue_ref ?? 'the PM agent'} did not end well: ${item.error ?? ''}`, {
    hint: `See what happened: kugetsu queue show ${id}`,
    code: 'agent_failed',
  })
}
