import type { SeenMessage } from '../../core/run-outcome.ts'
import type { ObservedSession } from '../../driver/client.ts'
import type { Routes } from './routes.ts'
import { ownTrouble } from '../own-trouble.ts'
import { failureText, retryIn, type Message, type Part } from './schemas.ts'
import { spentIn } from './usage.ts'
import { textAt } from '../../core/unknown-data.ts'

/** Enough for the tail of a run; the whole session is read only when the prompt is further back. */
const tailLength = 30

/** How a session stands, as Client.observe() says. */
export async function observeSession(
  routes: Routes,
  id: string,
  directory: string,
  promptIds: readonly string[],
): Promise<ObservedSession | undefined> {
  // Status first: a run that ends between the two requests then looks busy once more, never finished too early.
  const status = (await routes.statuses(directory))[id]
  const [session, tail = []] = await Promise.all([
    routes.session(id, directory),
    routes.messages(id, directory, tailLength),
  ])
  if (session === undefined) return undefined
  const busy = status !== undefined && status.type !== 'idle'
  const promptId = promptIds.at(-1)
  const wanted = busy ? promptIds.slice(-1) : promptIds
  let messages = tail
  if (messages.length >= tailLength && !wanted.every((prompt) => reachesBack(messages, prompt))) {
    messages = (await routes.messages(id, directory)) ?? []
  }
  // Older versions (1.2, 1.14) tell the cost of each message, but not of a session: added up once the session is idle.
  const told = session.cost !== undefined || busy
  const spent = told ? session : spentIn((await routes.messages(id, directory)) ?? [])
  return {
    busy,
    retry: retryIn(status),
    messages: messages.filter(isWhole).map(seen),
    answer: answerIn(messages, promptId),
    cost: spent.cost,
    tokens: spent.tokens,
  }
}

/**
 * opencode writes a prompt first and its text after that. A server that dies in between leaves a message without a text: it
 * tells the agent nothing, so the prompt counts as never arrived.
 */
export function isWhole({ info, parts }: Message): boolean {
  return info.role !== 'user' || parts.length > 0
}

function reachesBack(messages: Message[], promptId: string): boolean {
  return messages.some(({ info }) => info.id === promptId || info.parentID === promptId)
}

/** The text of the last message in which the agent says something after the prompt. */
function answerIn(messages: Message[], promptId: string | undefined): string | undefined {
  const from = messages.findIndex(({ info }) => info.id === promptId)
  const texts = messages
    .slice(from + 1)
    .filter(({ info }) => info.role === 'assistant' && info['summary'] !== true)
    .map(({ parts }) => textOf(parts))
  return texts.findLast((text) => text !== '')
}

function seen({ info, parts }: Message): SeenMessage {
  return {
    id: info.id,
    role: info.role,
    parentId: info.parentID,
    completed: info.time?.completed !== undefined,
    finish: info.finish,
    error: info.error === undefined ? undefined : failureText(info.error),
    trouble: info.error === undefined ? undefined : ownTrouble(info.error),
    aborted: info.error?.name === 'MessageAbortedError',
    compaction: parts.some(({ type }) => type === 'compaction')
      ? 'request'
      : info.role === 'assistant' && info['summary'] === true
        ? 'summary'
        : undefined,
    text: textOf(parts),
    thought: parts.some(({ type }) => type === 'reasoning'),
    calls: parts.filter(({ type }) => type === 'tool').map(callOf),
  }
}

/** A call that a later step or the end of its server cut off has the status of an error too, or keeps its first status. */
function callOf(part: Part): SeenMessage['calls'][number] {
  const status = textAt(part['state'], 'status')
  // opencode's stand-in for a call that it cannot make: an unknown tool, or invalid arguments.
  if (status === 'completed') return part['tool'] === 'invalid' ? 'failed' : 'finished'
  return status === 'error' ? 'failed' : 'cut off'
}

function textOf(parts: Part[]): string {
  return parts
    .flatMap((part) => (part.type === 'text' ? (textAt(part, 'text') ?? []) : []))
    .join('\n')
    .trim()
}
