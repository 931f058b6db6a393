/** The quotes and backslashes of shell text. Also part of the plugin inside opencode: plain JavaScript only. */

/** The message is a clause for a person: what in the text is not understood. */
export class NotUnderstood extends Error {}

/**
 * One piece of a word that begins with a quote or a backslash: what it stands for, and where it ends; undefined at any other
 * character. `expand` returns what a `$` or a backquote within double quotes stands for, and where that ends. Throws
 * NotUnderstood.
 */
export function quotedPiece(
  text: string,
  at: number,
  expand: (at: number) => { value: string; end: number },
): { value: string; end: number } | undefined {
  const first = text[at]
  if (first === '\\') {
    const next = text[at + 1]
    if (next === undefined) throw new NotUnderstood('it ends in a backslash')
    return { value: next === '\n' ? '' : next, end: at + 2 }
  }
  if (first === "'") {
    const end = text.indexOf("'", at + 1)
    if (end === -1) throw new NotUnderstood("a quote (') is not closed")
    return { value: text.slice(at + 1, end), end: end + 1 }
  }
  if (first !== '"') return undefined
  let value = ''
  let position = at + 1
  for (;;) {
    const character = text[position]
    const next = text[position + 1]
    if (character === undefined) throw new NotUnderstood('a quote (") is not closed')
    if (character === '"') return { value, end: position + 1 }
    if (character === '$' || character === '`') {
      const expanded = expand(position)
      value += expanded.value
      position = expanded.end
    } else if (character === '\\' && next !== undefined) {
      // Within double quotes a backslash escapes only these characters; before a line end both are removed.
      if (next !== '\n') value += '"\\$`'.includes(next) ? next : `\\${next}`
      position += 2
    } else {
      value += character
      position += 1
    }
  }
}
