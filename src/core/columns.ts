/**
 * Cuts, measures and lays out text by what people see. Characters of several code points (an emoji with its skin tone, a
 * letter with its accents) are never cut inside. Those of East Asian scripts and emoji take two columns. Not by
 * string-width, which reads Unicode's emoji sequences when it is loaded: 55 ms, as much as all of `kugetsu list`.
 */
import { eastAsianWidth } from 'get-east-asian-width'
import { lazy } from './lazy.ts'

const segmenter = lazy(() => new Intl.Segmenter('en', { granularity: 'grapheme' }))

/** Text with one column for each code unit, as nearly all text is. Loading the segmenter takes 20 ms. */
const simple = /^[ -~À-ɏ…←]*$/
/** Made from texts: Node would make the sets of characters of a literal with every command. */
const unseen = lazy(() => new RegExp('^[\\p{Mark}\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]+$', 'u'))
/** Shown as a picture of two columns, though its width in Unicode's tables may be one. */
const picture = lazy(() => new RegExp('^(?:\\p{Emoji_Presentation}|\\p{Emoji}\ufe0f)', 'u'))
/** A longer character (a letter with hundreds of accents) is cut all the same, between its code points. */
const longestCharacter = 64

/** How many columns of a terminal a text takes, if it has no tabs, line ends and control characters. */
export function widthOf(text: string): number {
  if (simple.test(text)) return text.length
  let width = 0
  for (const { segment } of segmenter().segment(text)) width += columnsOf(segment)
  return width
}

/** Whether a text takes more than `columns`. Reads no more of it than that needs. */
export function isWider(text: string, columns: number): boolean {
  if (text.length <= columns / 2 || simple.test(text)) return text.length > columns
  let width = 0
  for (const { segment } of segmenter().segment(text)) {
    width += columnsOf(segment)
    if (width > columns) return true
  }
  return false
}

function columnsOf(character: string): number {
  if (unseen().test(character)) return 0
  return picture().test(character) ? 2 : eastAsianWidth(character.codePointAt(0) ?? 0)
}

/** The beginning of a text, of at most `length` UTF-16 code units, with whole characters. */
export function startOf(text: string, length: number): string {
  if (text.length <= length) return text
  return text.slice(0, boundaryBefore(text, length))
}

/** The end of a text, of at most `length` UTF-16 code units, with whole characters. */
export function endOf(text: string, length: number): string {
  const from = text.length - length
  if (from <= 0) return text
  const before = boundaryBefore(text, from)
  if (before === from) return text.slice(from)
  const part = text.slice(before, before + 2 * longestCharacter)
  const [first] = segmenter().segment(part)
  const next = before + (first?.segment.length ?? 0)
  return text.slice(next >= from ? next : from + (isLow(text, from) ? 1 : 0))
}

/** The last boundary between two characters at or before `at`. */
function boundaryBefore(text: string, at: number): number {
  if (simple.test(text.slice(at - 1, at + 1))) return at
  const from = Math.max(0, at - longestCharacter)
  const start = from + (isLow(text, from) ? 1 : 0)
  const found = segmenter()
    .segment(text.slice(start, at + longestCharacter))
    .containing(at - start)
  const boundary = start + (found?.index ?? 0)
  return boundary > start || from === 0 ? boundary : at - (isLow(text, at) ? 1 : 0)
}

/** The second half of a surrogate pair. */
function isLow(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code >= 0xdc00 && code <= 0xdfff
}

/** A text in exactly `columns`: filled with spaces, or cut with an ellipsis, at its end or at its beginning. */
export function fit(text: string, columns: number, keep: 'start' | 'end' = 'start'): string {
  const width = widthOf(text)
  if (width <= columns) return text + ' '.repeat(columns - width)
  let room = Math.max(0, columns - 1)
  if (simple.test(text)) return keep === 'end' ? `…${text.slice(text.length - room)}` : `${text.slice(0, room)}…`
  const characters = Array.from(segmenter().segment(text), ({ segment }) => segment)
  if (keep === 'end') characters.reverse()
  const kept: string[] = []
  for (const character of characters) {
    room -= columnsOf(character)
    if (room < 0) break
    kept.push(character)
  }
  const shown = keep === 'end' ? `…${kept.toReversed().join('')}` : `${kept.join('')}…`
  return shown + ' '.repeat(Math.max(0, columns - widthOf(shown)))
}
