/**
 * An order of callers, by proper-lockfile, for the admissions to slots. Its lock can be held twice once it is stale (its
 * issue #121), so what it guards must be safe without it. It is: see sessions/slots/slots.ts.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import lockfile from 'proper-lockfile'
import { ensureDirectory, setAside } from './files.ts'
import { pause, type WaitOptions } from './locks.ts'

/** The holder of the lock works for milliseconds: this long without a sign of life means dead or suspended. */
const staleMs = 2_000

/**
 * Runs `work` in order with the other callers, or without order after `timeoutMs` milliseconds: a stuck lock (suspended
 * holder, clock gone wrong, a file in its place) must not stop any caller. Never throws because of the lock.
 */
export async function inOrder<T>(file: string, wait: WaitOptions, work: () => T | Promise<T>): Promise<T> {
  ensureDirectory(path.dirname(file))
  const until = performance.now() + wait.timeoutMs
  let release: (() => Promise<void>) | undefined
  while (release === undefined && performance.now() < until) {
    release = await lockfile
      .lock(file, { stale: staleMs, update: staleMs / 2, retries: 0, realpath: false, onCompromised: () => {} })
      .catch(() => undefined)
    if (release === undefined) await pause(wait.signal)
  }
  if (release === undefined) clearStuckLock(`${file}.lock`)
  try {
    return await work()
  } finally {
    await release?.().catch(() => {}) // compromised: another caller holds it now, which is harmless
  }
}

/** Moves away what proper-lockfile never removes: a file, a directory with contents, a time in the future. */
function clearStuckLock(lock: string): void {
  const stat = fs.lstatSync(lock, { throwIfNoEntry: false })
  if (stat === undefined) return
  const age = Date.now() - stat.mtimeMs
  if (!stat.isDirectory() || age > 2 * staleMs || age < -staleMs) setAside(lock, new Date())
}
