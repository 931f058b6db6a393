import { maskerOf } from '../../../agents/known-secrets.ts'
import type { Home } from '../../../config/home.ts'
import { loadSettings, type Settings } from '../../../config/settings.ts'
import { exitCodes, messageOf } from '../../../core/errors.ts'
import { lazy } from '../../../core/lazy.ts'
import { onUnhandled } from '../../../daemon/last-resort.ts'
import { runDaemon } from '../../../daemon/daemon.ts'
import { preload } from '../../../driver/choose.ts'
import { openQueue } from '../../../queue/file-queue.ts'
import type { Context } from '../../terminal/context.ts'

/** How soon the same warning is written again, in milliseconds: a lasting problem shows at every look. */
const againMs = 3_600_000
const mostRemembered = 1_000

/**
 * The daemon. It lives long, so it reads the configuration again at each use, and keeps the last good one while the file is
 * broken. In the foreground it prints its log to standard output, and being told to stop is a success.
 */
export async function runSupervise(context: Context, options: { foreground: boolean }): Promise<void> {
  context.onUnhandled(onUnhandled(context))
  preload()
  let last: Settings = context.settings()
  const told = new Map<string, number>()
  const log = (text: string) =>
    (options.foreground ? context.io.log : context.io.err)(
      `${context.now().toISOString()} ${maskerOf(context)(text)}\n`,
    )
  const warn = (text: string) => {
    const before = told.get(text)
    if (before !== undefined && performance.now() - before < againMs) return
    if (told.size >= mostRemembered) told.clear()
    told.set(text, performance.now())
    log(text)
  }
  let misread = ''
  const home: Home = {
    ...context,
    queue: lazy(() => openQueue(home)), // warnings go to the log
    warn,
    progress: (text: string, kind?: 'passing') => kind === undefined && log(text),
    settings: () => {
      let text = ''
      try {
        last = loadSettings({ configFile: context.paths.config, env: context.env, userHome: context.userHome })
        text = last.warnings.join('; ')
      } catch (error) {
        text = `the configuration is invalid, so the last valid one stays: ${messageOf(error)}`
      }
      if (text !== misread) log(text === '' ? 'the configuration is valid again' : text)
      misread = text
      return last
    },
  }
  await runDaemon(home, options)
  if (options.foreground) {
    log('ended; running agents continue')
    context.setExitCode(exitCodes.done)
  }
}
