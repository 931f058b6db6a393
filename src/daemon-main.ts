/** The daemon, in the background or the foreground, without the command line: what is not loaded takes no memory. */
import { runSupervise } from './cli/commands/supervise.ts'
import { renderError } from './cli/render-error.ts'
import { exitCodes } from './core/errors.ts'
import { onUnhandled } from './daemon/last-resort.ts'
import { daemonCommand } from './daemon/names.ts'
import { createContext, createInterruption, requireHome } from './process.ts'

/** Runs until nothing is left to do, or until it is told to end, and sets the exit code. `argv` is that of a daemon. */
export async function main([command]: string[]): Promise<void> {
  const interruption = createInterruption()
  const foreground = command !== daemonCommand
  const context = createContext(interruption, !foreground)
  process.on('unhandledRejection', onUnhandled(context))
  try {
    requireHome(context.env)
    await runSupervise(context, { foreground })
    if (interruption.happened()) process.exitCode ??= exitCodes.interrupted
  } catch (error) {
    process.exitCode = renderError(context, error, { json: false, debug: false })
  }
  process.exit()
}
