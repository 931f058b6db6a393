import * as fs from 'node:fs'
import type { Daemon, Home } from '../config/home.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { builtins } from '../core/builtins.ts'
import { KugetsuError, messageOf } from '../core/errors.ts'
import { withoutAgent } from '../core/within-agent.ts'
import { buildMark } from '../platform/build-mark.ts'
import { ensureDirectory, openToAppend, removeFile, rotate, writeAtomic } from '../platform/files.ts'
import { identify, isAlive } from '../platform/processes.ts'
import { daemonCommand } from './names.ts'
import { askDaemon, type Answer } from './socket.ts'

const startMs = 20_000
/** The daemon first undoes the starts that are going on. */
const stopMs = 60_000
const lookMs = 20

/** The daemon of this home, as the services use it. */
export function daemonOf(home: Home): Daemon {
  return {
    isRunning: async () => (await askDaemon(home, { do: 'status' })) !== undefined,
    wake: async () => {
      if ((await askDaemon(home, { do: 'wake' })) !== undefined) return true
      try {
        startDaemon(home)
        return true
      } catch (error) {
        home.warn(`no daemon follows the agents: ${messageOf(error)}`)
        return false
      }
    },
    takesTasks: async () => {
      const answer = await askDaemon(home, { do: 'wake' })
      if (answer !== undefined) return answer.dispatching === true
      if (!isDispatchingWanted(home)) return false
      startDaemon(home)
      return true
    },
    cancelStart: async (start) => (await askDaemon(home, { do: 'cancel', ...start }))?.cancelled === true,
  }
}

/** The daemon of this home, undefined when none answers. */
export function daemonStatus(home: Home): Promise<Answer | undefined> {
  return askDaemon(home, { do: 'status' })
}

/**
 * How to replace a running daemon after an upgrade of kugetsu: the daemon goes on with its old code. Undefined when the
 * daemon is of this build.
 */
export function replacementOf(daemon: Answer): string | undefined {
  const build = buildMark()
  if (build === undefined || daemon.build === build) return undefined
  if (daemon.foreground === true) return 'restart what runs "kugetsu queue-daemon run"'
  return daemon.dispatching === true ? 'kugetsu queue-daemon restart' : 'kugetsu queue-daemon stop'
}

/** Whether tasks are to be taken from the queue, whichever daemon runs. */
export function isDispatchingWanted(home: Pick<Home, 'paths'>): boolean {
  return fs.existsSync(home.paths.dispatching)
}

/**
 * From now on tasks are taken from the queue: by the running daemon, or by one that this starts. Returns that daemon's
 * answer. Throws KugetsuError `daemon_failed` when none comes up.
 */
export async function startDispatching(home: Home): Promise<Answer> {
  ensureDirectory(home.paths.queue)
  writeAtomic(home.paths.dispatching, `${home.now().toISOString()}\n`)
  const until = performance.now() + startMs
  let started = false
  while (performance.now() < until) {
    const answer = await askDaemon(home, { do: 'wake' })
    if (answer?.dispatching === true) return answer
    if (answer === undefined && !started) {
      startDaemon(home)
      started = true
    }
    await sleep(lookMs, undefined, { signal: home.signal })
  }
  throw new KugetsuError(`the daemon did not start within ${startMs / 1000} s`, {
    hint: `See "kugetsu queue-daemon logs".`,
    code: 'daemon_failed',
  })
}

/**
 * Ends the daemon; no more tasks are taken from the queue, and running agents go on. Returns the answer of the daemon that
 * was ended, undefined when none ran. Throws KugetsuError `daemon_failed` when it does not end.
 */
export async function stopDispatching(home: Home): Promise<Answer | undefined> {
  removeFile(home.paths.dispatching)
  const running = await askDaemon(home, { do: 'status' })
  const identity = running && identify(running.pid)
  if (running === undefined || identity === undefined) return undefined
  await askDaemon(home, { do: 'stop' })
  const until = performance.now() + stopMs
  while (isAlive(identity)) {
    if (performance.now() > until) {
      throw new KugetsuError(`the daemon (pid ${running.pid}) does not end`, {
        hint: `Killing it loses nothing: kill -9 ${running.pid}`,
        code: 'daemon_failed',
      })
    }
    await sleep(lookMs, undefined, { signal: home.signal })
  }
  return running
}

/** Starts a daemon in the background. Several at once do no harm: only one stays. */
function startDaemon(home: Home): void {
  ensureDirectory(home.paths.queue)
  rotate(home.paths.daemonLog)
  const log = openToAppend(home.paths.daemonLog)
  try {
    const [program, ...first] = home.self
    const child = builtins.childProcess.spawn(program, [...first, daemonCommand], {
      cwd: home.paths.home,
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...withoutAgent(home.env), KUGETSU_DIR: home.paths.home },
    })
    child.on('error', (error) => home.warn(`no daemon follows the agents: ${error.message}`))
    child.unref()
  } finally {
    fs.closeSync(log)
  }
}
