/** Translates the messages of opencode 1, and their parts, into the words of a driver. Pure. */
import { plainLine } from '../core/plain-text.ts'
import { isTimed, numberAt, recordAt, textAt } from '../core/unknown-data.ts'
import type { Entry, EntryOf, MessageFacts, Told, ToolCall } from '../driver/entry.ts'
import type { Message, MessageInfo, Part } from './api/schemas.ts'
import { renderTool } from './tools.ts'

export function toldBy({ info, parts }: Message): Told {
  return { message: factsOf(info), entries: parts.flatMap((part) => entryOf(part) ?? []) }
}

export function factsOf(info: MessageInfo): MessageFacts {
  return {
    id: info.id,
    sessionId: info.sessionID,
    role: info.role === 'user' ? 'user' : 'assistant',
    at: info.time?.created === undefined ? undefined : new Date(info.time.created),
    isOver: info.time?.completed !== undefined,
    isFailed: info.error !== undefined,
    finish: info.finish,
    isSummary: info['summary'] === true,
  }
}

/** A part as an entry; undefined for opencode's own bookkeeping, and for its own notes to the model. */
export function entryOf(part: Part): Entry | undefined {
  const { id, messageID: messageId, sessionID: sessionId } = part
  const what = contentOf(part)
  return what && { id, messageId, sessionId, isFinished: isFinished(part), ...what }
}

function contentOf(part: Part): EntryOf | undefined {
  switch (part.type) {
    case 'text':
      if (part['synthetic'] === true || part['ignored'] === true) return undefined
      return { kind: 'text', text: textAt(part, 'text') ?? '' }
    case 'reasoning':
      return { kind: 'thought', text: textAt(part, 'text') ?? '' }
    case 'tool':
      return { kind: 'call', call: callOf(part) }
    case 'file':
      return { kind: 'file', name: textAt(part, 'filename') }
    case 'retry': {
      const error = recordAt(part, 'error')
      const text = textAt(recordAt(error, 'data'), 'message') ?? textAt(error, 'message') ?? 'unknown error'
      return { kind: 'retry', attempt: numberAt(part, 'attempt') ?? 1, text }
    }
    case 'compaction':
      return { kind: 'summary' }
    default:
      return undefined
  }
}

function isFinished(part: Part): boolean {
  if (part.type === 'tool') return ['completed', 'error'].includes(textAt(part['state'], 'status') ?? '')
  return part.type === 'reasoning' || part.type === 'text' ? isTimed(part) : true
}

function callOf(part: Part): ToolCall {
  const state = recordAt(part, 'state')
  const command = textAt(recordAt(state, 'input'), 'command')
  const isRunning = command !== undefined && textAt(state, 'status') === 'running'
  return {
    ended: endOf(part),
    command: isRunning
      ? {
          callId: textAt(part, 'callID') ?? '',
          timeoutMs: numberAt(recordAt(state, 'input'), 'timeout'),
          startedAt: numberAt(recordAt(state, 'time'), 'start'),
        }
      : undefined,
    show: (options) => renderTool(part, options),
  }
}

function endOf(part: Part): ToolCall['ended'] {
  const state = recordAt(part, 'state')
  const status = textAt(state, 'status')
  if (status !== 'completed' && status !== 'error') return undefined
  const input = recordAt(state, 'input') ?? {}
  const tool = textAt(part, 'tool') ?? 'a tool'
  // opencode's stand-in for an unknown tool and for invalid arguments: what was wrong with them differs each time.
  if (tool === 'invalid') {
    return { tool: nameOf(textAt(input, 'tool') ?? tool), input: '', failure: reasonOf(textAt(input, 'error')) }
  }
  const failure = status === 'error' ? reasonOf(textAt(state, 'error')) : undefined
  return { tool: nameOf(tool), input: JSON.stringify(input), failure }
}

function nameOf(tool: string): string {
  return plainLine(tool, 60)
}

function reasonOf(text: string | undefined): string {
  return plainLine(text ?? '', 200) || 'it does not say why'
}
