/** The command line: runs the command that the arguments name, and sets the exit code. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { CommanderError } from 'commander'
import type { Context } from './cli/terminal/context.ts'
import { asksForAll, firstPage } from './cli/help.ts'
import { withoutAlias } from './cli/names.ts'
import { createProgram } from './cli/program.ts'
import { renderError } from './cli/terminal/render-error.ts'
import { usageError, withoutHelp } from './cli/usage.ts'
import { tellIfRemoved } from './cli/working-directory.ts'
import { exitCodes } from './core/errors.ts'
import { daemonCommand } from './daemon/names.ts'
import { packedText } from './platform/single-executable.ts'
import { createContext, createInterruption, requireHome } from './process.ts'

/** Runs the command that `argv` (without program and script) asks for and sets the exit code. */
export async function main(typed: string[]): Promise<void> {
  const argv = withoutAlias(typed)
  const interruption = createInterruption()
  const context = createContext(interruption, { inBackground: argv[0] === daemonCommand, exit: process.exit })
  const flags = { json: argv.includes('--json'), debug: argv.includes('--debug') }
  try {
    requireHome(context.env)
    context.onUnhandled(interruption.failed)
    // The first page says nothing of the commands' definitions, so none is made.
    const page = firstPage(argv)
    if (page === undefined) await call(context, argv)
    else context.io.out(page)
    const failure = interruption.failure()
    if (failure !== undefined) throw failure
    // Unless the command has set the exit code itself.
    if (interruption.happened()) process.exitCode ??= exitCodes.interrupted
  } catch (error) {
    const failure = interruption.failure() ?? error
    process.exitCode = wasHelp(failure) ? failure.exitCode : renderError(context, failure, flags)
  }
  // Idle connections to the opencode server would keep the process alive for seconds. Output is written synchronously.
  context.io.err('') // removes a line of progress
  tellIfRemoved(context)
  process.exit()
}

/** Runs the command that `argv` calls. Throws KugetsuError `usage` for a wrong line, and CommanderError after help. */
async function call(context: Context, argv: readonly string[]): Promise<void> {
  const program = createProgram(context, version(), argv)
  const asked = withoutHelp(program, argv)
  quietly(program, context)
  try {
    await program.parseAsync(asksForAll(argv) ? ['--help'] : asked, { from: 'user' })
  } catch (error) {
    throw error instanceof CommanderError && !wasHelp(error) ? usageError(error, program, asked) : error
  }
}

/** commander's own errors become ours: one line, a hint, no usage dump. */
function quietly(program: ReturnType<typeof createProgram>, context: Context): void {
  const all = [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]
  for (const command of all) {
    command.exitOverride()
    // Errors are rendered by us, so what commander writes to the error stream is help for a missing subcommand.
    command.configureOutput({ writeOut: context.io.out, writeErr: context.io.err, outputError: () => {} })
  }
}

/** Whether help or the version was printed: asked for (0), or in place of a missing subcommand (1). */
function wasHelp(error: unknown): error is CommanderError {
  return error instanceof CommanderError && (error.exitCode === 0 || error.code === 'commander.help')
}

function version(): string {
  const text =
    packedText('package.json') ?? fs.readFileSync(path.join(import.meta.dirname, '..', 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
