/** Runs a command in this process, as main.ts would: for tests that call hundreds of them. */
import type { Context } from '../../src/cli/terminal/context.ts'
import { createProgram } from '../../src/cli/program.ts'
import { renderError } from '../../src/cli/terminal/render-error.ts'
import { loadSettings, type Settings } from '../../src/config/settings.ts'
import { KugetsuError } from '../../src/core/errors.ts'
import { plainText } from '../../src/core/plain-text.ts'
import { bareHome } from './bare-home.ts'
import { collectingIo } from './fake-context.ts'

export interface Called {
  code: number
  out: string
  err: string
}

/** The context that commands get, for the home at `directory`; what they print is collected. */
export function commandContext(directory: string, env: NodeJS.ProcessEnv): Context & { called: () => Called } {
  const said: Called = { code: 0, out: '', err: '' }
  const warn = (text: string) => void (said.err += `Warning: ${plainText(text)}\n`)
  const home = bareHome(directory, warn)
  let settings: Settings | undefined
  const read = () => {
    settings = loadSettings({ configFile: home.paths.config, env, userHome: directory })
    settings.warnings.forEach(warn)
    return settings
  }
  return {
    ...home,
    env,
    cwd: directory,
    settings: () => settings ?? read(),
    setExitCode: (code) => void (said.code = code),
    onUnhandled: () => {},
    io: collectingIo(said),
    called: () => said,
  }
}

/** Runs one command in the home at `directory`; never rejects because of what it says or its exit code. */
export async function callKugetsu(directory: string, args: string[], env: NodeJS.ProcessEnv): Promise<Called> {
  const context = commandContext(directory, env)
  const program = createProgram(context, '0', args)
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
    command.exitOverride()
  }
  try {
    await program.parseAsync(args, { from: 'user' })
    return context.called()
  } catch (error) {
    const code = renderError(context, error, { json: args.includes('--json'), debug: !(error instanceof KugetsuError) })
    return { ...context.called(), code }
  }
}
