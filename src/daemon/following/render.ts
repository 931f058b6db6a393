/**
 * The words and actions of an agent, as a log that a person likes to read. Pure: entries in, plain text out. Everything
 * in them was written by a model, a command or a stranger, so nothing reaches the reader's terminal that could drive
 * it.
 */
import { plainLine, plainText } from '../../core/plain-text.ts'
import type { Entry } from '../../driver/entry.ts'
import { clock, duration, excerpt, indent, wrap } from '../../core/prose.ts'

export interface RenderOptions {
  role: string
  /** When the message came to be; shown in local time. */
  time: Date
  /** This user message began the run; others are messages to an agent at work. */
  task?: boolean | undefined
  /** The sub-agent's name, where the entry is from its session. */
  subagent?: string | undefined
  /** The agent's worktree, absolute: paths within are shown relative to it. */
  directory?: string | undefined
  /** Hides secrets; applied to whole texts, before anything is cut. */
  mask?: ((text: string) => string) | undefined
}

/** Whether an entry is complete, so that it can be written once and for all. */
export function isFinished(entry: Entry, role: string): boolean {
  return entry.isFinished || (entry.kind === 'text' && role !== 'assistant')
}

/** An entry as a block of lines ending in a newline; undefined when it shows nothing. */
export function renderEntry(entry: Entry, options: RenderOptions): string | undefined {
  const mask = options.mask ?? ((text) => text)
  const who = options.subagent === undefined ? '' : `[${plainLine(options.subagent, 30)}] `
  const stamp = `${clock(options.time)} ${who}`
  switch (entry.kind) {
    case 'text':
      return renderText(entry.text, stamp, mask, options)
    case 'thought': {
      const thought = firstLine(mask(entry.text))
      return thought === '' ? undefined : `${stamp}… ${thought}\n`
    }
    case 'call':
      return stamp + entry.call.show({ directory: options.directory, mask })
    case 'file':
      return `${stamp}· attached ${plainLine(mask(entry.name ?? 'a file'), 100)}\n`
    case 'retry':
      return `${stamp}! the model failed (attempt ${entry.attempt}): ${plainLine(mask(entry.text), 300)}\n`
    case 'summary':
      return `${stamp}· the conversation was summarised to make room\n`
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
  said: string,
  stamp: string,
  mask: (text: string) => string,
  options: RenderOptions,
): string | undefined {
  const text = plainText(mask(said)).trim()
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
