/**
 * What an agent said and did, as a log that a person likes to read. Pure: opencode's messages in, plain text out.
 * Everything in them was written by a model, a command or a stranger, so nothing is taken for granted: fields of the
 * wrong type count as absent, and nothing reaches the reader's terminal that could drive it.
 */
import { plainLine, plainText } from '../../core/plain-text.ts'
import type { Part } from '../api/schemas.ts'
import { renderTool } from './tools.ts'
import { clock, duration, excerpt, indent, isTimed, numberAt, recordAt, textAt, wrap } from '../api/fields.ts'

export interface RenderOptions {
  role: string
  /** When the part came to be; shown in local time. */
  time: Date
  /** This user message began the run; others are messages to an agent at work. */
  task?: boolean | undefined
  /** The sub-agent's name, where the part is from its session. */
  subagent?: string | undefined
  /** The agent's worktree, absolute: paths within are shown relative to it. */
  directory?: string | undefined
  /** Hides secrets; applied to whole texts, before anything is cut. */
  mask?: ((text: string) => string) | undefined
}

/** Whether nothing will be added to a part any more, so that it can be written once and for all. */
export function isFinished(part: Part, role: string): boolean {
  if (part.type === 'tool') return ['completed', 'error'].includes(textAt(part['state'], 'status') ?? '')
  if (part.type === 'reasoning' || (part.type === 'text' && role === 'assistant')) return isTimed(part)
  return true
}

/** A part as a block of lines ending in a newline, or undefined when it is nothing to show. */
export function renderPart(part: Part, options: RenderOptions): string | undefined {
  const mask = options.mask ?? ((text) => text)
  const who = options.subagent === undefined ? '' : `[${plainLine(options.subagent, 30)}] `
  const stamp = `${clock(options.time)} ${who}`
  switch (part.type) {
    case 'text':
      return renderText(part, stamp, mask, options)
    case 'reasoning': {
      const thought = firstLine(mask(textAt(part, 'text') ?? ''))
      return thought === '' ? undefined : `${stamp}… ${thought}\n`
    }
    case 'tool':
      return stamp + renderTool(part, { directory: options.directory, mask })
    case 'file':
      return `${stamp}· attached ${plainLine(mask(textAt(part, 'filename') ?? 'a file'), 100)}\n`
    case 'retry': {
      const error = recordAt(part, 'error')
      const reason = textAt(recordAt(error, 'data'), 'message') ?? textAt(error, 'message') ?? 'unknown error'
      return `${stamp}! the model failed (attempt ${numberAt(part, 'attempt') ?? 1}): ${plainLine(mask(reason), 300)}\n`
    }
    case 'compaction':
      return `${stamp}· the conversation was summarised to make room\n`
    default:
      return undefined
  }
}

export interface TranscriptHeader {
  issueRef: string
  sessionId: string
  worktree: string
  branch: string
  at: Date
}

/** The head of a transcript, or of one more run in it. */
export function renderHeader(header: TranscriptHeader): string {
  const lines = [
    rule,
    plainLine(header.issueRef, 300),
    `  session   ${plainLine(header.sessionId, 200)}`,
    `  worktree  ${plainLine(header.worktree, 4096)}`,
    ...(header.branch === '' ? [] : [`  branch    ${plainLine(header.branch, 300)}`]),
    `  started   ${day(header.at)} ${clock(header.at)}`,
    rule,
  ]
  return `${lines.join('\n')}\n`
}

export interface Outcome {
  state: 'idle' | 'error' | 'timeout' | 'stopped'
  at: Date
  durationMs: number
  /** In dollars; unknown on older versions of opencode. */
  cost?: number | undefined
  tokens?: { input?: number | undefined; output?: number | undefined } | undefined
  error?: string | undefined
  /** How many commits the run added. */
  commits?: number | undefined
}

const endings = { idle: 'finished', error: 'failed', timeout: 'timed out', stopped: 'stopped' } as const

/** The end of a run. */
export function renderOutcome(outcome: Outcome): string {
  const { tokens, commits, cost } = outcome
  const facts = [
    `${endings[outcome.state]} after ${duration(outcome.durationMs)}`,
    ...(commits === undefined
      ? []
      : [commits === 0 ? 'no commits' : `${commits} ${commits === 1 ? 'commit' : 'commits'}`]),
    ...(cost === undefined || cost === 0 ? [] : [`$${cost.toFixed(2)}`]),
    ...(tokens === undefined ? [] : [`tokens: ${count(tokens.input)} in, ${count(tokens.output)} out`]),
  ]
  const error =
    outcome.error === undefined || outcome.error === ''
      ? ''
      : `${indent(excerpt(outcome.error, { head: 10, tail: 5 }))}\n`
  return `\n${clock(outcome.at)} ■ ${facts.join(' · ')}\n${error}\n`
}

const rule = '─'.repeat(78)

function renderText(
  part: Part,
  stamp: string,
  mask: (text: string) => string,
  options: RenderOptions,
): string | undefined {
  // Synthetic and ignored texts are opencode's own notes to the model.
  if (part['synthetic'] === true || part['ignored'] === true) return undefined
  const text = plainText(mask(textAt(part, 'text') ?? '')).trim()
  if (text === '') return undefined
  if (options.role === 'user') {
    const title = options.task === true ? '▶ task' : '▶ message'
    return `\n${stamp}${title}\n${indent(excerpt(text, { head: 12, tail: 30 }))}\n`
  }
  return `\n${stamp}● agent\n${indent(excerpt(wrap(text), { head: 150, tail: 50 }))}\n`
}

function firstLine(text: string): string {
  const line = text.split('\n').find((each) => each.trim() !== '') ?? ''
  return plainLine(line.replaceAll('**', ''), 100)
}

function day(at: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
}

function count(tokens: number | undefined): string {
  if (tokens === undefined) return '?'
  if (tokens < 1000) return String(tokens)
  return tokens < 1_000_000 ? `${(tokens / 1000).toFixed(1)}k` : `${(tokens / 1_000_000).toFixed(1)}M`
}
