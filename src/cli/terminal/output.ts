import { fit, widthOf } from '../../core/columns.ts'
import type { Context } from './context.ts'

export interface Fit {
  /** The width of the terminal. */
  columns: number
  /** Columns to cut before all others, by title, the least important first. */
  cutFirst?: string[]
  /** Columns to leave out when cutting those is not enough, by title, the least important first. */
  leaveOut?: string[]
  /** Columns that tell most at the end of a cell, by title: their cells are cut at the beginning. */
  keepEnd?: string[]
  /** How narrow a column may be before others are left out, by title; 8 for all others. */
  atLeast?: Record<string, number>
  /** Columns of numbers, by title: aligned at their end. */
  toTheRight?: string[]
  /** Styles a cell, by the title of its column and its row; the header is row -1. */
  paint?: (title: string, row: number, cell: string) => string
}

/**
 * Columns aligned by spaces, one line a row, the header first. With `room` cells are cut, marked by `…`, until the
 * lines fit the terminal: first the columns of `cutFirst`, then, without those of `leaveOut`, always the widest column.
 * Output to a pipe stays whole.
 */
export function table(header: string[], rows: string[][], room?: Fit): string {
  const lines = [header, ...rows]
  const widths = header.map((_, column) =>
    lines.reduce((widest, line) => Math.max(widest, widthOf(line[column] ?? '')), 0),
  )
  const out = room?.leaveOut?.map((title) => header.indexOf(title)).find((column) => column !== -1)
  if (room !== undefined && !shrink(widths, header, room) && out !== undefined) {
    const without = (line: string[]) => line.filter((_, column) => column !== out)
    return table(without(header), rows.map(without), room)
  }
  const has = (titles: string[] | undefined) => header.map((title) => titles?.includes(title) === true)
  const [keepEnd, toTheRight] = [has(room?.keepEnd), has(room?.toTheRight)]
  const cell = (text: string, column: number) => {
    const shown = fit(text, widths[column] ?? 0, keepEnd[column] ? 'end' : 'start')
    return toTheRight[column] ? shown.trimEnd().padStart(shown.length) : shown
  }
  const { paint } = room ?? {}
  const painted = (line: string[], index: number) =>
    line.map((text, column) => {
      const shown = cell(text, column)
      return paint === undefined ? shown : paint(header[column] ?? '', index - 1, shown)
    })
  return lines.map((line, index) => `${painted(line, index).join('  ').trimEnd()}\n`).join('')
}

/** Shrinks `widths` to fit. Returns whether cutting the columns of `cutFirst` was enough. */
function shrink(widths: number[], header: string[], fit: Fit): boolean {
  const least = header.map((title) => Math.max(title.length, fit.atLeast?.[title] ?? 8))
  const excess = () => widths.reduce((sum, width) => sum + width + 2, -2) - fit.columns
  const spare = (column: number) => Math.max(0, (widths[column] ?? 0) - (least[column] ?? 0))
  for (const title of fit.cutFirst ?? []) {
    const column = header.indexOf(title)
    widths[column] = (widths[column] ?? 0) - Math.min(spare(column), Math.max(0, excess()))
  }
  const isEnough = excess() <= 0
  while (excess() > 0) {
    const spares = widths.map((width, column) => (spare(column) > 0 ? width : 0))
    const widest = spares.indexOf(Math.max(...spares))
    if (spares[widest] === 0) break
    widths[widest] = (widths[widest] ?? 0) - 1
  }
  return isEnough
}

/** At most `most` lines of a text, at least two of a longer one: the last then says how many are missing. */
export function firstLines(text: string, most: number): string {
  const lines = text.trimEnd().split('\n')
  if (lines.length <= most) return text
  const kept = lines.slice(0, Math.max(1, most - 1))
  return `${kept.join('\n')}\n… and ${lines.length - kept.length} more\n`
}

/** One JSON document on standard output. Half a character is replaced, because strict readers refuse it. */
export function printJson(context: Context, value: unknown): void {
  const wellFormed = (_: string, each: unknown) => (typeof each === 'string' ? each.toWellFormed() : each)
  context.io.out(`${JSON.stringify(value, wellFormed, 2)}\n`)
}

/** How long ago, in the largest unit above zero: `3s`, `12m`, `5h`, `2d`. Empty without a time. */
export function age(since: string | null, now: Date): string {
  const seconds = since === null ? Number.NaN : Math.floor((now.getTime() - Date.parse(since)) / 1000)
  if (Number.isNaN(seconds)) return ''
  if (seconds >= 86_400) return `${Math.floor(seconds / 86_400)}d`
  if (seconds >= 3_600) return `${Math.floor(seconds / 3_600)}h`
  if (seconds >= 60) return `${Math.floor(seconds / 60)}m`
  return `${Math.max(0, seconds)}s`
}

/** A path as a person writes it. */
export function tilde(context: Context, path: string): string {
  return path.startsWith(`${context.userHome}/`) ? `~${path.slice(context.userHome.length)}` : path
}

const styles = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

/** Text in a style, if colours may be used. */
export function styled(context: Context, style: keyof typeof styles, text: string): string {
  return context.io.colour ? `\u001b[${styles[style]}m${text}\u001b[0m` : text
}
