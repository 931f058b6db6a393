/**
 * Writes what agents do into their logs, each part once, also across daemons: beside the log lies a list
 * of the parts in it and of its length after each, so that what a killed daemon had half written is written again.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { readText } from '../platform/files.ts'

export interface Transcript {
  has: (partId: string) => boolean
  /** Appends a block under the id of what it tells; nothing happens when that was told already. */
  append: (partId: string, text: string) => void
}

/** Opens a transcript; `header` begins a new one. */
export function openTranscript(file: string, header: () => string): Transcript {
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
