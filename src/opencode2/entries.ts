/** Translates the messages of opencode 2, and their contents, into the words of a driver. Pure. */
import { plainLine } from '../core/plain-text.ts'
import { numberAt, recordAt, textAt } from '../core/unknown-data.ts'
import type { Entry, MessageFacts, Told, ToolCall } from '../driver/entry.ts'
import type { Content, Message } from './api/schemas.ts'
import { showCall } from './show-call.ts'

/** The text of a message; undefined for opencode's own bookkeeping, and for its own notes to the model. */
export function toldBy(message: Message, sessionId: string): Told | undefined {
  const facts = factsOf(message, sessionId)
  const { id: messageId } = message
  const of = (id: string) => ({ id: `${messageId}/${id}`, messageId, sessionId })
  switch (message.type) {
    case 'user': {
      const files = (message.files ?? []).map((file, index): Entry => {
        return { ...of(`file-${index}`), isFinished: true, kind: 'file', name: textAt(file, 'name') }
      })
      const said: Entry = { ...of('text'), isFinished: true, kind: 'text', text: message.text ?? '' }
      return { message: { ...facts, role: 'user', isOver: true }, entries: [said, ...files] }
    }
    case 'assistant':
      return { message: facts, entries: entriesOf(message, of) }
    case 'compaction':
      if (message.status !== 'completed') return undefined
      return {
        message: { ...facts, isOver: true, isSummary: true },
        entries: [{ ...of('summary'), isFinished: true, kind: 'summary' }],
      }
    default:
      return undefined
  }
}

function factsOf({ id, time, error, finish }: Message, sessionId: string): MessageFacts {
  return {
    id,
    sessionId,
    role: 'assistant',
    at: time?.created === undefined ? undefined : new Date(time.created),
    isOver: time?.completed !== undefined,
    isFailed: error !== undefined,
    finish,
    isSummary: false,
  }
}

function entriesOf(
  { content = [], time }: Message,
  of: (id: string) => Pick<Entry, 'id' | 'messageId' | 'sessionId'>,
): Entry[] {
  const isSaid = time?.streamed !== undefined || time?.completed !== undefined
  return content.flatMap((each, index): Entry[] => {
    if (each.type === 'tool') {
      const call = callOf(each)
      return [
        { ...of(textAt(each, 'id') ?? `call-${index}`), isFinished: call.ended !== undefined, kind: 'call', call },
      ]
    }
    const kind = each.type === 'text' ? 'text' : each.type === 'reasoning' ? 'thought' : undefined
    if (kind === undefined) return []
    const isFinished = isSaid || index < content.length - 1
    return [{ ...of(`${kind}-${index}`), isFinished, kind, text: textAt(each, 'text') ?? '' }]
  })
}

/** The progress of a call. */
export function statusOf(call: Content): string | undefined {
  return textAt(recordAt(call, 'state'), 'status')
}

function callOf(call: Content): ToolCall {
  const input = recordAt(recordAt(call, 'state'), 'input')
  const isCommand = textAt(call, 'name') === 'shell' && textAt(input, 'command') !== undefined
  const time = recordAt(call, 'time')
  return {
    ended: endOf(call),
    command:
      isCommand && statusOf(call) === 'running'
        ? {
            callId: textAt(call, 'id') ?? '',
            timeoutMs: numberAt(input, 'timeout'),
            startedAt: numberAt(time, 'ran') ?? numberAt(time, 'created'),
          }
        : undefined,
    show: (options) => showCall(call, options),
  }
}

/** How opencode refuses a call that it cannot make: an unknown tool, or arguments that differ each time. */
const invalid = /^(?:No tool named|Invalid arguments for tool) /

function endOf(call: Content): ToolCall['ended'] {
  const state = recordAt(call, 'state')
  const status = statusOf(call)
  if (status !== 'completed' && status !== 'error') return undefined
  const tool = plainLine(textAt(call, 'name') ?? 'a tool', 60)
  const reason = textAt(recordAt(state, 'error'), 'message') ?? ''
  if (status === 'completed') return { tool, input: JSON.stringify(recordAt(state, 'input') ?? {}), failure: undefined }
  const input = invalid.test(reason) ? '' : JSON.stringify(recordAt(state, 'input') ?? {})
  return { tool, input, failure: plainLine(reason, 200) || 'it does not say why' }
}
