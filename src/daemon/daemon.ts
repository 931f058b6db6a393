import * as fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Home } from '../config/home.ts'
import { KugetsuError, messageOf } from '../core/errors.ts'
import { somebodyIsAttached } from '../server/attached.ts'
import { findServer, stopServer } from '../server/server.ts'
import { readBooting, readServer } from '../server/server-file.ts'
import { buildMark } from '../platform/build-mark.ts'
import { removeFile, writeAtomic } from '../platform/files.ts'
import { tryExclusive, type Release } from '../platform/locks.ts'
import { currentProcess, isAlive } from '../platform/processes.ts'
import { takeOverOldQueue } from '../queue/old-queue.ts'
import { sessionsAtWork } from '../sessions/runs/at-work.ts'
import { slotHolders } from '../sessions/slots/slots.ts'
import { tellPmAgent } from '../sessions/pm/tell-pm-agent.ts'
import { discardPrepared, prepareStart, type Prepared } from '../sessions/starting/prepare-ahead.ts'
import { startAgent } from '../sessions/starting/start.ts'
import { readIndex } from '../sessions/file/store.ts'
import { createDispatcher, type Dispatcher, type Starts } from './dispatching/dispatch.ts'
import { isDispatchingWanted } from './control.ts'
import { createInstances } from './following/instances.ts'
import { askDaemon, listen } from './socket.ts'
import { createPullRequestFinder } from './following/pull-requests.ts'
import { createSupervisor } from './supervisor.ts'
import { createUpkeep } from './upkeep.ts'
import { createWakeUp } from './wake-up.ts'

/** How often the configuration file is checked for changes, in milliseconds. Every look reads the settings anew. */
const configLookMs = 2_000

/** How long, in milliseconds, a new daemon waits for the old one to end. */
const takeOverMs = 10_000
/** The same in the foreground: the old daemon has been told to stop, and first undoes the starts in progress. */
const foregroundTakeOverMs = 60_000

export interface DaemonOptions {
  /** `queue-daemon run`: takes tasks from the queue as long as it runs, and replaces any daemon in the background. */
  foreground: boolean
}

/**
 * The daemon: follows the runs until none is left and the opencode server has been idle long enough to be stopped. While
 * tasks are to be taken from the queue, it goes on until it is told to stop. Returns at once when this home has a daemon
 * already. In the foreground it throws KugetsuError `daemon_running` when that daemon is in the foreground too.
 */
export async function runDaemon(home: Home, options: DaemonOptions): Promise<void> {
  let told = false
  do {
    const release = options.foreground ? await replaceTheOne(home) : await becomeTheOne(home)
    if (release === undefined) return
    try {
      told = await supervise(home, options)
    } finally {
      release()
    }
    // A command may have been told that this daemon follows its run just as the daemon stopped.
  } while (!told && (hasWork(home) || isDispatchingWanted(home)))
}

/** Supervises until nothing is left to do (false) or until told to stop (true). Only for the holder of the lock. */
async function supervise(given: Home, { foreground }: DaemonOptions): Promise<boolean> {
  const wakeUp = createWakeUp()
  const home: Home = {
    ...given,
    daemon: {
      isRunning: async () => true,
      wake: async () => {
        wakeUp.now()
        return true
      },
      takesTasks: async () => isDispatching(),
      cancelStart: async () => false,
    },
  }
  const since = home.now().toISOString()
  const build = buildMark()
  const isDispatching = () => foreground || isDispatchingWanted(home)
  let told = home.signal.aborted
  home.signal.addEventListener('abort', () => {
    told = true
    wakeUp.now()
  })
  let cancel: Dispatcher['cancel'] = () => false
  const socket = await listen(home, (request) => {
    if (request.do === 'stop') told = true
    if (request.do !== 'status') wakeUp.now()
    const cancelled = request.do === 'cancel' && cancel(request)
    const self = { pid: currentProcess().pid, dispatching: isDispatching(), foreground, since }
    return { ok: true, ...self, cancelled, ...(build && { build }) }
  })
  writeAtomic(home.paths.daemonPid, `${currentProcess().pid}\n`)
  if (foreground) tellWhatItDoes(home)
  const queue = home.queue()
  const unwatch = await queue.watch(wakeUp.now)
  const finder = createPullRequestFinder(home, queue, wakeUp.now)
  const upkeep = createUpkeep(home, queue)
  const instances = createInstances(home, () => somebodyIsAttached(home))
  const supervisor = createSupervisor(home, wakeUp.now, (session, run) => {
    finder.look(session, run)
    upkeep.ended()
  })
  const starts: Starts<Prepared> = {
    start: startAgent,
    tell: tellPmAgent,
    prepare: prepareStart,
    discard: discardPrepared,
  }
  const dispatcher = createDispatcher(home, queue, starts, wakeUp.now)
  cancel = dispatcher.cancel
  // By a clock that does not jump.
  let idleSince = performance.now()
  fs.watchFile(home.paths.config, { interval: configLookMs, persistent: false }, wakeUp.now)
  try {
    await takeOverOldQueue(home).catch((error) => home.warn(`queue.json stays as it is: ${messageOf(error)}`))
    while (!told) {
      upkeep.look()
      const { atWork, againInMs } = await supervisor.tick().catch((error) => {
        home.warn(`a look at the agents failed: ${messageOf(error)}`)
        return { atWork: undefined, againInMs: 5_000 }
      })
      if (told) break
      if (atWork !== undefined) instances.look(findServer(home), atWork)
      const tasks = await dispatcher.tick(isDispatching()).catch((error) => {
        home.warn(`a look at the queue failed: ${messageOf(error)}`)
        return { busy: true, againInMs: 5_000 }
      })
      const busy = atWork?.length !== 0 || tasks.busy || finder.busy() || slotHolders(home).length > 0
      if (busy) idleSince = performance.now()
      const restMs = busy ? undefined : restUntilIdle(home, idleSince)
      if (restMs === 0) {
        if (mayHaveServer(home)) await stopServer(home, () => hasWork(home))
        if (!isDispatching() && !hasWork(home)) break
      }
      await wakeUp.wait(Math.min(againInMs, tasks.againInMs, restMs || againInMs))
    }
  } finally {
    fs.unwatchFile(home.paths.config, wakeUp.now)
    unwatch()
    await Promise.all([dispatcher.close(), finder.close(), upkeep.close(), instances.close()])
    supervisor.close()
    await socket.close()
    removeFile(home.paths.daemonPid)
  }
  return told
}

/** Prints the first lines of the log, in which a person sees whether the daemon works. */
function tellWhatItDoes(home: Home): void {
  const { maxConcurrentAgents: limit } = home.settings()
  home.progress(`takes tasks from the queue, at most ${limit} ${limit === 1 ? 'agent' : 'agents'} at a time`)
  if (!readIndex(home)?.base) home.progress('kugetsu is not initialised, so there are none yet; run "kugetsu init"')
}

/** Whether a server runs, is booting, or has left its file behind. */
function mayHaveServer(home: Home): boolean {
  return readServer(home) !== undefined || readBooting(home) !== undefined
}

function hasWork(home: Home): boolean {
  return slotHolders(home).length > 0 || sessionsAtWork(home).length > 0
}

async function becomeTheOne(home: Home): Promise<Release | undefined> {
  const until = performance.now() + takeOverMs
  for (;;) {
    const release = tryExclusive(home.paths.daemonLock)
    if (release !== undefined) return release
    if ((await askDaemon(home, { do: 'wake' })) !== undefined || performance.now() > until) return undefined
    await sleep(50)
  }
}

/** The same in the foreground, after a daemon in the background, if there is one, has ended. */
async function replaceTheOne(home: Home): Promise<Release> {
  const until = performance.now() + foregroundTakeOverMs
  for (;;) {
    const release = tryExclusive(home.paths.daemonLock)
    if (release !== undefined) return release
    const other = await askDaemon(home, { do: 'status' })
    if (other?.foreground === true || performance.now() > until) {
      throw new KugetsuError(`this home has a daemon already${other === undefined ? '' : ` (pid ${other.pid})`}`, {
        hint: 'See "kugetsu queue-daemon status"; "kugetsu queue-daemon stop" ends it.',
        code: 'daemon_running',
      })
    }
    if (other !== undefined) await askDaemon(home, { do: 'stop' })
    await sleep(50)
  }
}

/** How long the server must still be idle before it is stopped, in milliseconds; 0 when it is time, or none runs. */
function restUntilIdle(home: Home, idleSince: number): number {
  const server = readServer(home)
  if (server === undefined || !isAlive(server)) return 0
  if (somebodyIsAttached(home)) return 60_000
  return Math.max(0, idleSince + home.settings().serverIdleMinutes * 60_000 - performance.now())
}
