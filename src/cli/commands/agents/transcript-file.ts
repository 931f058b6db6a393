/** The transcript of an agent: its file, and whether more of it comes. */
import { setTimeout as sleep } from 'node:timers/promises'
import { findId } from '../../../queue/find.ts'
import { isFinished } from '../../../queue/transitions.ts'
import { hasTask } from '../../../sessions/file/queued-tasks.ts'
import { pmAgentSession, readSession, readSessions } from '../../../sessions/file/store.ts'
import { knownAgent } from '../../refs.ts'
import type { Context } from '../../terminal/context.ts'
import { readFrom } from '../../terminal/follow-lines.ts'
import { delegationFiles } from './delegation-logs.ts'

const lookMs = 100
/** Completing a transcript may start a daemon, and maybe the opencode server. */
const completionMs = 30_000

/** A transcript, which may not have begun yet. */
export interface Transcript {
  /** Its name on the command line. */
  label: string
  issueRef: string | null
  item?: string
  file: () => string
  /** Whether more may come. */
  isOpen: () => boolean | Promise<boolean>
  /** Whether a run ended while no daemon wrote it down. */
  isUnwritten: () => boolean
}

/** The transcript that a person means: of an issue, of the PM agent, or of a task by its id. */
export async function transcriptOf(context: Context, what: string): Promise<Transcript> {
  return what.startsWith('q_') ? ofItem(context, what) : ofAgent(context, what)
}

async function ofAgent(context: Context, what: string): Promise<Transcript> {
  const { label, name, record: first } = await knownAgent(context, what)
  const record = () => readSession(context, name)
  const isUnwritten = () => Boolean(record()?.unwritten?.length)
  if (name !== pmAgentSession) {
    const file = () => context.paths.transcript(record()?.opencode_session_id ?? '')
    const isOpen = () => Boolean(record()?.run) || isUnwritten() || hasTask(context, label)
    return { label, issueRef: label, file, isOpen, isUnwritten }
  }
  const now = first?.run?.queue_item
  const last = now === undefined ? delegationFiles(context).at(-1)?.file : context.paths.delegation(now)
  const isOpen = () => Boolean(record()?.run) || isUnwritten()
  return { label, issueRef: null, file: () => last ?? context.paths.delegation('none'), isOpen, isUnwritten }
}

/** The transcript of the agent that has, or had, a task of the queue. */
async function ofItem(context: Context, text: string): Promise<Transcript> {
  const queue = context.queue()
  const id = findId(await queue.ids(), text)
  let item = await queue.get(id)
  return {
    label: id,
    item: id,
    issueRef: item?.issue_ref ?? null,
    file: () =>
      item?.kind === 'pm' ? context.paths.delegation(id) : context.paths.transcript(item?.opencode_session_id ?? ''),
    isOpen: async () => {
      item = (await queue.get(id)) ?? item
      return item !== undefined && !isFinished(item)
    },
    isUnwritten: () => {
      const session = item?.opencode_session_id
      const own = readSessions(context).find(({ record }) => session && record.opencode_session_id === session)
      return Boolean(own?.record.unwritten?.length)
    },
  }
}

/** Makes a daemon complete the transcript of a run that ended without a daemon. */
export async function complete(context: Context, log: Transcript): Promise<void> {
  if (!log.isUnwritten()) return
  context.progress('completing the transcript')
  const until = performance.now() + completionMs
  while (log.isUnwritten() && performance.now() < until) {
    await context.daemon.wake()
    await sleep(lookMs * 5, undefined, { signal: context.signal })
  }
  if (log.isUnwritten()) context.warn('the transcript is not complete yet: see "kugetsu queue-daemon logs"')
}

/** Prints a transcript as it grows, until its agent has ended and everything is printed. */
export async function follow(context: Context, log: Transcript, print: (text: string) => void): Promise<void> {
  if (await log.isOpen()) await context.daemon.wake()
  const decoder = new TextDecoder()
  let offset = 0
  for (let last = false; ;) {
    const ended = !(await log.isOpen())
    const bytes = readFrom(log.file(), offset)
    offset += bytes.length
    if (bytes.length > 0) print(decoder.decode(bytes, { stream: true }))
    // The end of the run is on file a moment before its last lines are, so look once more.
    if (ended && bytes.length === 0) {
      if (last) return
      last = true
    } else last = false
    await sleep(last ? lookMs * 3 : lookMs, undefined, { signal: context.signal })
  }
}
