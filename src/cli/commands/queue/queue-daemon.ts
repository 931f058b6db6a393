import { KugetsuError } from '../../../core/errors.ts'
import { plainText } from '../../../core/plain-text.ts'
import { daemonStatus, startDispatching, stopDispatching, isDispatchingWanted } from '../../../daemon/control.ts'
import { readLog } from '../../../platform/files.ts'
import { requireBase } from '../../../sessions/file/store.ts'
import type { Context } from '../../terminal/context.ts'
import { followLines } from '../../terminal/follow-lines.ts'
import { age, printJson } from '../../terminal/output.ts'

interface Options {
  json?: boolean
}

export async function runDaemonStart(context: Context, options: Options): Promise<void> {
  requireBase(context)
  context.settings() // an error in the settings is shown here, not in a log
  const before = await daemonStatus(context)
  const daemon = await startDispatching(context)
  if (options.json === true) return printJson(context, await report(context))
  const word = before?.dispatching === true ? 'The queue daemon runs already' : 'The queue daemon runs'
  context.io.out(`${word} (pid ${daemon.pid})\n`)
}

export async function runDaemonStop(context: Context, options: Options): Promise<void> {
  const stopped = await stopDispatching(context)
  if (options.json === true) return printJson(context, await report(context))
  context.io.out(
    stopped === undefined
      ? 'The queue daemon was not running\n'
      : `The queue daemon (pid ${stopped.pid}) has stopped; running agents continue\n`,
  )
}

export async function runDaemonRestart(context: Context, options: Options): Promise<void> {
  await stopDispatching(context)
  await runDaemonStart(context, options)
}

/** The exit code says whether tasks are taken from the queue: 0, else 1. */
export async function runDaemonStatus(context: Context, options: Options): Promise<void> {
  const status = await report(context)
  if (!status.dispatching) context.setExitCode(1)
  if (options.json === true) return printJson(context, status)
  const { queue } = status
  context.io.out(
    status.dispatching
      ? `running (pid ${status.pid}, since ${age(status.since, context.now())}${status.foreground ? ', in the foreground' : ''})\n`
      : status.running
        ? `not dispatching (a daemon, pid ${status.pid}, only follows running agents)\n`
        : `not running${isDispatchingWanted(context) ? ': it was started and has died' : ''}\n`,
  )
  context.io.out(
    `queue   ${queue.pending} pending, ${queue.notified} at work, ${queue.completed} completed, ${queue.error} with an error\n`,
  )
  if (!status.dispatching) context.io.err('Start it with: kugetsu queue-daemon start\n')
}

export async function runDaemonLogs(
  context: Context,
  options: Options & { n?: string | undefined; follow?: boolean },
): Promise<void> {
  const count = options.n === undefined ? 50 : Number(options.n)
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new KugetsuError(`not a number of lines: ${options.n}`, {
      hint: 'kugetsu queue-daemon logs 100',
      code: 'usage',
    })
  }
  const file = context.paths.daemonLog
  if (options.follow === true) {
    const print = (line: string) => (options.json === true ? JSON.stringify({ line }) : plainText(line))
    return followLines(file, { last: count, signal: context.signal }, (lines) =>
      context.io.out(lines.map((line) => `${print(line)}\n`).join('')),
    )
  }
  const lines = (readLog(file) ?? '').split('\n').slice(0, -1).slice(-count)
  if (options.json === true) return printJson(context, lines)
  context.io.out(lines.map((line) => `${plainText(line)}\n`).join(''))
}

async function report(context: Context) {
  const daemon = await daemonStatus(context)
  return {
    running: daemon !== undefined,
    pid: daemon?.pid ?? null,
    dispatching: daemon?.dispatching === true,
    foreground: daemon?.foreground === true,
    since: daemon?.since ?? null,
    queue: await context.queue().counts(),
  }
}
