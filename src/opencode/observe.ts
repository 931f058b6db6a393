import type { SeenMessage } from '../core/run-outcome.ts'
import type { Client } from './client.ts'
import { failureText, type Message } from './shapes.ts'
import { spentIn } from './spent.ts'
import { textAt } from './transcript-text.ts'

/** Enough for the tail of a run; the whole session is read only where the prompt lies further back. */
const tailLength = 30

export interface ObservedSession {
  busy: boolean
  /** What the provider makes the agent wait for, while opencode tries again. */
  retry: { attempt: number; text: string } | undefined
  messages: SeenMessage[]
  /** What the agent said last, whole; undefined when it said nothing since the prompt. */
  answer: string | undefined
  cost: number | undefined
  tokens: Record<string, unknown> | undefined
}

/** What the server says of a session now, back to the message `promptId`; undefined when it has no such session. */
export async function observeSession(
  client: Client,
  id: string,
  directory: string,
  promptId: string | undefined,
): Promise<ObservedSession | undefined> {
  // Status first: a run that ends between the two questions then looks busy once more, never finished too early.
  const status = (await client.statuses(directory))[id]
  const [session, tail = []] = await Promise.all([
    client.session(id, directory),
    client.messages(id, directory, tailLength),
  ])
  if (session === undefined) return undefined
  let messages = tail
  if (messages.length >= tailLength && !reachesBack(messages, promptId)) {
    messages = (await client.messages(id, directory)) ?? []
  }
  const busy = status !== undefined && status.type !== 'idle'
  // Older versions (1.2, 1.14) tell of each message what it cost, and of a session nothing: it is added up once it is over.
  const told = session.cost !== undefined || busy
  const spent = told ? session : spentIn((await client.messages(id, directory)) ?? [])
  return {
    busy,
    retry: status?.type === 'retry' ? { attempt: status.attempt ?? 1, text: status.message ?? '' } : undefined,
    messages: messages.filter(isWhole).map(seen),
    answer: answerIn(messages, promptId),
    cost: spent.cost,
    tokens: spent.tokens,
  }
}

/**
 * opencode writes a prompt and its text one after the other: of a server that dies in between stays a message that tells
 * the agent nothing, and so has never arrived.
 */
export function isWhole({ info, parts }: Message): boolean {
  return info.role !== 'user' || parts.length > 0
}

function reachesBack(messages: Message[], promptId: string | undefined): boolean {
  return messages.some(({ info }) => info.id === promptId || info.parentID === promptId)
}

/** The text of the last message in which the agent says something after the prompt. */
function answerIn(messages: Message[], promptId: string | undefined): string | undefined {
  const from = messages.findIndex(({ info }) => info.id === promptId)
  const texts = messages
    .slice(from + 1)
    .filter(({ info }) => info.role === 'assistant')
    .map(({ parts }) => parts.flatMap((part) => (part.type === 'text' ? (textAt(part, 'text') ?? []) : [])).join('\n'))
  return texts.findLast((text) => text.trim() !== '')?.trim()
}

function seen({ info }: Message): SeenMessage {
  return {
    id: info.id,
    role: info.role,
    parentId: info.parentID,
    completed: info.time?.completed !== undefined,
    finish: info.finish,
    error: info.error === undefined ? undefined : failureText(info.error),
    aborted: info.error?.name === 'MessageAbortedError',
  }
}
