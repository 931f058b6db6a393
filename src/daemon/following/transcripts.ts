/**
 * Writes what agents do into their logs, each part once, also across daemons. A list beside the log names the parts in it
 * and the log's length after each, so that a part that a killed daemon had half written is written again.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { renderHeader } from './render.ts'
import { appendText, isNoText, readText, setAside } from '../../platform/files.ts'
import type { Run, SessionRecord } from '../../sessions/file/session-file.ts'

export interface Transcript {
  has: (partId: string) => boolean
  /** Appends the text of a part; does nothing when that part is written already. */
  append: (partId: string, text: string) => void
}

/** Opens a transcript; `header` begins a new one. */
export function openTranscript(file: string, header: () => string): Transcript {
  const list = path.join(path.dirname(file), `.${path.basename(file, '.log')}.written`)
  const lines = linesOf(list) ?? []
  const written = new Set(lines.map((line) => line.split(' ')[0] ?? ''))
  const length = Number(lines.at(-1)?.split(' ')[1] ?? 0)
  const stat = fs.lstatSync(file, { throwIfNoEntry: false })
  // Without a usable list it is unknown what is in the log: the log is set aside, and written again from the start.
  if (stat !== undefined && (!stat.isFile() || (length === 0 && stat.size > 0))) setAside(file, new Date())
  else if ((stat?.size ?? 0) > length) fs.truncateSync(file, length)

  function append(partId: string, text: string): void {
    if (written.has(partId)) return
    appendText(file, text)
    appendText(list, `${partId} ${fs.statSync(file).size}\n`)
    written.add(partId)
  }
  append('header', header())
  return { has: (partId) => written.has(partId), append }
}

/** The transcript of a run: one for each session; one for each message to the PM agent, because its session never ends. */
export function transcriptOf(home: Home, record: SessionRecord, run: Run): Transcript {
  const id = record.opencode_session_id ?? ''
  const isDelegation = record.type === 'pm_agent' && run.queue_item !== undefined
  const file = isDelegation ? home.paths.delegation(run.queue_item ?? '') : home.paths.transcript(id)
  return openTranscript(file, () => headerOf(record, id, home.now()))
}

function headerOf(record: SessionRecord, id: string, at: Date): string {
  return renderHeader({
    issueRef: record.issue_ref ?? (record.type === 'pm_agent' ? 'the PM agent' : id),
    sessionId: id,
    worktree: record.worktree_path ?? '',
    branch: record.branch_name ?? '',
    at,
  })
}

/** The whole lines of the list. When the list makes no sense, sets it aside and returns undefined. */
function linesOf(list: string): string[] | undefined {
  try {
    const lines = isLink(list) ? undefined : wholeLines(list)
    if (lines !== undefined) return lines
  } catch (error) {
    if (!isNoText(error)) throw error
  }
  setAside(list, new Date())
  return undefined
}

function wholeLines(list: string): string[] | undefined {
  const text = readText(list) ?? ''
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  const lines = whole.split('\n').slice(0, -1)
  const lengths = lines.map((line) => Number(/^\S+ (\d{1,15})$/.exec(line)?.[1]))
  if (!lengths.every((length, at) => length >= (lengths[at - 1] ?? 0))) return undefined
  if (whole !== text) fs.truncateSync(list, Buffer.byteLength(whole)) // else the next note would continue the cut line
  return lines
}

/** Whether the file is a link: the file it points to is not ours to shorten. */
function isLink(file: string): boolean {
  return fs.lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true
}
