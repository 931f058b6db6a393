import { runPmCommand } from '../../../agents/pm-shell/run.ts'
import type { Context } from '../../terminal/context.ts'
import { workingDirectory } from '../../working-directory.ts'

/** `pm-shell <command>`: what the PM agent's shell calls for each of its commands. The exit code is the last call's. */
export async function runPmShell(context: Context, options: { command: string }): Promise<void> {
  const tell = (text: string) => context.io.err(`${text}\n`)
  context.setExitCode(await runPmCommand(options.command, { home: context, cwd: workingDirectory(context), tell }))
}
