import type { Home } from '../../config/home.ts'

/** What a command may touch of the world outside. Made once by process.ts, passed down, never imported. */
export interface Context extends Home {
  io: Io
  /** Where it was called; undefined when that directory was deleted. */
  cwd: string | undefined
  /** For a command that has told all there is to tell and still has to say that it did not go well. */
  setExitCode: (code: number) => void
  /** What is called from now on, in the place of what was, when a promise fails that nobody waits for: a defect. */
  onUnhandled: (handler: (reason: unknown) => void) => void
}

export interface Io {
  /** Writes to standard output, as given (no line end is added). Ends the process when that cannot be written. */
  out: (text: string) => void
  /** The same for a program that goes on when nobody can read what it does. */
  log: (text: string) => void
  /** Writes to standard error, as given. */
  err: (text: string) => void
  /** Standard output is a terminal. */
  terminal: boolean
  /** A person can be asked: standard input and error are terminals. */
  interactive: boolean
  /** Width of the terminal, 80 when there is none. */
  columns: number
  /** Colours may be used: a terminal, and no NO_COLOR. */
  colour: boolean
  /** All of standard input. */
  readInput: () => Promise<Buffer>
  /** Whether an argument is what was typed, and no byte of it was replaced because it is no UTF-8. */
  isExact: (argument: string) => boolean
  /** Asks on standard error and returns the line answered; undefined when there is none (Ctrl-C, Ctrl-D). */
  ask: (question: string) => Promise<string | undefined>
}
