import type { Home } from '../../config/home.ts'

/** What a command may touch of the world outside. Made once by process.ts, passed down, never imported. */
export interface Context extends Home {
  io: Io
  /** The directory in which the command was called; undefined when it was deleted. */
  cwd: string | undefined
  /** For a command that has printed everything itself and must still end with another exit code. */
  setExitCode: (code: number) => void
  /** Replaces the handler for a rejected promise that no code awaits, which is a defect. */
  onUnhandled: (handler: (reason: unknown) => void) => void
}

export interface Io {
  /** Writes to standard output, as given (no line end is added). Ends the process when that cannot be written. */
  out: (text: string) => void
  /** The same for a program that goes on when its output cannot be read. */
  log: (text: string) => void
  /** Writes to standard error, as given. */
  err: (text: string) => void
  /** Standard output is a terminal. */
  terminal: boolean
  /** A person can be asked: standard input and error are terminals. */
  interactive: boolean
  /** Width of the terminal now, 80 when there is none or it does not say. */
  columns: number
  /** Height of the terminal now, 24 when there is none or it does not say. */
  rows: number
  /** Colours may be used: a terminal, and no NO_COLOR. */
  colour: boolean
  /** All of standard input. */
  readInput: () => Promise<Buffer>
  /** Whether an argument is what was typed: no byte was replaced for not being UTF-8. */
  isExact: (argument: string) => boolean
  /** Asks on standard error and returns the line answered; undefined when there is none (Ctrl-C, Ctrl-D). */
  ask: (question: string) => Promise<string | undefined>
}
