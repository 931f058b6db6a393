/** `kugetsu supervise`, the daemon in the background, without the command line: what is not loaded takes no memory. */
import { runSupervise } from './cli/commands/supervise.ts'
import { renderError } from './cli/render-error.ts'
import { exitCodes } from './core/errors.ts'
import { createContext, createInterruption } from './process.ts'

/** Runs until nothing is left to do, or until it is told to end, and sets the exit code. */
export async function main(): Promise<void> {
  const interruption = createInterruption()
  const context = createContext(interruption, true)
  try {
    await runSupervise(context, { foreground: false })
    if (interruption.happened()) process.exitCode ??= exitCodes.interrupted
  } catch (error) {
    process.exitCode = renderError(context, error, { json: false, debug: false })
  }
  process.exit()
}
