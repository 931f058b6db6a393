import { formatRef } from '../../../core/issue-ref.ts'
import { plainLine, plainText } from '../../../core/plain-text.ts'
import { clock, indent, wrap } from '../../../core/prose.ts'
import {
  forgetRemembered,
  readRemembered,
  type Remembered,
  type RememberedEntry,
} from '../../../sessions/runs/conversation.ts'
import { nameOf } from '../../../sessions/file/session-name.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson, styled } from '../../terminal/output.ts'
import { issueRef } from '../../refs.ts'

export interface ContextOptions {
  ref: string
  clear?: boolean
  json?: boolean
}

/** `context <issue-ref>`: shows what was asked and answered on the issue, or forgets it. */
export async function runContext(context: Context, options: ContextOptions): Promise<void> {
  const ref = await issueRef(context, options.ref)
  const name = nameOf(context, ref)
  const issue = formatRef(ref)
  if (options.clear === true) {
    const cleared = await forgetRemembered(context, name)
    if (options.json === true) return printJson(context, { issue_ref: issue, cleared })
    return context.io.out(cleared ? `Forgot what was asked and answered on ${issue}\n` : nothing(issue))
  }
  const remembered = readRemembered(context, name, issue)
  const enabled = context.settings(issue).contextDump
  if (options.json === true) {
    const file = context.paths.remembered(name)
    return printJson(context, { entries: [], ...remembered, issue_ref: issue, file, enabled })
  }
  context.io.out(
    remembered === undefined || remembered.entries.length === 0 ? nothing(issue) : text(context, issue, remembered),
  )
  if (!enabled) context.io.out('ENABLE_CONTEXT_DUMP is false: kugetsu neither adds to it nor uses it.\n')
}

function nothing(issue: string): string {
  return `Nothing is remembered of ${issue}\n`
}

function text(context: Context, issue: string, { branch, pr_url, entries, left_out }: Remembered): string {
  const head = [
    styled(context, 'bold', issue),
    ...(branch ? [`  branch  ${plainLine(branch, 200)}`] : []),
    ...(pr_url ? [`  pr      ${plainLine(pr_url, 500)}`] : []),
  ]
  const blocks = entries.map((entry) => block(context, entry))
  if (left_out > 0) blocks.splice(1, 0, `… ${left_out} not kept …\n`)
  return `${head.join('\n')}\n\n${blocks.join('\n')}`
}

function block(context: Context, { at, kind, text, outcome, error }: RememberedEntry): string {
  const who = kind === 'asked' ? 'delegator' : 'agent'
  const how = outcome === undefined || outcome === 'idle' ? '' : `, ${plainLine(outcome, 30)}`
  const said = [
    ...(text.trim() === '' ? [] : [wrap(plainText(text).trimEnd())]),
    ...(error === undefined ? [] : [styled(context, 'red', wrap(`Error: ${plainLine(error, 500)}`))]),
  ]
  const nothingSaid = styled(context, 'dim', kind === 'asked' ? '(to go on)' : '(nothing)')
  const lines = said.length > 0 ? said.join('\n') : nothingSaid
  return `${styled(context, 'cyan', `${localTime(at)}  ${who}${how}`)}\n${indent(lines)}\n`
}

function localTime(at: string): string {
  const time = new Date(at)
  if (Number.isNaN(time.getTime())) return plainLine(at, 30)
  const day = [time.getFullYear(), time.getMonth() + 1, time.getDate()].map((part) => String(part).padStart(2, '0'))
  return `${day.join('-')} ${clock(time)}`
}
