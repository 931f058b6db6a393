/** How the PM agent's shell commands reach kugetsu. Also part of the plugin inside opencode: plain JavaScript only. */

/** The command of kugetsu that runs them (src/agents/pm-shell/run.ts). */
export const pmShellCommand = 'pm-shell'

/** The command that bash gets instead of `command`, which becomes one word in single quotes. */
export function pmShellCall(command: string): string {
  return `kugetsu ${pmShellCommand} '${command.replaceAll("'", `'\\''`)}'`
}
