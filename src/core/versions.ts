/** Versions of programs, as `1.18.33`. Pure. */

/** Orders two versions by their numbers; what follows them (`-beta`) does not count. */
export function compare(one: string, other: string): number {
  const numbers = (version: string) => version.split(/[.\-+]/, 3).map((part) => Number.parseInt(part, 10) || 0)
  const [a, b] = [numbers(one), numbers(other)]
  for (const index of [0, 1, 2]) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0)
    if (difference !== 0) return Math.sign(difference)
  }
  return 0
}
