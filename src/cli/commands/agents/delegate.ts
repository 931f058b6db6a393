import { KugetsuError } from '../../../core/errors.ts'
import { isPmAgent } from '../../../core/within-agent.ts'
import { requirePmAgent } from '../../../sessions/file/store.ts'
import type { Context } from '../../terminal/context.ts'
import { enqueue } from '../../../tasks/enqueue.ts'
import { reportQueuedEnd, tellQueued } from '../../queued.ts'
import { requireWith } from '../../flags.ts'
import { mentionedIn } from '../../mentions.ts'
import { messageFrom } from '../../message.ts'
import { makeReady } from '../../ready.ts'

export interface DelegateOptions {
  message: string
  wait?: boolean
  timeout?: number
  json?: boolean
}

export async function runDelegate(context: Context, options: DelegateOptions): Promise<void> {
  if (isPmAgent(context.env)) {
    throw new KugetsuError('the PM agent cannot delegate: the message would come back to it', {
      hint: 'Hand it to an agent: kugetsu start --queue <issue-ref> "…"',
      code: 'not_for_pm_agent',
    })
  }
  requireWith('--timeout', options.timeout !== undefined, '--wait', options.wait === true)
  const message = await messageFrom(context, options.message)
  if (message.trim() === '') {
    throw new KugetsuError('the message is empty', {
      hint: 'Say what is to be done: kugetsu delegate "look through the open issues of me/app and start on the bugs"',
      code: 'usage',
    })
  }
  await makeReady(context, { boots: false })
  const mentions = await mentionedIn(context, message)
  requirePmAgent(context)
  const queued = await enqueue(context, { kind: 'pm', issue_ref: null, message, mentions })
  if (options.json !== true) {
    tellQueued(context, options, queued)
    for (const { said, issue_refs: refs } of mentions) {
      context.io.out(`  about   ${refs.length === 1 ? refs[0] : `${said} (${refs.join(' or ')})`}\n`)
    }
    if (options.wait !== true) context.io.out(`  follow  kugetsu logs -f ${queued.item.id}\n`)
  }
  if (options.wait === true) return reportQueuedEnd(context, queued.item.id, options)
  if (options.json === true) tellQueued(context, options, queued)
}
