import * as fs from 'node:fs'
import type { Paths } from '../config/paths.ts'
import { readText } from '../platform/files.ts'
import { kill, processesWith } from '../platform/processes.ts'

const patienceMs = 5_000
const lookMs = 5

/**
 * Kills every process that has this kugetsu home in its environment, until none is left: servers, daemons, agents'
 * commands, orphans of any of them. A throw-away home is not worth a graceful end. Synchronous. If the environment of
 * processes cannot be read, kills the processes that the home names and the group of `leader`.
 */
export function endProcessesOf(paths: Paths, leader: number | undefined): void {
  if (!fs.existsSync('/proc/self/environ')) return endNamed(paths, leader)
  const until = Date.now() + patienceMs
  for (;;) {
    const living = processesWith('KUGETSU_DIR', paths.home)
    // A killed process may have just started another one, so look until none is found.
    if (living.length === 0 || Date.now() > until) return
    for (const pid of living) kill(pid)
    pause()
  }
}

function endNamed(paths: Paths, leader: number | undefined): void {
  const daemon = Number(readText(paths.daemonPid))
  const server = Number(/"pid":\s*(\d+)/.exec(readText(paths.server) ?? '')?.[1])
  // Each leads a group of its own. The daemon goes before the server, because it would start the server again.
  for (const pid of [leader ?? 0, daemon, server]) if (pid > 1) kill(-pid)
}

/** Blocks for a moment: while a signal makes the demo end its processes, the next signal must not interrupt that. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, lookMs)
}
