/** A transcript (daemon/following/render.ts) read back into its parts, and laid out for a person. Pure. */
import { isWider, widthOf } from '../../../core/columns.ts'
import { wrap } from '../../terminal/wrap.ts'

/** A part of a transcript: the words or the step of one time, or the head of a run. */
export interface Part {
  /** When, in ISO 8601; null where the transcript does not tell. */
  at: string | null
  /** `head`, `task` and `message` (of a person), `agent` (it speaks), `end` of a run, `step`: anything else. */
  kind: 'head' | 'task' | 'message' | 'agent' | 'end' | 'step'
  /** Its lines as they stand there, each ending in a newline. */
  text: string
}

const begins = /^(\d\d):(\d\d):(\d\d) (?:\[[^\]]*\] )?(.)? ?(\S*)/
const started = /^ {2}started {3}(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)$/
const rule = /^─{20,}$/
const kinds: Record<string, Part['kind']> = { '●': 'agent', '■': 'end' }
/** As agents/dev-agent.ts writes it; imported, it would be a file more to load. A test holds the two together. */
const delegated = "===== The delegator's message ====="

/**
 * The parts of a transcript, in order; together their texts are the transcript. A transcript has times of day: the
 * first one is on the day of its head, and a time earlier than the previous one is on the next day.
 */
export function partsOf(transcript: string): Part[] {
  const parts: Part[] = []
  let day: Date | undefined
  let last = -1
  let isInHead = false
  for (const line of transcript.split(/(?<=\n)/)) {
    const bare = line.trimEnd()
    if (rule.test(bare)) {
      if (!isInHead) parts.push({ at: null, kind: 'head', text: '' })
      isInHead = !isInHead
      append(parts, line)
      continue
    }
    const head = isInHead ? started.exec(bare) : null
    if (head !== null) {
      const [year = 0, month = 1, date = 1] = head.slice(1).map(Number)
      day = new Date(year, month - 1, date)
      last = -1
    }
    const time = isInHead ? null : begins.exec(line)
    if (time === null) {
      append(parts, line)
      continue
    }
    const [hours = 0, minutes = 0, seconds = 0] = time.slice(1, 4).map(Number)
    const second = hours * 3_600 + minutes * 60 + seconds
    if (day !== undefined && second < last) day = new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1)
    last = second
    const at = day && new Date(day.getFullYear(), day.getMonth(), day.getDate(), hours, minutes, seconds)
    const kind = time[4] === '▶' ? (time[5] === 'task' ? 'task' : 'message') : (kinds[time[4] ?? ''] ?? 'step')
    parts.push({ at: at?.toISOString() ?? null, kind, text: line })
  }
  return parts
}

function append(parts: Part[], line: string): void {
  const part = parts.at(-1)
  if (part === undefined) parts.push({ at: null, kind: 'step', text: line })
  else part.text += line
}

export interface Choice {
  /** Only parts from this time on. */
  since?: Date | undefined
  /** Only the last words of the agent. */
  last?: boolean | undefined
  /** Only parts with this text; capital letters count only if it has any. */
  grep?: string | undefined
}

/** The parts that fit the choice. A part without a time has that of the next part with one. */
export function chosen(parts: readonly Part[], { since, last, grep }: Choice): Part[] {
  let found = [...parts]
  if (since !== undefined) {
    const first = found.findIndex(({ at }) => at !== null && Date.parse(at) >= since.getTime())
    found = first === -1 ? [] : found.slice(first)
  }
  if (last === true) found = found.filter(({ kind }) => kind === 'agent').slice(-1)
  if (grep !== undefined) {
    const folds = grep === grep.toLowerCase()
    found = found.filter(({ text }) => (folds ? text.toLowerCase() : text).includes(grep))
  }
  return found
}

/** The words of an agent, without their time and indentation. */
export function saidIn({ text }: Part): string {
  const [, ...lines] = text.trimEnd().split('\n')
  return lines.map((line) => `${line.replace(/^ {2}/, '')}\n`).join('')
}

/** The last `count` lines of a text. */
export function lastLines(text: string, count: number): string {
  return text
    .split(/(?<=\n)/)
    .slice(-count)
    .join('')
}

/** The last `count` lines of a text, without counting the empty ones that end it. */
export function lastLinesSaid(text: string, count: number): string {
  const said = text.replace(/\n+$/, '\n')
  return lastLines(said, count) + text.slice(said.length)
}

/** A part as a person reads it on a terminal of `columns`: their own words, lines broken at words. */
export function forPerson(part: Part, columns: number): string {
  return withoutInstructions(part)
    .split('\n')
    .map((line) => wrapped(line, columns))
    .join('\n')
}

/** The first task of an agent with the instructions that every agent gets folded to one line. */
function withoutInstructions({ kind, text }: Part): string {
  if (kind !== 'task') return text
  const at = text.indexOf(delegated)
  const [head = '', ...body] = text.split('\n')
  if (at !== -1) return `${head}\n  (standing instructions)\n${text.slice(at + delegated.length).replace(/^\n/, '')}`
  // A long message is cut in the middle, and the mark may be in the missing part then.
  const cut = body.findIndex((line) => /^ {2}… \d+ lines left out …$/.test(line))
  const isStanding = body.slice(0, 12).some((line) => line.includes('How to work ('))
  if (!isStanding) return text
  const words = cut === -1 ? [] : body.slice(cut)
  return `${[head, '  (standing instructions)', ...words].join('\n').trimEnd()}\n`
}

function wrapped(line: string, columns: number): string {
  if (!isWider(line, columns)) return line
  if (rule.test(line)) return line.slice(0, columns)
  const [indent = ''] = /^(?:\d\d:\d\d:\d\d )?\s*(?:[-*+·●▶■!$│|] |\d{1,3}[.)] )?/u.exec(line) ?? []
  const hanging = ' '.repeat(widthOf(indent))
  const room = Math.max(8, columns - hanging.length)
  return indent + wrap(line.slice(indent.length), room, hanging)
}

/** The time that `10m`, `2h`, `3d`, `14:30`, `2026-05-01` or an ISO time means; undefined for anything else. */
export function timeOf(text: string, now: Date): Date | undefined {
  const [, amount, unit = ''] = /^(\d{1,6})(s|m|min|h|d)$/.exec(text) ?? []
  const lengths: Record<string, number> = { s: 1, m: 60, min: 60, h: 3_600, d: 86_400 }
  if (amount !== undefined) return new Date(now.getTime() - Number(amount) * (lengths[unit] ?? 0) * 1000)
  const [, hours, minutes, seconds = '0'] = /^(\d{1,2}):(\d\d)(?::(\d\d))?$/.exec(text) ?? []
  if (hours !== undefined && Number(hours) < 24 && Number(minutes) < 60) {
    const today = new Date(now)
    today.setHours(Number(hours), Number(minutes), Number(seconds), 0)
    return today > now ? new Date(today.getTime() - 86_400_000) : today
  }
  if (!/^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?$/.test(text)) return undefined
  // A date alone is the beginning of that day here, not in Greenwich.
  const date = new Date(text.length === 10 ? `${text}T00:00` : text.replace(' ', 'T'))
  return Number.isNaN(date.getTime()) ? undefined : date
}
