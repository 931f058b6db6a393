import { maskerOf } from '../../agents/known-secrets.ts'
import { loadSettings, type Settings } from '../../config/settings.ts'
import { exitCodes, messageOf } from '../../core/errors.ts'
import { runDaemon } from '../../daemon/run.ts'
import type { Context } from '../context.ts'

/**
 * The daemon. It lives long, so it reads the configuration afresh and keeps the last good one while that is broken.
 * In the foreground its log is what it prints, and being told to stop is a good end.
 */
export async function runSupervise(context: Context, options: { foreground: boolean }): Promise<void> {
  let last: Settings = context.settings()
  const told = new Set<string>()
  let previous = ''
  const log = (text: string) => {
    // What cannot be done is tried again every second: once is enough to say so.
    const line = `${context.now().toISOString()} ${maskerOf(context)(text)}\n`
    if (text !== previous) (options.foreground ? context.io.out : context.io.err)(line)
    previous = text
  }
  const home = {
    ...context,
    warn: log,
    progress: (text: string, kind?: 'passing') => kind === undefined && log(text),
    settings: () => {
      try {
        last = loadSettings({ configFile: context.paths.config, env: context.env, userHome: context.userHome })
      } catch (error) {
        const text = `the configuration is not taken over: ${messageOf(error)}`
        if (!told.has(text)) log(text)
        told.add(text)
      }
      return last
    },
  }
  await runDaemon(home, options)
  if (options.foreground) {
    log('ended; agents at work go on')
    context.setExitCode(exitCodes.done)
  }
}
