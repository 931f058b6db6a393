/** The earlier questions and answers on an issue, as a part of the prompt for an agent that did not take part. */
import { plainLine } from '../core/plain-text.ts'

/** One request of the delegator, or the last words of an agent after a run. */
interface Exchange {
  at: string
  kind: 'asked' | 'answered'
  text: string
  outcome?: string | undefined
  error?: string | undefined
}

/** With the fields of the stored file, see sessions/runs/conversation.ts. */
export interface Conversation {
  entries: readonly Exchange[]
  left_out: number
}

const anotherAgent =
  'An agent has worked on this before you, in a session that is lost. This is what is left of it, oldest first: what the delegator asked, and what the agent said at the end of each run. It is there for you to know, not to be done again: the branch and the pull request show what was really done, and they are right where the two disagree.'

/**
 * The section; empty when nothing is remembered. Each line of a message is quoted, so that it cannot be mistaken for
 * the rest of the prompt. `introduction` says which conversation it was.
 */
export function rememberedSection({ entries, left_out }: Conversation, introduction = anotherAgent): string {
  if (entries.length === 0) return ''
  const blocks = entries.map(block)
  if (left_out > 0) blocks.splice(1, 0, `[${left_out} later ones are left out here]`)
  return [
    '===== What was asked and answered before =====',
    introduction,
    ...blocks,
    '===== End of what was asked and answered before =====',
  ].join('\n\n')
}

function block({ at, kind, text, outcome, error }: Exchange): string {
  const time = plainLine(at, 30)
  if (kind === 'asked') return `${time}, the delegator asked:\n${quoted(text, 'nothing in particular: to go on')}`
  const how =
    outcome === undefined || outcome === 'idle' ? '' : ` (the run ended: ${plainLine(outcome, 30)}${reason(error)})`
  return `${time}, the agent answered${how}:\n${quoted(text, 'nothing')}`
}

function reason(error: string | undefined): string {
  return error === undefined ? '' : `, ${plainLine(error, 500)}`
}

/** Each line of the text behind a `>`, or `none` in brackets for an empty text. */
export function quoted(text: string, none: string): string {
  if (text.trim() === '') return `(${none})`
  return text
    .trimEnd()
    .split(/\r\n|[\n\r\u2028\u2029]/)
    .map((line) => `> ${line}`)
    .join('\n')
}
