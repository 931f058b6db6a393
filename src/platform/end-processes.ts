import { setTimeout as sleep } from 'node:timers/promises'
import { identify, isAlive, type ProcessIdentity } from './processes.ts'

const lookMs = 25
/** How long a killed process may take to be gone: one with gigabytes has to give them back. */
const deathMs = 2_000

export interface Ended {
  /** The pids of the processes that are gone. */
  gone: number[]
  /** The pids of the processes that are still alive: of another user, or waiting for a disk. */
  left: number[]
}

/**
 * Ends the processes that `find` names, by pid: SIGTERM first, SIGKILL for those still alive `graceMs` milliseconds
 * later. `find` is called repeatedly, because a process may start others while it ends.
 */
export async function endProcesses(find: () => readonly number[], graceMs: number): Promise<Ended> {
  const met = new Map<number, ProcessIdentity>()
  const asked = new Set<number>()
  const from = performance.now()
  for (;;) {
    for (const pid of find()) {
      const identity = met.has(pid) ? undefined : identify(pid)
      if (identity !== undefined) met.set(pid, identity)
    }
    const living = [...met.values()].filter(isAlive)
    const waited = performance.now() - from
    if (living.length === 0 || waited > graceMs + deathMs) {
      const left = living.map(({ pid }) => pid)
      return { gone: [...met.keys()].filter((pid) => !left.includes(pid)), left }
    }
    for (const { pid } of living) {
      if (waited > graceMs) send(pid, 'SIGKILL')
      else if (!asked.has(pid)) {
        send(pid, 'SIGTERM')
        send(pid, 'SIGCONT') // a suspended process would not get the SIGTERM
        asked.add(pid)
      }
    }
    await sleep(lookMs)
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // gone meanwhile, or not ours
  }
}
