/**
 * Writes what agents do into logs/dev-<session>.log, each part once, also across daemons: beside the log lies a list
 * of the parts in it and of its length after each, so that what a killed daemon had half written is written again.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { readText } from '../platform/files.ts'

export interface Transcript {
  has: (partId: string) => boolean
  /** Appends a block under the id of what it tells; nothing happens when that was told already. */
  append: (partId: string, text: string) => void
}

/** Opens the transcript of a session; `header` begins a new one. */
export function openTranscript(home: Home, sessionId: string, header: () => string): Transcript {
  const file = home.paths.transcript(sessionId)
  const list = path.join(path.dirname(file), `.${path.basename(file, '.log')}.written`)
  const lines = (readText(list) ?? '').split('\n').slice(0, -1)
  const written = new Set(lines.map((line) => line.split(' ')[0] ?? ''))
  const length = Number(lines.at(-1)?.split(' ')[1] ?? 0)
  if ((fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0) > length) fs.truncateSync(file, length)

  function append(partId: string, text: string): void {
    if (written.has(partId)) return
    fs.appendFileSync(file, text, { mode: 0o600 })
    fs.appendFileSync(list, `${partId} ${fs.statSync(file).size}\n`, { mode: 0o600 })
    written.add(partId)
  }
  append('header', header())
  return { has: (partId) => written.has(partId), append }
}
