/**
 * Writes what agents do into their logs, each part once, also across daemons: beside the log lies a list
 * of the parts in it and of its length after each, so that what a killed daemon had half written is written again.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { renderHeader } from '../../opencode/transcript/transcript.ts'
import { appendText, isNoText, readText, setAside } from '../../platform/files.ts'
import type { Run, SessionRecord } from '../../sessions/file/session-file.ts'

export interface Transcript {
  has: (partId: string) => boolean
  /** Appends a block under the id of what it tells; nothing happens when that was told already. */
  append: (partId: string, text: string) => void
}

/** Opens a transcript; `header` begins a new one. */
export function openTranscript(file: string, header: () => string): Transcript {
  const list = path.join(path.dirname(file), `.${path.basename(file, '.log')}.written`)
  const lines = linesOf(list) ?? []
  const written = new Set(lines.map((line) => line.split(' ')[0] ?? ''))
  const length = Number(lines.at(-1)?.split(' ')[1] ?? 0)
  const stat = fs.lstatSync(file, { throwIfNoEntry: false })
  // A list that is gone or spoiled says nothing of what is in the log: that is kept, and written anew.
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

/** That of a run: one for each agent's session; the PM agent's goes on for ever, so there it is one for each message. */
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

/** The whole lines of the list, undefined when it makes no sense; it is set aside then. */
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
  if (whole !== text) fs.truncateSync(list, Buffer.byteLength(whole)) // else the next note would go on in this one
  return lines
}

/** What a link points to is not ours to shorten. */
function isLink(file: string): boolean {
  return fs.lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true
}
