/**
 * The questions and answers on an issue, context/<session>.json. A new session is told them when opencode has lost the
 * one before. They never stop the work: a file that cannot be read or written causes only a warning. All writers hold
 * the lock of the session files, so that an answer is on file before its run is gone.
 */
import * as path from 'node:path'
import { maskerOf } from '../../agents/known-secrets.ts'
import type { Home } from '../../config/home.ts'
import { endOf, startOf } from '../../core/columns.ts'
import { messageOf } from '../../core/errors.ts'
import {
  aList,
  anInteger,
  anObject,
  aText,
  type Described,
  nullish,
  oneOf,
  optional,
  readFields,
  required,
  withDefault,
} from '../../core/fields.ts'
import { ensureDirectory, removeFile, writeJson } from '../../platform/files.ts'
import { readState } from '../../platform/state-file.ts'
import type { Run, SessionRecord, Ending } from '../file/session-file.ts'
import { asOnlyWriter } from '../file/store.ts'

/** Limits for one issue, because the prompt of a new session carries all of it. */
const most = { entries: 40, bytes: 48 * 1024, characters: 4_000, errorCharacters: 500 }
/** Characters kept of a longer text: the beginning says what it is about, the end says the result. */
const kept = { head: 2_800, tail: 1_150 }

const rememberedEntry = {
  at: required(aText),
  kind: required(oneOf('asked', 'answered')),
  /** Empty where nothing was said. */
  text: required(aText),
  /** The slot of the run that it belongs to. */
  run: optional(aText),
  /** How the run ended, of an answer: idle, stopped, error or timeout. */
  outcome: optional(aText),
  error: optional(aText),
}
export type RememberedEntry = Described<typeof rememberedEntry>

const rememberedFile = {
  issue_ref: nullish(aText),
  branch: nullish(aText),
  pr_url: nullish(aText),
  /** Oldest first: the first request, then the newest. */
  entries: withDefault(aList(anObject(rememberedEntry)), () => []),
  /** How many entries between the first and the newest were dropped. */
  left_out: withDefault(anInteger, () => 0),
}
export type Remembered = Described<typeof rememberedFile>

/**
 * What is remembered of an issue; undefined when there is nothing. A file with invalid content is set aside with a
 * warning. Throws KugetsuError when the file cannot be read.
 */
export function readRemembered(home: Home, name: string, issueRef: string): Remembered | undefined {
  const file = home.paths.remembered(name)
  const read = readState(file, (value) => readFields(rememberedFile, value), home.now())
  // The file may be of another issue: a name is free again once its issue is destroyed.
  if (read.kind === 'read') return (read.value.issue_ref ?? issueRef) === issueRef ? read.value : undefined
  if (read.kind === 'spoiled') {
    const where = read.aside === undefined ? 'and could not be moved' : `and was kept as ${path.basename(read.aside)}`
    home.warn(`${file} cannot be understood ${where}; what was asked and answered on ${issueRef} is not known any more`)
  }
  return undefined
}

/** The text for a new session on the issue; undefined with ENABLE_CONTEXT_DUMP off, or when it cannot be read. */
export function recall(home: Home, name: string, issueRef: string | null): Remembered | undefined {
  try {
    return home.settings(issueRef).contextDump ? readRemembered(home, name, issueRef ?? name) : undefined
  } catch (error) {
    home.warn(`what was asked and answered on ${issueRef ?? name} cannot be recalled: ${messageOf(error)}`)
    return undefined
  }
}

/**
 * Remembers the delegator's words of a run that has begun. `anew` drops all earlier entries.
 * The caller must hold the lock of the session files.
 */
export function rememberAsked(
  home: Home,
  name: string,
  asked: { record: SessionRecord; slot: string; text: string; anew?: boolean | undefined },
): void {
  const { record, slot, text, anew } = asked
  change(home, name, record, (before, mask) => {
    const entry: RememberedEntry = {
      at: home.now().toISOString(),
      kind: 'asked',
      text: shortened(mask(text)),
      run: slot,
    }
    if (anew === true) return { ...before, entries: [entry], left_out: 0 }
    // A short run can have ended before this is written.
    const answer = before.entries.findIndex(({ kind, run }) => kind === 'answered' && run === slot)
    return { ...before, entries: before.entries.toSpliced(answer === -1 ? before.entries.length : answer, 0, entry) }
  })
}

/** Remembers the words of a message that has joined a run. */
export async function rememberJoined(home: Home, name: string, record: SessionRecord, text: string): Promise<void> {
  const slot = record.run?.slot ?? ''
  await asOnlyWriter(home, () => rememberAsked(home, name, { record, slot, text })).catch((error: unknown) =>
    home.warn(notRemembered(record, name, error)),
  )
}

/** Remembers how a run ends and what the agent said last. The caller must hold the lock of the session files. */
export function rememberAnswered(home: Home, name: string, record: SessionRecord, run: Run, ending: Ending): void {
  if (ending.undelivered === true) return // the agent was not asked
  change(home, name, record, (before, mask) => {
    const error = ending.error === undefined ? undefined : startOf(mask(ending.error), most.errorCharacters)
    const entry: RememberedEntry = {
      at: home.now().toISOString(),
      kind: 'answered',
      text: shortened(mask(ending.answer ?? '')),
      run: run.slot,
      outcome: ending.stopped === true ? 'stopped' : ending.state,
      ...(error === undefined ? {} : { error }),
    }
    return { ...before, entries: [...before.entries, entry] }
  })
}

/** Removes what is remembered of an issue, even if unreadable; false when there was nothing. */
export function forgetRemembered(home: Home, name: string): Promise<boolean> {
  return asOnlyWriter(home, () => removeFile(home.paths.remembered(name)))
}

function change(
  home: Home,
  name: string,
  record: SessionRecord,
  edit: (before: Remembered, mask: (text: string) => string) => Remembered,
): void {
  try {
    if (!home.settings(record.issue_ref).contextDump) return
    const file = home.paths.remembered(name)
    const issueRef = record.issue_ref ?? name
    const before = readRemembered(home, name, issueRef) ?? { entries: [], left_out: 0 }
    const after = edit(before, maskerOf(home))
    ensureDirectory(path.dirname(file))
    const { entries, left_out, ...others } = bounded(after)
    const branch = record.branch_name ?? before.branch ?? null
    const pr_url = record.pr_url ?? before.pr_url ?? null
    writeJson(file, { ...others, issue_ref: issueRef, branch, pr_url, entries, left_out })
  } catch (error) {
    home.warn(notRemembered(record, name, error))
  }
}

function notRemembered(record: SessionRecord, name: string, error: unknown): string {
  return `what was asked and answered on ${record.issue_ref ?? name} is not remembered: ${messageOf(error)}`
}

/** The first request and as many of the newest entries as there is room for. */
function bounded(remembered: Remembered): Remembered {
  const [first, ...others] = remembered.entries
  if (first === undefined) return remembered
  let bytes = Buffer.byteLength(first.text)
  let from = others.length
  while (from > 0 && others.length - from < most.entries - 1) {
    bytes += Buffer.byteLength(others[from - 1]?.text ?? '')
    if (bytes > most.bytes) break
    from--
  }
  return { ...remembered, entries: [first, ...others.slice(from)], left_out: remembered.left_out + from }
}

/** Shortens a text to `most.characters`: a mark in the middle says how many characters are missing. */
function shortened(text: string): string {
  if (text.length <= most.characters) return text
  const head = startOf(text, kept.head)
  const tail = endOf(text, kept.tail)
  return `${head}\n[… ${text.length - head.length - tail.length} characters left out …]\n${tail}`
}
