import { scripts } from '../../completion/scripts.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson } from '../../terminal/output.ts'

/** Prints the script of a shell; it contains no names of commands, so it never goes stale. */
export function runCompletion(context: Context, options: { shell: keyof typeof scripts; json?: boolean }): void {
  const script = scripts[options.shell]
  if (options.json === true) return printJson(context, { shell: options.shell, script })
  context.io.out(script)
}
