/** The opencode server, the daemon, and their leftovers after a death. */
import * as fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Home } from '../../config/home.ts'
import { counted } from '../../core/wording.ts'
import { daemonStatus, replacementOf, isDispatchingWanted } from '../../daemon/control.ts'
import { socketPath, type Answer } from '../../daemon/socket.ts'
import { readServer } from '../../server/server-file.ts'
import { markerVariable } from '../../driver/environment.ts'
import { clearDeadServer, findServer } from '../../server/server.ts'
import { endProcesses } from '../../platform/end-processes.ts'
import { listDirectory, removeFile } from '../../platform/files.ts'
import { exclusively, tryExclusive } from '../../platform/locks.ts'
import { isAlive, kill, processesWith, variableOf } from '../../platform/processes.ts'
import { describeProcess, processesWithoutIssue } from '../../sessions/runs/left-running.ts'
import { reservations } from '../../sessions/slots/slots.ts'
import { byItself, fail, pass, some, warn, type Check } from '../check.ts'
import { subjectOf, type Subject } from '../subject.ts'

const answerMs = 5_000
const lookMs = 50
const lockWaitMs = 30_000
const graceMs = 5_000
/** How long a server that was just started may take to write its file. */
const startMs = 500
const startDispatching = 'kugetsu queue-daemon start'

const server: Check = {
  name: 'server',
  look: async ({ home, server, unreadable }) => {
    const record = server()
    if (record === undefined) {
      return unreadable().includes('opencode/server.json')
        ? warn('opencode/server.json cannot be understood', 'The next command that needs a server starts a new one.')
        : pass('not running (it starts by itself when needed)')
    }
    if (!isAlive(record))
      return warn(`opencode/server.json is that of a server that died (pid ${record.pid})`, byItself)
    const running = findServer(home)
    const about = `opencode ${record.version}, pid ${record.pid}`
    if (running === undefined) return pass(`${about}, ${record.stopping === true ? 'ending' : 'starting'}`)
    return (await running.client.isUp(answerMs))
      ? pass(about)
      : fail(
          `it does not answer (${about})`,
          `See ${home.paths.serverLog}; kill ${record.pid} and its agents are resumed.`,
        )
  },
  fix: async (home) =>
    (await clearDeadServer(home))
      ? ['removed opencode/server.json, of a server that died, and what it left running']
      : [],
}

const daemon: Check = {
  name: 'daemon',
  look: async ({ home, sessions, items }) => {
    const running = await daemonOnceUp(home)
    const waiting = (await items()).filter(({ state }) => state === 'pending').length
    const replacement = running && replacementOf(running)
    if (running !== undefined && replacement !== undefined) {
      return warn(`pid ${running.pid}, of another build of kugetsu than this one`, replacement)
    }
    if (running !== undefined) {
      if (running.dispatching === true) return pass(`pid ${running.pid}, takes tasks from the queue`)
      return waiting === 0
        ? pass(`pid ${running.pid}, follows the agents`)
        : warn(
            `${counted(waiting, 'task')} in the queue, and the daemon takes none (pid ${running.pid})`,
            startDispatching,
          )
    }
    if (isHeld(home)) {
      return fail('a daemon runs and does not answer', `See ${home.paths.daemonLog}; killing it loses nothing.`)
    }
    if (isDispatchingWanted(home)) return fail('the daemon that took tasks from the queue has died', startDispatching)
    if (waiting > 0) return warn(`${counted(waiting, 'task')} in the queue, and no daemon takes them`, startDispatching)
    const atWork = sessions().find(({ record }) => record.run)
    if (atWork !== undefined) {
      const ref = atWork.record.issue_ref ?? atWork.name
      return warn(`no daemon follows the agent of ${ref}`, `kugetsu wait ${ref}`)
    }
    const dead = remnants(home)
    return dead.length > 0
      ? warn(`left by one that died: ${some(dead)}`, byItself)
      : pass('not running (it starts by itself when needed)')
  },
  fix: async (home) => {
    if (!fs.existsSync(home.paths.queue)) return []
    const release = tryExclusive(home.paths.daemonLock) // the holder of the lock owns these files
    if (release === undefined) return []
    try {
      return remnants(home).flatMap((file) => (removeFile(file) ? [`removed ${file}, left by a daemon that died`] : []))
    } finally {
      release()
    }
  },
}

/** The daemon's answer. A beginning daemon holds its lock before it can answer. */
async function daemonOnceUp(home: Home): Promise<Answer | undefined> {
  const until = performance.now() + answerMs
  for (;;) {
    const answer = await daemonStatus(home)
    if (answer !== undefined || performance.now() > until || !isHeld(home)) return answer
    await sleep(lookMs, undefined, { signal: home.signal })
  }
}

/** Whether a process holds the daemon's lock. Only asked if the lock file exists, because asking would create it. */
function isHeld(home: Home): boolean {
  if (!fs.existsSync(home.paths.daemonLock)) return false
  const release = tryExclusive(home.paths.daemonLock)
  release?.()
  return release === undefined
}

function remnants(home: Home): string[] {
  return [socketPath(home), home.paths.daemonPid].filter((file) => fs.existsSync(file))
}

const processes: Check = {
  name: 'processes',
  look: async (subject) => {
    const { home, server } = subject
    const isSuspect = (await orphansOf(home, server()?.marker)).length > 0 || withoutIssue(subject).length > 0
    if (!isSuspect) return pass('no command outlived its server or its issue')
    // A starting server writes its file a moment after it runs.
    await sleep(startMs, undefined, { signal: home.signal })
    const orphans = await orphansOf(home, readServerQuietly(home))
    const left = withoutIssue(subjectOf(home)).filter(({ pid }) => !orphans.includes(pid))
    const told = [
      ...(orphans.length === 0
        ? []
        : [
            `outlived the opencode server that ran ${orphans.length === 1 ? 'it' : 'them'}: pid ${some(orphans.map(String), 5)}`,
          ]),
      ...left.slice(0, 3).map(({ pid, issueRef }) => `outlived ${issueRef}: ${describeProcess(home, pid)}`),
      ...(left.length > 3 ? [`${left.length - 3} more outlived their issues`] : []),
    ]
    return told.length === 0 ? pass('no command outlived its server or its issue') : warn(told.join('; '), byItself)
  },
  fix: (home) =>
    // Under the lock for starting servers, so that no server is being started.
    exclusively(home.paths.lock('opencode-server'), { timeoutMs: lockWaitMs, signal: home.signal }, async () => {
      const ended = (await orphansOf(home, readServerQuietly(home))).filter(kill)
      const { gone } = await endProcesses(() => withoutIssue(subjectOf(home)).map(({ pid }) => pid), graceMs)
      return [
        ...(ended.length === 0 ? [] : [`ended ${counted(ended.length, 'command')} that had outlived the server`]),
        ...(gone.length === 0 ? [] : [`ended ${counted(gone.length, 'command')} of issues that are gone`]),
      ]
    }),
}

/** Processes of issues that have neither session nor slot. None if a session file cannot be read: it may name the issue. */
function withoutIssue({ home, sessions, unreadable }: Subject): ReturnType<typeof processesWithoutIssue> {
  const isSession = (file: string) => file.startsWith('sessions/')
  if (unreadable().some(isSession) || listDirectory(home.paths.sessions).some((name) => name.includes('.unreadable-')))
    return []
  const slots = reservations(home).map(({ issueRef }) => issueRef)
  return processesWithoutIssue(home, new Set([...sessions().flatMap(({ record }) => record.issue_ref ?? []), ...slots]))
}

/** The marker of the server on file, if it is alive. */
function readServerQuietly(home: Home): string | undefined {
  const record = readServer(home)
  return record !== undefined && isAlive(record) ? record.marker : undefined
}

/** The processes of this home that were started under a server other than the one with `marker`, by pid. */
async function orphansOf(home: Home, marker: string | undefined): Promise<number[]> {
  const daemonPid = (await daemonStatus(home))?.pid // an agent may have started it
  return processesWith('KUGETSU_DIR', home.paths.home).filter((pid) => {
    const own = variableOf(pid, markerVariable)
    return own !== undefined && own !== '' && own !== marker && pid !== daemonPid
  })
}

export const processChecks = [server, daemon, processes]
