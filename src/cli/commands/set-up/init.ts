import * as fs from 'node:fs'
import * as path from 'node:path'
import { KugetsuError } from '../../../core/errors.ts'
import { initialise } from '../../../sessions/pm/initialise.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson, styled, tilde } from '../../terminal/output.ts'
import { openTui } from '../agents/attach.ts'

export interface InitOptions {
  force?: boolean
  tui?: boolean
  json?: boolean
}

export async function runInit(context: Context, options: InitOptions): Promise<void> {
  if (options.tui === true && !context.io.interactive) {
    throw new KugetsuError('--tui needs a terminal', {
      hint: 'Run "kugetsu init" without it: it asks nothing.',
      code: 'usage',
    })
  }
  const { cwd } = context
  if (cwd !== undefined && fs.existsSync(path.join(cwd, '.git'))) {
    context.warn(
      `this is a project (${tilde(context, cwd)}); the base session does not read it, because it has its own directory`,
    )
  }
  const made = await initialise(context, { force: options.force === true })
  if (options.json === true) printJson(context, { home: context.paths.home, base: made.base, pm_agent: made.pmAgent })
  else {
    context.io.out(
      `${styled(context, 'green', 'Initialised')} ${tilde(context, context.paths.home)}\n` +
        `  base session  ${made.base}\n` +
        `  PM agent      ${made.pmAgent}\n` +
        `\nNext: kugetsu start github.com/<owner>/<repo>#<issue> "what to do"\n` +
        `Other git servers: kugetsu server add <name> <url>. Settings: ${tilde(context, context.paths.config)}\n`,
    )
  }
  if (options.tui === true) await openTui(context, made.base, context.paths.base)
}
