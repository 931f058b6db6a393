import * as fs from 'node:fs'
import * as path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KugetsuError } from '../../../core/errors.ts'
import { plainLine, plainText } from '../../../core/plain-text.ts'
import { supervisionOf } from '../../../daemon/control.ts'
import { listDirectory, readLog, removeFile } from '../../../platform/files.ts'
import { findId } from '../../../queue/find.ts'
import { isFinished } from '../../../queue/transitions.ts'
import { hasTask } from '../../../sessions/file/queued-tasks.ts'
import { readIssue } from '../../../tasks/issues.ts'
import { pmAgentSession, readSession, readSessions } from '../../../sessions/file/store.ts'
import type { Context } from '../../terminal/context.ts'
import { readFrom } from '../../terminal/follow-lines.ts'
import { age, printJson, table } from '../../terminal/output.ts'
import { knownAgent } from '../../refs.ts'
import { statusWords } from './issue-table.ts'

const keptDays = 7
const lookMs = 100
/** Completing a transcript may start a daemon, and maybe the opencode server. */
const completionMs = 30_000

export interface LogsOptions {
  what?: string | undefined
  follow?: boolean
  json?: boolean
}

export async function runLogs(context: Context, options: LogsOptions): Promise<void> {
  const { what = '10' } = options
  if (/^\d+$/.test(what) && options.follow === true) {
    throw new KugetsuError('-f follows one transcript, but a number lists delegations', {
      hint: 'Name it: kugetsu logs -f <issue-ref>, the id of a task, or pm-agent.',
      code: 'usage',
    })
  }
  if (/^\d+$/.test(what)) return delegationLogs(context, Number(what), options)
  const log = what.startsWith('q_') ? await logOfItem(context, what) : await logOfAgent(context, what)
  const about = { issue_ref: log.issueRef, ...(log.item === undefined ? {} : { queue_item: log.item }) }
  if (options.follow === true) {
    return follow(context, log, (text) =>
      context.io.out(options.json === true ? `${JSON.stringify({ ...about, text })}\n` : plainText(text)),
    )
  }
  await completed(context, log)
  const file = log.file()
  const text = readLog(file)
  if (options.json === true) return printJson(context, { ...about, file, text: text ?? null })
  if (text === undefined) {
    const waits = await queuedWords(context, log)
    if (waits !== undefined) {
      throw new KugetsuError(`${log.label} is ${waits}: it has no transcript yet`, {
        hint: `To follow it from its beginning: kugetsu logs -f ${log.label}`,
        code: 'no_transcript',
      })
    }
    throw new KugetsuError(`there is no transcript of ${log.label}`, {
      hint: `It starts with the next message to the agent: kugetsu logs -f ${log.label}`,
      code: 'no_transcript',
    })
  }
  context.io.out(plainText(text))
}

/** Makes a daemon complete the transcript of a run that ended while no daemon ran. */
async function completed(context: Context, log: Log): Promise<void> {
  if (!log.isUnwritten()) return
  context.progress('completing the transcript')
  const until = performance.now() + completionMs
  while (log.isUnwritten() && performance.now() < until) {
    await supervisionOf(context).wake()
    await sleep(lookMs * 5, undefined, { signal: context.signal })
  }
  if (log.isUnwritten()) context.warn('the transcript is not complete yet: see "kugetsu queue-daemon logs"')
}

/** A transcript, which may not have begun yet. */
interface Log {
  /** What names it on the command line. */
  label: string
  issueRef: string | null
  item?: string
  file: () => string
  /** Whether more may come. */
  isOpen: () => boolean | Promise<boolean>
  /** Whether a run ended while no daemon wrote it down. */
  isUnwritten: () => boolean
}

async function logOfAgent(context: Context, what: string): Promise<Log> {
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
async function logOfItem(context: Context, text: string): Promise<Log> {
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

/** `queued, 2 ahead` for an issue that waits for a slot. */
async function queuedWords(context: Context, { issueRef }: Log): Promise<string | undefined> {
  const issue = issueRef === null ? undefined : await readIssue(context, issueRef)
  return issue?.status === 'queued' ? statusWords(issue) : undefined
}

/** Prints a transcript as it grows, until no agent is at work on it any more and all is printed. */
async function follow(context: Context, log: Log, print: (text: string) => void): Promise<void> {
  if (await log.isOpen()) await supervisionOf(context).wake()
  const waits = await queuedWords(context, log)
  if (waits !== undefined) context.io.err(`${log.label} is ${waits}; its transcript follows\n`)
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

/** The last `count` delegation logs; those over a week old are removed. */
async function delegationLogs(context: Context, count: number, options: LogsOptions): Promise<void> {
  const limit = context.now().getTime() - keptDays * 86_400_000
  const all = delegationFiles(context)
  for (const { file } of all.filter(({ modified }) => modified.getTime() < limit)) {
    removeFile(file)
    removeFile(path.join(path.dirname(file), `.${path.basename(file, '.log')}.written`))
  }
  const logs = all.filter(({ modified }) => modified.getTime() >= limit).slice(-count)
  const shown = count === 0 ? [] : logs
  const queue = context.queue()
  const listed = await Promise.all(
    shown.map(async ({ file, modified }) => {
      const id = path.basename(file, '.log').replace(/^delegate-/, '')
      const item = await queue.get(id).catch(() => undefined)
      const { state = null, message = null } = item ?? {}
      return { file, modified: modified.toISOString(), queue_item: item?.id ?? null, state, message }
    }),
  )
  if (options.json === true) return printJson(context, listed)
  if (shown.length === 0) return context.io.out('No delegation logs. For an agent: kugetsu logs <issue-ref>\n')
  const fit = { columns: context.io.columns, cutFirst: ['MESSAGE'] }
  context.io.out(
    table(
      ['LOG', 'AGE', 'STATE', 'MESSAGE'],
      listed.map(({ file, modified, state, message }) => [
        path.basename(file),
        age(modified, context.now()),
        state ?? '',
        plainLine(message ?? '', 200),
      ]),
      context.io.terminal ? fit : undefined,
    ),
  )
}

/** All delegation logs, the one that was written to last at the end. */
function delegationFiles(context: Context): { file: string; modified: Date }[] {
  return listDirectory(context.paths.logs)
    .filter((name) => /^delegate-.*\.log$/.test(name))
    .flatMap((name) => {
      const file = path.join(context.paths.logs, name)
      const stat = fs.lstatSync(file, { throwIfNoEntry: false })
      return stat?.isFile() === true ? [{ file, modified: stat.mtime }] : []
    })
    .sort((a, b) => a.modified.getTime() - b.modified.getTime())
}
