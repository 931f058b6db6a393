/**
 * Keeps a home small while it runs for weeks: removes old finished work, rotates logs, packs mirrors, and removes the
 * leftovers of killed writers. Nothing waits for it. Failed steps are tried again the next time.
 */
import * as fs from 'node:fs'
import { listMirrors } from '../worktrees/mirror/list.ts'
import type { Home } from '../config/home.ts'
import { messageOf } from '../core/errors.ts'
import { findServer, launchOf } from '../server/server.ts'
import { rotateInPlace } from '../platform/files.ts'
import { sweepLitter } from '../platform/litter.ts'
import { writtenDirectories } from '../queue/places.ts'
import type { Queue } from '../queue/queue.ts'
import { clearDelegations, clearFinished, clearLocks, clearTranscripts } from './retention.ts'
import type { GitRepository } from '../git/repository.ts'
import { mirrorOf } from '../sessions/file/worktree-handles.ts'
import { packMirror, isWorthPacking } from '../worktrees/mirror/pack.ts'

const everyMs = 3_600_000
/** The timeout of a packing git, which prints nothing meanwhile. */
const packMs = 3_600_000

export interface Upkeep {
  /** At each look of the daemon: begins what is due, without waiting for it. */
  look: () => void
  /** A run has ended. */
  ended: () => void
  /** Ends the work in progress. */
  close: () => Promise<void>
}

export function createUpkeep(home: Home, queue: Queue): Upkeep {
  const closing = new AbortController()
  let working: Promise<void> | undefined
  let doneAt = -Infinity
  let endedSince = 0

  function look(): void {
    attempt('rotate the log', () => rotateOwnLog(home))
    if (working !== undefined || closing.signal.aborted) return
    const isHour = performance.now() - doneAt > everyMs
    if (!isHour && endedSince < attempt('read the settings', () => enough(home), Infinity)) return
    if (isHour) doneAt = performance.now()
    endedSince = 0
    working = work(isHour).finally(() => (working = undefined))
  }

  async function work(hourly: boolean): Promise<void> {
    if (hourly) {
      attempt('sweep', () => sweepHome(home))
      const server = findServer(home)
      if (server !== undefined) {
        // Not while the server boots: its log is read for the port then.
        attempt('rotate a log', () => rotateInPlace(home.paths.serverLog))
        // Every hour opencode fetches a newer catalogue, and then reads its catalogue file again.
        attempt('renew the models', () => server.driver.renewFiles(home, launchOf(server.record)))
      }
    }
    const steps = [clearFinished, clearTranscripts, clearDelegations, clearLocks]
    for (const step of steps) await step(home, queue).catch((error) => tell('remove old tasks and logs', error))
    if (!hourly) return
    for (const { path, repository } of listMirrors(home.paths)) {
      if (closing.signal.aborted) return
      await pack(mirrorOf(home, repository)).catch((error) => tell(`pack ${path}`, error))
    }
  }

  async function pack(mirror: GitRepository): Promise<void> {
    if (!isWorthPacking(mirror.path)) return
    const signal = AbortSignal.any([home.signal, closing.signal])
    await packMirror(mirror.with({ timeoutMs: packMs, signal }))
  }

  function attempt<T>(what: string, step: () => T, otherwise?: T): T {
    try {
      return step()
    } catch (error) {
      tell(what, error)
      return otherwise as T
    }
  }

  function tell(what: string, error: unknown): void {
    if (!closing.signal.aborted) home.warn(`cannot ${what}: ${messageOf(error)}`)
  }

  return {
    look,
    ended: () => void (endedSince += 1),
    close: async () => {
      closing.abort(new Error('the daemon ends'))
      await working
    },
  }
}

/** After how many ended runs to clear away: there is then a tenth more than is kept. */
function enough(home: Home): number {
  return Math.max(10, home.settings().queueKeepFinished / 10)
}

/** Rotates the daemon's own log, if its output goes there. In the foreground the receiver of the output has to rotate. */
function rotateOwnLog({ paths }: Home): void {
  const log = fs.lstatSync(paths.daemonLog, { throwIfNoEntry: false })
  const output = fs.fstatSync(1)
  if (log?.ino === output.ino && log.dev === output.dev) rotateInPlace(paths.daemonLog)
}

const written = [
  'home',
  'sessions',
  'queue',
  'queueEnded',
  'slots',
  'locks',
  'opencode',
  'attached',
  'env',
  'logs',
  'notificationSpool',
] as const

/** Sweeps the places where state is written. */
function sweepHome({ paths }: Home): void {
  for (const directory of [...written.map((name) => paths[name]), ...writtenDirectories({ paths })])
    sweepLitter(directory)
}
