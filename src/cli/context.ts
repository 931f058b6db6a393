import type { Home } from '../config/home.ts'

/** What a command may touch of the world outside. Made once by process.ts, passed down, never imported. */
export interface Context extends Home {
  io: Io
  cwd: string
  /** For a command that has told all there is to tell and still has to say that it did not go well. */
  setExitCode: (code: number) => void
}

export interface Io {
  /** Writes to standard output, as given (no line end is added). */
  out: (text: string) => void
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
  readInput: () => Promise<string>
  /** Asks on standard error and returns the line answered. */
  ask: (question: string) => Promise<string>
}
