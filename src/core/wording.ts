/** Times, numbers and lists in sentences. Pure. */

/** How long something has been going on: `for 4 min`. */
export function lasting(from: string | null | undefined, now: Date): string {
  const span = spanOf(from, now)
  return span === undefined ? 'since an unknown time' : `for ${span}`
}

/** How long ago something was: `4 min ago`. */
export function ago(at: string | null | undefined, now: Date): string {
  const span = spanOf(at, now)
  return span === undefined ? 'at an unknown time' : `${span} ago`
}

/** A time as a person reads it, where they are: `2026-11-20 12:00:00`. */
export function clock(at: string): string {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return at
  const two = (number: number) => String(number).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** `once`, `twice`, `3 times`. */
export function times(number: number): string {
  return number === 1 ? 'once' : number === 2 ? 'twice' : `${number} times`
}

/** `1 task`, `3 tasks`. */
export function counted(number: number, thing: string, things = `${thing}s`): string {
  return `${number} ${number === 1 ? thing : things}`
}

/** In whole units, of the largest unit that fits at least twice. */
function spanOf(at: string | null | undefined, now: Date): string | undefined {
  const milliseconds = at ? now.getTime() - Date.parse(at) : Number.NaN
  if (Number.isNaN(milliseconds)) return undefined
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  const units = [
    [86_400, 'days'],
    [3_600, 'h'],
    [60, 'min'],
  ] as const
  const [size, unit] = units.find(([length]) => seconds >= 2 * length) ?? [1, 's']
  return `${Math.floor(seconds / size)} ${unit}`
}

/** The first five, escaped for one line, and how many more there are. */
export function sample(texts: readonly string[], count = texts.length): string {
  const shown = texts.slice(0, 5).map((text) => JSON.stringify(text).slice(1, -1))
  return shown.join(', ') + (count > shown.length ? ` and ${count - shown.length} more` : '')
}
