import { setTimeout as sleep } from 'node:timers/promises'
import { identify, isAlive, type ProcessIdentity } from './processes.ts'

const lookMs = 25
/** How long a process that was killed may take to be gone: one with gigabytes has them to give back. */
const deathMs = 2_000

export interface Ended {
  /** By pid, those that are gone. */
  gone: number[]
  /** Those that go on: of another user, or waiting for a disk. */
  left: number[]
}

/**
 * Ends the processes that `find` names, by pid: SIGTERM first, SIGKILL for those that are there `graceMs` later. `find`
 * is asked again and again, because what is being ended may start others.
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
        send(pid, 'SIGCONT') // one that is suspended would not hear of it
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
