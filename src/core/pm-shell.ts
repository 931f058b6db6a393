/** How the PM agent's shell commands reach kugetsu. Part of the plugin inside opencode as well: plain JavaScript only. */

/** What runs them, as a command of kugetsu (src/agents/pm-shell/run.ts). */
export const pmShellCommand = 'pm-shell'

/** The command that bash is given instead of `command`: to bash that is one word in single quotes. */
export function pmShellCall(command: string): string {
  return `kugetsu ${pmShellCommand} '${command.replaceAll("'", `'\\''`)}'`
}
