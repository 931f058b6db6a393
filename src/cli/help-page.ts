/**
 * The page that `kugetsu --help` prints. All commands are made for it, and it is put into lines: some five milliseconds,
 * a quarter of what Node itself takes to start. So the build keeps it, as it was made then, at the widths that most see.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Command } from 'commander'
import { packedText } from '../platform/packed.ts'

/** Wider than this it does not get: what is read as text is not read across a whole screen. */
const widest = 100

/** Of what is no terminal, and of most terminals. */
export const keptWidths: readonly number[] = [80, widest]

/** How wide help may be where there are so many columns. */
export const helpWidth = (columns: number): number => Math.min(columns, widest)

/** The name of the file that has the page of a width, in dist/ and in the one executable file. */
export const helpFile = (width: number): string => `help-${width}.txt`

/** Whether that page is all that is asked for. */
export function asksForHelp(argv: readonly string[]): boolean {
  const [only = 'help', ...more] = argv
  return more.length === 0 && ['help', '--help', '-h'].includes(only)
}

/** The page as it was kept; undefined where none is, of this width or at all (`src/` runs without a build, as in tests). */
export function keptHelp(columns: number): string | undefined {
  const width = helpWidth(columns)
  if (!keptWidths.includes(width)) return undefined
  const name = helpFile(width)
  try {
    return packedText(name) ?? fs.readFileSync(path.join(import.meta.dirname, name), 'utf8')
  } catch {
    return undefined
  }
}

/** The page of a command as commander makes it. */
export function helpOf(command: Command): string {
  let help = ''
  command.configureOutput({ writeOut: (part) => (help += part) }).outputHelp()
  return help
}
