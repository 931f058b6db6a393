/** Lays out text that a person reads: times, excerpts, broken lines. Pure. */
import { isWider, startOf } from './columns.ts'
import { plainText } from './plain-text.ts'

const width = 78
const longestLine = 500

/** Local time, HH:MM:SS. */
export function clock(at: Date): string {
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((value) => String(value).padStart(2, '0')).join(':')
}

/** `45 s`, `12 min 3 s`, `2 h 5 min`. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** Puts two spaces before each line with text. */
export function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}

/** A text made safe, with its first and last lines when it has many more, and with overlong lines cut. */
export function excerpt(text: string, keep: { head: number; tail: number }): string {
  const lines = plainText(text).replace(/\s+$/, '').split('\n')
  // Leaving out a handful of lines would only replace them by a line that says so.
  const left = lines.length - keep.head - keep.tail
  const shown =
    left < 5 ? lines : [...lines.slice(0, keep.head), `… ${left} lines left out …`, ...lines.slice(-keep.tail)]
  return shown.map(cutLine).join('\n')
}

/** Breaks prose at words; text laid out by its author (code blocks, tables, indented lines) stays as it is. */
export function wrap(text: string): string {
  let fenced = false
  const lines = text.split('\n').map((line) => {
    if (/^\s*(```|~~~)/.test(line)) fenced = !fenced
    return fenced || /^( {4}|\t|\s*[|`~])/.test(line) ? cutLine(line) : wrapLine(line)
  })
  return lines.join('\n')
}

function wrapLine(line: string): string {
  if (!isWider(line, width)) return line
  const hanging = ' '.repeat(/^\s*(?:[-*+] |\d{1,3}[.)] )?/.exec(line)?.[0].length ?? 0)
  const rows: string[] = []
  const [first = '', ...words] = line.split(' ')
  let row = first
  for (const word of words) {
    if (row.trim() !== '' && isWider(`${row} ${word}`, width)) {
      rows.push(row)
      row = hanging + word
    } else {
      row += ` ${word}`
    }
  }
  return [...rows, row].join('\n')
}

function cutLine(line: string): string {
  return line.length <= longestLine
    ? line
    : `${startOf(line, longestLine)}… (${line.length - longestLine} more characters)`
}
