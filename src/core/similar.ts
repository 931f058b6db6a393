/** The name that a misspelled word probably means; undefined when no name is close. */
export function similarTo(word: string, names: readonly string[]): string | undefined {
  return within(Math.min(3, word.length / 3), word, names)
}

/** The nearest name, if at most so many characters have to be added, removed or changed. */
export function within(most: number, word: string, names: readonly string[]): string | undefined {
  const near = names.map((name) => ({ name, away: distance(word, name) })).toSorted((a, b) => a.away - b.away)[0]
  return near !== undefined && near.away <= most ? near.name : undefined
}

/** How many characters to add, remove or change to turn the one word into the other (Levenshtein). */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let i = 1; i <= one.length; i++) {
    const above = row
    row = [i]
    for (let j = 1; j <= other.length; j++) {
      const changed = one[i - 1] === other[j - 1] ? 0 : 1
      row.push(Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + changed))
    }
  }
  return row[other.length] ?? 0
}
