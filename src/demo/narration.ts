/** The looks of the demo: numbered steps, a sentence or two each, commands and their real output. */
import { styleText } from 'node:util'

export interface Audience {
  out: (text: string) => void
  /** Width of the terminal. */
  columns: number
  colour: boolean
}

export interface Narrator {
  /** A heading without a number, and the text under it. */
  frame: (title: string, text: string) => void
  /** Begins the next step. */
  step: (title: string) => void
  /** Plain words, within a step. */
  say: (text: string) => void
  /** A command as a person would type it. */
  command: (words: readonly string[]) => void
  /** A line that a command printed. Empty ones at the end are left out. */
  line: (text: string) => void
  /** The width of what commands print, in columns. */
  columns: number
  /** The demo's own words amid the output of a command. */
  remark: (text: string) => void
  /** Things to type, each with what it does. */
  suggest: (rows: readonly (readonly [command: string, meaning: string])[]) => void
}

type Style = Parameters<typeof styleText>[0]

const widest = 100
const margin = '   '
const gutter = '│ '

export function createNarrator(audience: Audience): Narrator {
  const width = Math.max(40, Math.min(audience.columns, widest))
  const outputWidth = width - margin.length - gutter.length
  const styled = (style: Style, text: string) => (audience.colour ? styleText(style, text) : text)
  const print = (text: string) => audience.out(`${text}\n`)
  const output = (text: string) => print(`${margin}${styled('dim', gutter.trimEnd())} ${text}`.trimEnd())
  let steps = 0
  let emptyLines = 0
  let afterOutput = false

  const line = (text: string) => {
    afterOutput = true
    if (text.trim() === '') return void emptyLines++
    for (; emptyLines > 0; emptyLines--) output('')
    wrap(text, outputWidth, 2).forEach(output)
  }

  return {
    frame: (title, text) => {
      print(`\n${styled('bold', title)}`)
      if (text !== '') wrap(text, width).forEach(print)
    },
    step: (title) => {
      steps++
      afterOutput = false
      print(`\n${styled(['bold', 'cyan'], String(steps))}  ${styled('bold', title)}`)
    },
    say: (text) => {
      if (afterOutput) print('')
      afterOutput = false
      for (const row of wrap(text, width - margin.length)) print(`${margin}${row}`)
    },
    command: (words) => {
      emptyLines = 0
      const rows = breakCommand(words.map(quoted), width - margin.length - 2)
      const indent = `${margin}    `
      const typed = rows.map((row, index) => (index === 0 ? '' : indent) + styled('bold', row)).join(' \\\n')
      print(`\n${margin}${styled(['bold', 'green'], '$')} ${typed}`)
    },
    line,
    columns: outputWidth,
    remark: (text) => {
      afterOutput = true
      for (const row of wrap(text, outputWidth, 2)) output(styled('dim', row))
    },
    suggest: (rows) => {
      const longest = Math.max(...rows.map(([command]) => command.length))
      const fits = rows.every(([, meaning]) => margin.length + longest + 2 + meaning.length <= width)
      for (const [command, meaning] of rows) {
        if (fits) print(`${margin}${styled('bold', command.padEnd(longest))}  ${meaning}`)
        else print(`${margin}${meaning}:\n${margin}  ${styled('bold', command)}`)
      }
    },
  }
}

/** Breaks a text at spaces into rows of at most `width`, further ones indented by `hanging` more. Long words stay whole. */
export function wrap(text: string, width: number, hanging = 0): string[] {
  const own = /^ */.exec(text)?.[0].length ?? 0
  const rows: string[] = []
  let row = text
  for (let indent = own; row.length > width; indent = own + hanging) {
    const last = row.lastIndexOf(' ', width)
    const at = last > indent ? last : row.indexOf(' ', Math.max(width, indent))
    if (at === -1) break
    rows.push(row.slice(0, at).trimEnd())
    row = `${' '.repeat(own + hanging)}${row.slice(at).trimStart()}`
  }
  return [...rows, row]
}

/** The words of a command in rows, so that each but the last has room for ` \\` within `width`, if its words allow that. */
function breakCommand(words: readonly string[], width: number): string[] {
  if (words.join(' ').length <= width) return [words.join(' ')]
  const rows: string[] = []
  for (const word of words) {
    const last = rows.at(-1)
    if (last !== undefined && `${last} ${word}`.length + 4 <= width) rows[rows.length - 1] = `${last} ${word}`
    else rows.push(word)
  }
  return rows
}

function quoted(word: string): string {
  return /^[\w@%+=:,./#~-]+$/.test(word) ? word : `"${word}"`
}
