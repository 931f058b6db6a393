import { runPmCommand } from '../../../agents/pm-shell/run.ts'
import type { Context } from '../../terminal/context.ts'
import { workingDirectory } from '../../working-directory.ts'

/** `pm-shell <command>`: what the PM agent's shell calls with each command of its. The exit code is that of the last call. */
export async function runPmShell(context: Context, options: { command: string }): Promise<void> {
  const tell = (text: string) => context.io.err(`${text}\n`)
  context.setExitCode(await runPmCommand(options.command, { home: context, cwd: workingDirectory(context), tell }))
}
