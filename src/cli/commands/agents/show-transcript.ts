import { KugetsuError } from '../../../core/errors.ts'
import { plainText } from '../../../core/plain-text.ts'
import { readLog } from '../../../platform/files.ts'
import { readIssue } from '../../../tasks/issues.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson } from '../../terminal/output.ts'
import { statusWords } from './issue-table.ts'
import { chosen, forPerson, lastLines, lastLinesSaid, partsOf, saidIn, timeOf } from './transcript.ts'
import { complete, follow, transcriptOf, type Transcript } from './transcript-file.ts'

export interface TranscriptOptions {
  follow?: boolean
  lines?: number
  since?: string
  last?: boolean
  grep?: string
  json?: boolean
}

/** Prints a transcript, or a part of it. A terminal gets it laid out; a pipe as it stands on file. */
export async function showTranscript(context: Context, what: string, options: TranscriptOptions): Promise<void> {
  const show = shown(context, options)
  const log = await transcriptOf(context, what)
  const about = { issue_ref: log.issueRef, ...(log.item === undefined ? {} : { queue_item: log.item }) }
  if (options.follow === true) return followIt(context, options, log, { about, show })
  await complete(context, log)
  const file = log.file()
  const text = readLog(file)
  if (options.json === true) {
    const entries = chosen(partsOf(text ?? ''), show.choice).map((part) => ({ ...part, text: plainText(part.text) }))
    return printJson(context, { ...about, file, text: text ?? null, entries })
  }
  if (text === undefined) throw await noTranscript(context, log)
  const said = show.first(text)
  if (said.trim() === '' && context.io.terminal) {
    context.io.err(options.last === true ? 'The agent has not said anything yet\n' : 'Nothing in the transcript fits\n')
  }
  context.io.out(said)
}

interface Shown {
  choice: { since: Date | undefined; last: boolean | undefined; grep: string | undefined }
  /** What to print of the transcript on file now. */
  first: (text: string) => string
  /** What to print of its continuation. */
  more: (text: string) => string
}

/** Reads the flags that choose parts. Throws KugetsuError `usage` for flags that make no sense. */
function shown(context: Context, { follow, lines, since, last, grep, json }: TranscriptOptions): Shown {
  if (last === true && follow === true) {
    throw new KugetsuError('--last is the end of a transcript, and -f waits for more', {
      hint: 'Use one of them.',
      code: 'usage',
    })
  }
  const from = since === undefined ? undefined : timeOf(since, context.now())
  if (since !== undefined && from === undefined) {
    throw new KugetsuError(`not a time: ${JSON.stringify(since)}`, {
      hint: 'Give it like this: --since 10m, 2h, 3d, 14:30, 2026-05-01 or "2026-05-01 14:30".',
      code: 'usage',
    })
  }
  const choice = { since: from, last, grep }
  const print = (text: string, wanted: typeof choice) => {
    const plain = plainText(text)
    const isWhole = Object.values(wanted).every((each) => each === undefined)
    // A pipe without such a flag gets all of it, as it stands on file.
    if (isWhole && json === true) return text
    if (isWhole && !context.io.terminal) return plain
    const parts = chosen(partsOf(plain), wanted)
    if (wanted.last === true) return parts.map(saidIn).join('')
    return parts.map((part) => (context.io.terminal ? forPerson(part, context.io.columns) : part.text)).join('')
  }
  return {
    choice,
    first: (text) => {
      const all = print(text, choice)
      if (lines === undefined) return all
      return context.io.terminal ? lastLinesSaid(all, lines) : lastLines(all, lines)
    },
    more: (text) => print(text, { since: undefined, last: undefined, grep }),
  }
}

async function followIt(
  context: Context,
  { json }: TranscriptOptions,
  log: Transcript,
  { about, show }: { about: object; show: Shown },
): Promise<void> {
  const waits = await queuedWords(context, log)
  if (waits !== undefined) context.io.err(`${log.label} is ${waits}; its transcript follows\n`)
  let isFirst = true
  await follow(context, log, (text) => {
    const part = isFirst ? show.first(text) : show.more(text)
    isFirst = false
    context.io.out(json === true ? `${JSON.stringify({ ...about, text: part })}\n` : part)
  })
}

async function noTranscript(context: Context, log: Transcript): Promise<KugetsuError> {
  const waits = await queuedWords(context, log)
  if (waits !== undefined) {
    return new KugetsuError(`${log.label} is ${waits}: it has no transcript yet`, {
      hint: `To follow it from its beginning: kugetsu logs -f ${log.label}`,
      code: 'no_transcript',
    })
  }
  return new KugetsuError(`there is no transcript of ${log.label}`, {
    hint: `It starts with the next message to the agent: kugetsu logs -f ${log.label}`,
    code: 'no_transcript',
  })
}

/** `queued, 2 ahead` for an issue that waits for a slot. */
async function queuedWords(context: Context, { issueRef }: Transcript): Promise<string | undefined> {
  const issue = issueRef === null ? undefined : await readIssue(context, issueRef)
  return issue?.status === 'queued' ? statusWords(issue) : undefined
}
