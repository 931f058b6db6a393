import type { Context } from '../../src/cli/terminal/context.ts'
import { createServiceHome } from './service-home.ts'

export interface FakeContext extends Context {
  /** What was written so far. */
  out: () => string
  err: () => string
  cleanup: () => void
}

/** The streams of a command in a pipe, with what it prints added to `written`. */
export function collectingIo(written: { out: string; err: string }): Context['io'] {
  return {
    out: (text) => void (written.out += text),
    err: (text) => void (written.err += text),
    terminal: false,
    interactive: false,
    columns: 80,
    rows: 24,
    colour: false,
    log: (text) => void (written.out += text),
    readInput: async () => Buffer.alloc(0),
    isExact: () => true,
    ask: async () => '',
  }
}

/** A context for the parts of the command line that only print. Call its cleanup() when the test is done. */
export function createFakeContext(io: Partial<Context['io']> = {}): FakeContext {
  const home = createServiceHome()
  const written = { out: '', err: '' }
  return {
    ...home,
    cwd: home.userHome,
    setExitCode: () => {},
    onUnhandled: () => {},
    io: { ...collectingIo(written), ...io },
    out: () => written.out,
    err: () => written.err,
  }
}
