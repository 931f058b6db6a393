/**
 * Makes text from others safe to print. Output of commands, issue texts and the words of a model may hold sequences that
 * move the cursor, set the title, or answer back into the terminal's input; here they lose that power.
 */

import { startOf } from './columns.ts'

// oxlint-disable-next-line no-control-regex -- control characters are the very thing looked for
const sequences = /\x1b\[[0-?]*[ -/]*[@-~]|\x9b[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][0-9A-Z]/g
// oxlint-disable-next-line no-control-regex
const controls = /([\x00-\x08\x0b-\x1f\x7f])\1*/g
/** C1 controls, and the marks that reorder or hide text (bidirectional overrides, zero width). */
const unseen = /[\u0080-\u009f\u200b\u200e\u200f\u202a-\u202e\u2028\u2029\u2060\u2066-\u2069\ufeff]/g

/** Text without any of the above, as most lines are. */
const ordinary = /^[ -~\n]*$/
/** A line that needs no change, as nearly all are. */
const plain = /^(?:[!-~]+(?: [!-~]+)*)?$/
/** White space other than a single space. */
const gaps = /\s{2,}|[^\S ]/g

/**
 * The text without escape sequences, its other control characters shown as pictures (␛), newlines and tabs kept.
 * A carriage return starts a line, so that nothing can be overwritten.
 */
export function plainText(text: string): string {
  if (text.length <= pieceLength) return plainPiece(text)
  let plain = ''
  for (let from = 0; from < text.length;) {
    let to = from + pieceLength
    if (/[\r\ud800-\udbff]/.test(text[to - 1] ?? '')) to++ // with a line feed, or other half of a pair, that may follow
    plain += plainPiece(text.slice(from, to))
    from = to
  }
  return plain
}

/** Replacing more than a hundred million characters at once ends Node. A log can have them. */
const pieceLength = 1_000_000

function plainPiece(text: string): string {
  return text
    .replace(sequences, '')
    .replace(/\r\n?/g, '\n')
    .replace(controls, (run, character: string) =>
      (character === '\x7f' ? '\u2421' : String.fromCharCode(0x2400 + character.charCodeAt(0))).repeat(run.length),
    )
    .replace(unseen, '\ufffd')
    .toWellFormed()
}

/** The same on one line of at most `length` characters, cut with an ellipsis. */
export function plainLine(text: string, length: number): string {
  if (text.length <= length && plain.test(text)) return text
  // Four times as much is enough to fill the line, and keeps the code from working on a megabyte for one line.
  const part = startOf(text, length * 4)
  const line = (ordinary.test(part) ? part : plainText(part)).replace(gaps, ' ').trim()
  return line.length > length || text.length > length * 4 ? `${startOf(line, length - 1).trimEnd()}…` : line
}
