// V8 keeps a text with one character beyond Latin 1 in twice the room, and reading it takes longer: what a short command
// loads is nearly all of it plain, so the few others are written as escapes.
import { readFileSync, writeFileSync } from 'node:fs'
import { decode, encode } from '@jridgewell/sourcemap-codec'

const others = /[^\0-\x7f]/g
/** Of `\u2026`, in the place of one. */
const more = 5

/**
 * Writes the characters of a built file that are not ASCII as escapes, which mean the same in strings, templates and
 * regular expressions, and moves the columns of its source map, `<file>.map`, along.
 */
export function escapeOthers(file) {
  const code = readFileSync(file, 'utf8')
  const lines = code.split('\n')
  const places = lines.map((line) => [...line.matchAll(others)].map(({ index }) => index))
  if (places.every((line) => line.length === 0)) return
  const escaped = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  writeFileSync(file, code.replace(others, escaped))
  const map = JSON.parse(readFileSync(`${file}.map`, 'utf8'))
  const mappings = decode(map.mappings).map((segments, line) =>
    segments.map(([column, ...origin]) => [
      column + more * places[line].filter((place) => place < column).length,
      ...origin,
    ]),
  )
  writeFileSync(`${file}.map`, JSON.stringify({ ...map, mappings: encode(mappings) }))
}
