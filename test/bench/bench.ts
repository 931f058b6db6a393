/** What a row of the benchmark is made of. */
import { summary, type Summary } from './measure.ts'

export interface Row {
  name: string
  title: string
  /** Measured with opencode 1 and with opencode 2, each beside its own `opencode run`. */
  onBoth?: boolean
  run: (bench: Bench) => Promise<void>
}

export type Unit = 'ms' | 's' | 'MB' | 'ms/s' | '/s' | '%' | 'kB'

/** What one line of the table says. */
export interface Figure {
  what: string
  unit: Unit
  measured: Summary
  /** Without one the figure stands for itself. */
  baseline?: Summary
  /** What the baseline is. */
  against?: string
  /** Measured by baseline, round by round. */
  ratio?: Summary
  /** The bound on the ratio, or on the figure itself where there is no baseline; above it, with `atLeast` below it. */
  limit?: number
  atLeast?: boolean
  /** Whether the median is within the limit. */
  within?: boolean
}

export interface Taken {
  unit: Unit
  measured: readonly number[]
  /** Sample by sample beside the measured ones; a single one counts for all of them. */
  baseline?: readonly number[]
  against?: string
  limit?: number
  atLeast?: boolean
  /** The ratio is of speeds, not of times: baseline by measured. */
  bySpeed?: boolean
}

/** What a row gets to work with. */
export interface Bench {
  /** How many samples to take where `usual` is the default; fewer in quick mode. */
  rounds: (usual: number) => number
  quick: boolean
  /** Which opencode is measured. */
  opencode: 1 | 2
  figure: (what: string, taken: Taken) => void
  /** A line beneath the figures. */
  note: (text: string) => void
  /** What goes on now. */
  doing: (text: string) => void
  /** Called when the row is done, failed or interrupted; the last one given is called first. */
  afterwards: (cleanUp: () => unknown) => void
}

/** Puts a figure together. */
export function figureOf(what: string, taken: Taken): Figure {
  const { unit, measured, baseline, against, limit, atLeast = false, bySpeed = false } = taken
  const figure: Figure = { what, unit, measured: summary(measured) }
  if (baseline !== undefined) {
    figure.baseline = summary(baseline)
    const beside = (index: number) => baseline[baseline.length === 1 ? 0 : index] ?? Number.NaN
    figure.ratio = summary(measured.map((value, index) => (bySpeed ? beside(index) / value : value / beside(index))))
  }
  if (against !== undefined) figure.against = against
  if (limit !== undefined) {
    const counts = (figure.ratio ?? figure.measured).median
    figure.limit = limit
    figure.atLeast = atLeast
    figure.within = atLeast ? counts >= limit : counts <= limit
  }
  return figure
}
