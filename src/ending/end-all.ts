/** Ends everything that runs for a home: starts, agents, the daemon, the opencode server. Sessions and worktrees stay. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Daemon, Home } from '../config/home.ts'
import { codeOf, KugetsuError } from '../core/errors.ts'
import { daemonStatus, stopDispatching } from '../daemon/control.ts'
import { daemonCommand } from '../daemon/names.ts'
import { removeFile } from '../platform/files.ts'
import { endProcesses } from '../platform/end-processes.ts'
import { tryExclusive } from '../platform/locks.ts'
import { commandLineOf } from '../platform/process-table.ts'
import { isAlive, processesWith, signalProcess, type ProcessIdentity } from '../platform/processes.ts'
import { stopServer } from '../server/server.ts'
import { readBooting, readServer } from '../server/server-file.ts'
import { waitingStarts } from '../sessions/file/waiting-starts.ts'
import { sessionsAtWork } from '../sessions/runs/at-work.ts'
import { settleKilledStarts, settleRun } from '../sessions/runs/settle.ts'
import { stopAgent } from '../sessions/runs/stop.ts'
import { slotHolders } from '../sessions/slots/slots.ts'

/** How long the starts that are told to end may take to undo what they have made. */
const undoMs = 60_000
/** How long a daemon that another command has just started may take to end by itself. */
const daemonMs = 15_000
const lookMs = 50

/** While the daemon's lock is held here: none runs, and none is to be started. */
const noDaemon: Daemon = {
  isRunning: async () => false,
  wake: async () => false,
  takesTasks: async () => false,
  cancelStart: async () => false,
}

/** What runs for a home. */
export interface Running {
  /** The agents at work, by issue ref, or `pm-agent`. */
  agents: string[]
  /** The issues of the agents that are being started. */
  starts: string[]
  daemon: number | undefined
  /** The daemon takes tasks from the queue. */
  dispatching: boolean
  server: number | undefined
}

/** Looks at files and processes only. */
export async function whatRuns(home: Home): Promise<Running> {
  const daemon = await daemonStatus(home)
  const server = readServer(home)
  return {
    agents: sessionsAtWork(home).map(({ record, name }) => record.issue_ref ?? name),
    starts: [...new Set(startsUnderWay(home).map(({ issueRef }) => issueRef))],
    daemon: daemon?.pid,
    dispatching: daemon?.dispatching === true,
    server: server !== undefined && isAlive(server) ? server.pid : undefined,
  }
}

/** Whether nothing runs, and nothing is left of a server that a killed command was starting. */
export function isAtRest(home: Home, { agents, starts, daemon, server }: Running): boolean {
  return agents.length + starts.length === 0 && daemon === undefined && server === undefined && !readBooting(home)
}

/**
 * Ends it all, and then runs `afterwards` while no daemon can start, with this home as one without a daemon. The caller has
 * closed the home for starts. Throws KugetsuError `busy` or `daemon_failed` when a process does not end; what has ended
 * stays ended.
 */
export async function endAll<T>(home: Home, afterwards: (daemonless: Home) => Promise<T>): Promise<T> {
  // A slot that gets free must not begin the next task.
  removeFile(home.paths.dispatching)
  const daemon = await daemonStatus(home)
  const told = new Set<number>(daemon === undefined ? [] : [daemon.pid])
  tellStarts(home, told)
  // With the daemon first: it completes the transcripts.
  if (daemon !== undefined) await stopAgents(home)
  const release = await withoutDaemon(home)
  const daemonless = { ...home, daemon: noDaemon }
  try {
    await startsEnded(home, told)
    await stopAgents(daemonless)
    await stopServer(home, () => false)
    await settleKilledStarts(home)
    // Their server did not obey, and has been ended.
    for (const { name, record } of sessionsAtWork(home)) {
      await settleRun(home, name, record.run, { state: 'idle', stopped: true })
    }
    return await afterwards(daemonless)
  } finally {
    release()
  }
}

/** Ends the daemon, and holds its lock so that no other one begins. */
async function withoutDaemon(home: Home): Promise<() => void> {
  const until = performance.now() + daemonMs
  for (;;) {
    await stopDispatching(home)
    const release = tryExclusive(home.paths.daemonLock)
    if (release !== undefined) {
      await endWaitingDaemons(home)
      return release
    }
    if (performance.now() > until) {
      throw new KugetsuError('a daemon of this home does not end', {
        hint: 'See "kugetsu queue-daemon status".',
        code: 'daemon_failed',
      })
    }
    await sleep(lookMs, undefined, { signal: home.signal })
  }
}

/**
 * Ends the daemons that wait for the lock, which the caller holds: a command may have started one a moment ago. Linux only;
 * elsewhere such a daemon finds nothing to do, and ends when its server has been idle.
 */
export async function endWaitingDaemons(home: Home): Promise<void> {
  const isDaemon = (pid: number) => commandLineOf(pid).endsWith(` ${daemonCommand}`)
  await endProcesses(() => processesWith('KUGETSU_DIR', home.paths.home).filter(isDaemon), 0)
}

async function stopAgents(home: Home): Promise<void> {
  await Promise.all(
    sessionsAtWork(home).map(({ name }) =>
      stopAgent(home, name).catch((error: unknown) => {
        home.signal.throwIfAborted()
        // Ended meanwhile, or the end of the server ends it.
        if (!(error instanceof KugetsuError) || codeOf(error) === 'interrupted') throw error
      }),
    ),
  )
}

/** Waits until the starts that were going on have undone what they made. */
async function startsEnded(home: Home, told: Set<number>): Promise<void> {
  const until = performance.now() + undoMs
  for (;;) {
    const [left] = startsUnderWay(home)
    if (left === undefined) return
    if (performance.now() > until) {
      const { issueRef, owner } = left
      throw new KugetsuError(`the start of ${issueRef} does not end (pid ${owner?.pid ?? 'unknown'})`, {
        hint: 'End that process, and try again.',
        code: 'busy',
      })
    }
    tellStarts(home, told)
    await sleep(lookMs, undefined, { signal: home.signal })
  }
}

/** Tells the processes that start agents to end, each once: a second signal would end it before it has undone anything. */
function tellStarts(home: Home, told: Set<number>): void {
  for (const { owner } of startsUnderWay(home)) {
    if (owner === undefined || told.has(owner.pid)) continue
    told.add(owner.pid)
    signalProcess(owner, 'SIGTERM')
  }
}

interface StartUnderWay {
  issueRef: string
  owner: ProcessIdentity | undefined
}

function startsUnderWay(home: Home): StartUnderWay[] {
  const admitted = slotHolders(home).filter(({ phase }) => phase !== 'run')
  const waiting = waitingStarts(home).map(({ issue_ref: issueRef, owner }) => ({ issueRef, owner }))
  return [...admitted, ...waiting].filter(({ owner }) => owner?.pid !== process.pid)
}
