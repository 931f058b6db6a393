import type { SeenMessage } from '../../core/run-outcome.ts'
import { textAt } from '../../core/unknown-data.ts'
import type { ObservedSession } from '../../driver/client.ts'
import type { Retry } from '../../driver/entry.ts'
import { statusOf } from '../entries.ts'
import { asReason, reasonOf, type Reason } from '../reasons.ts'
import type { Routes } from './routes.ts'
import type { Content, InboxItem, Message } from './schemas.ts'

/** Enough for the tail of a run; the whole session is read only when the prompt is further back. */
const tailLength = 60
const unknownReason: Reason = { text: 'opencode gave no reason: see its log', trouble: undefined }

/** How a session stands, as Client.observe() says. */
export async function observeSession(
  routes: Routes,
  id: string,
  promptIds: readonly string[],
): Promise<ObservedSession | undefined> {
  // In this order, a run that ends meanwhile looks busy once more, and a prompt delivered meanwhile is seen twice.
  const busy = (await routes.active()).has(id)
  const inbox = await routes.inbox(id)
  const [session, tail] = await Promise.all([routes.session(id), routes.tail(id, tailLength)])
  if (session === undefined || tail === undefined) return undefined
  const wanted = busy ? promptIds.slice(-1) : promptIds
  const isEnough =
    tail.length < tailLength || wanted.every((prompt) => [...tail, ...inbox].some((each) => each.id === prompt))
  const messages = isEnough ? tail : ((await routes.messages(id)) ?? [])
  return {
    busy,
    retry: busy ? retryIn(messages) : undefined,
    messages: seenIn(messages, inbox, reasonOf(id)),
    answer: answerIn(messages, promptIds.at(-1)),
    cost: session.cost,
    tokens: session.tokens,
  }
}

/** The failure that the last step waits after. opencode counts the attempt that comes, and starts with 2. */
export function retryIn(messages: readonly Message[]): Retry | undefined {
  const last = messages.findLast(({ type }) => type === 'assistant')
  if (last?.retry === undefined || last.time?.completed !== undefined) return undefined
  return { attempt: Math.max(1, (last.retry.attempt ?? 2) - 1), text: asReason(last.retry.error ?? {}).text }
}

/** The text of the last message in which the agent says something after the prompt. */
function answerIn(messages: readonly Message[], promptId: string | undefined): string | undefined {
  const from = messages.findIndex(({ id }) => id === promptId)
  const texts = messages
    .slice(from + 1)
    .filter(({ type }) => type === 'assistant')
    .map(({ content = [] }) => textOf(content))
  return texts.findLast((text) => text !== '')
}

/**
 * Messages for outcomeOf(), with those that wait in the inbox: the server has them and gives them to the agent at the
 * next run. A run that has ended badly without a message about it gets one. Pure.
 */
export function seenIn(
  messages: readonly Message[],
  inbox: readonly InboxItem[],
  reason: Reason | undefined,
): SeenMessage[] {
  const seen: SeenMessage[] = []
  let promptId: string | undefined
  let isTold = false
  let compactionFailure: Reason | undefined
  for (const message of withInbox(messages, inbox)) {
    const { id, type, error, outcome } = message
    if (type === 'user') {
      promptId = id
      isTold = false
      seen.push({ ...blank, id, role: 'user', completed: true, text: (message.text ?? '').trim() })
    } else if (type === 'assistant') {
      isTold = error !== undefined
      seen.push(seenAnswer(message, promptId))
    } else if (type === 'compaction') {
      if (message.status === 'failed' && error !== undefined) compactionFailure = asReason(error)
      if (message.status === 'completed') {
        seen.push({ ...blank, id, role: 'assistant', completed: true, compaction: 'summary' })
      }
    } else if (type === 'idle') {
      const last = seen.at(-1)
      // opencode asks no more after this, and the model may have meant to do something.
      if (outcome === 'succeeded' && last?.finish === 'tool-calls' && last.calls.length === 0) {
        seen[seen.length - 1] = { ...last, finish: 'tool-calls without a call' }
      }
      if (outcome === 'interrupted' && isTold && last !== undefined) seen[seen.length - 1] = { ...last, ...stopped }
      if (outcome === 'interrupted' && !isTold)
        seen.push({ ...blank, ...stopped, id, role: 'assistant', parentId: promptId })
      if (outcome === 'failed' && !isTold) {
        const { text, trouble } = compactionFailure ?? reason ?? unknownReason
        seen.push({ ...blank, id, role: 'assistant', parentId: promptId, completed: true, error: text, trouble })
      }
      isTold = false
      compactionFailure = undefined
    }
  }
  return seen
}

const blank = {
  parentId: undefined,
  completed: false,
  finish: undefined,
  error: undefined,
  aborted: false,
  compaction: undefined,
  text: '',
  thought: false,
  calls: [],
} satisfies Partial<SeenMessage>

const stopped = { completed: true, error: 'interrupted', aborted: true }

function seenAnswer({ id, content = [], time, finish, error }: Message, promptId: string | undefined): SeenMessage {
  // A message that merely breaks off is marked as interrupted by the end of its run. Without that mark the server died.
  const reason = error === undefined || error.type === 'aborted' ? undefined : asReason(error)
  return {
    ...blank,
    id,
    role: 'assistant',
    parentId: promptId,
    completed: time?.completed !== undefined && error?.type !== 'aborted',
    finish,
    error: reason?.text,
    trouble: reason?.trouble,
    text: textOf(content),
    thought: content.some(({ type }) => type === 'reasoning'),
    calls: content.filter(({ type }) => type === 'tool').map(callOf),
  }
}

/** The messages with the prompts that wait: before the end of the run that failed to take one, else at the end. */
function withInbox(messages: readonly Message[], inbox: readonly InboxItem[]): Message[] {
  const all = [...messages]
  const known = new Set(messages.map(({ id }) => id))
  for (const item of inbox) {
    if (item.type !== 'user' || known.has(item.id)) continue
    const since = item.time?.created ?? Infinity
    const end = all.findIndex(
      ({ type, outcome, time }) => type === 'idle' && outcome !== 'succeeded' && (time?.created ?? 0) >= since,
    )
    const prompt = { id: item.id, type: 'user', text: textAt(item.payload, 'text') ?? '' }
    all.splice(end === -1 ? all.length : end, 0, prompt)
  }
  return all
}

/** A call that the end of its server cut off keeps its status until the next prompt. */
function callOf(call: Content): SeenMessage['calls'][number] {
  const status = statusOf(call)
  return status === 'completed' ? 'finished' : status === 'error' ? 'failed' : 'cut off'
}

function textOf(content: readonly Content[]): string {
  return content
    .flatMap((each) => (each.type === 'text' ? (textAt(each, 'text') ?? []) : []))
    .join('\n')
    .trim()
}
