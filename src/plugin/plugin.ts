/**
 * The plugin that hands each agent its environment, limits the PM agent to what it may call and read, adds further models
 * that a directory needs, and keeps the server's clock from going back. It is bundled into one file and runs inside
 * opencode's own runtime, in the shared server: plain JavaScript and node modules only. Its settings come from the server's
 * environment (driver/environment.ts sets them). opencode calls it before every shell command of every session. For opencode 2
 * there is plugin-2.ts.
 */
import { attempt, environmentFor, type ShellCall } from './agent-environment.ts'
import { letThrough, refusalOf, type ToolCall } from './guard.ts'
import { addLeftOut, allModels } from './left-out-models.ts'
import { keepClockRising } from './rising-clock.ts'

interface ShellResult {
  env: Record<string, string>
}

/** The server's own: with these a command could drive every agent. Commands inherit the environment, so blank them. */
const hidden = { OPENCODE_SERVER_PASSWORD: '', OPENCODE_SERVER_USERNAME: '', OPENCODE_CONFIG_CONTENT: '' }

/**
 * opencode's entry point. The hook for variables never throws: a failure costs an agent its variables, not its command.
 * The hook before a tool throws the text that an agent reads when its call is refused.
 */
export const KugetsuEnvironment = async (instance: { directory?: string } = {}) => {
  keepClockRising()
  letThrough(instance.directory)
  return hooksFor(instance.directory)
}

/** The hooks of the instance for `directory`; undefined with older versions of opencode, which do not name it. */
const hooksFor = (directory: string | undefined) => ({
  config: async (configuration: Parameters<typeof addLeftOut>[0] & { snapshot?: boolean }): Promise<void> => {
    attempt(() => addLeftOut(configuration, process.env))
    // Snapshots are for /undo, which agents never use. They cost a `git add` of the whole worktree at each step.
    configuration.snapshot ??= false
  },
  'shell.env': async (input: ShellCall, output: ShellResult): Promise<void> => {
    try {
      Object.assign(output.env, environmentFor(input, output.env))
    } catch {
      // Whatever went wrong, the agent must not see the server's password.
    }
    Object.assign(output.env, hidden, allModels(process.env))
  },
  'tool.execute.before': async (input: ToolCall, output: { args: unknown }): Promise<void> => {
    const refusal = refusalOf(directory, input, (output.args ?? {}) as Record<string, unknown>)
    if (refusal !== undefined) throw new Error(refusal)
  },
  'tool.execute.after': async (): Promise<void> => letThrough(directory),
})
