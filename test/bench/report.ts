/** The table that a person reads, 80 columns wide. */
import type { Figure, Unit } from './bench.ts'

const widths = { what: 31, value: 9, ratio: 6, spread: 13 }

/** The head of a row's lines. */
export function head(name: string, title: string): string {
  const columns = [
    ''.padEnd(widths.what),
    'kugetsu'.padStart(widths.value),
    'other'.padStart(widths.value),
    'ratio'.padStart(widths.ratio),
    'quartiles'.padStart(widths.spread),
    '  limit',
  ]
  return `\n${name}: ${title}\n${columns.join('')}\n`
}

/** One line, and what it was compared with where that has changed since the line before. */
export function line(figure: Figure, before: Figure | undefined): string {
  const { what, unit, measured, baseline, ratio, limit, atLeast, within } = figure
  const columns = [
    `  ${what}`.padEnd(widths.what),
    value(measured.median, unit).padStart(widths.value),
    (baseline === undefined ? '' : value(baseline.median, unit)).padStart(widths.value),
    (ratio === undefined ? '' : factor(ratio.median)).padStart(widths.ratio),
    spread(figure).padStart(widths.spread),
    limit === undefined ? '' : `  ${atLeast === true ? '≥' : '≤'} ${limit} ${within === true ? '✓' : '✗'}`,
  ]
  const against = figure.against === undefined || figure.against === before?.against ? '' : `  (${figure.against})\n`
  return `${against}${columns.join('').trimEnd()}\n`
}

function spread({ unit, measured, ratio }: Figure): string {
  if (ratio !== undefined) return ratio.samples.length === 1 ? '' : `${factor(ratio.low)}–${factor(ratio.high)}`
  if (measured.samples.length === 1) return ''
  return `${number(measured.low)}–${value(measured.high, unit)}`
}

function value(amount: number, unit: Unit): string {
  return `${number(amount)} ${unit}`
}

function number(amount: number): string {
  const size = Math.abs(amount)
  return amount.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
}

function factor(ratio: number): string {
  return ratio.toFixed(ratio < 0.1 ? 3 : 2)
}
