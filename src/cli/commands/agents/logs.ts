import { KugetsuError } from '../../../core/errors.ts'
import { matchTail } from '../../../core/issue-ref.ts'
import { knownRefs } from '../../../tasks/issues.ts'
import type { Context } from '../../terminal/context.ts'
import { listDelegations } from './delegation-logs.ts'
import type { TranscriptOptions } from './show-transcript.ts'

export interface LogsOptions extends TranscriptOptions {
  what?: string | undefined
  delegations?: number | true
}

/** Prints a transcript, or a list of delegations. */
export async function runLogs(context: Context, options: LogsOptions): Promise<void> {
  const count = await delegationsAsked(context, options)
  if (count !== undefined) {
    if (options.follow === true) {
      throw new KugetsuError('-f follows one transcript, but a number lists delegations', {
        hint: 'Name it: kugetsu logs -f <issue-ref>, the id of a task, or pm-agent.',
        code: 'usage',
      })
    }
    return listDelegations(context, count, options)
  }
  // Loaded only where a transcript is shown.
  const { showTranscript } = await import('./show-transcript.ts')
  return showTranscript(context, options.what ?? '', options)
}

/** How many delegations to list; undefined for a transcript. */
async function delegationsAsked(context: Context, { what, delegations }: LogsOptions): Promise<number | undefined> {
  if (delegations !== undefined) {
    if (what === undefined) return delegations === true ? 10 : delegations
    throw new KugetsuError('--delegations lists them all: it takes no issue', {
      hint: 'kugetsu logs --delegations 14',
      code: 'usage',
    })
  }
  if (what === undefined) return 10
  if (!/^\d+$/.test(what)) return undefined
  // A script means the n of the bash tool. A person with an issue 14 means that issue.
  const isIssue = context.io.terminal && matchTail(what, await knownRefs(context)) !== undefined
  return isIssue ? undefined : Number(what)
}
