/**
 * True mutual exclusion, for things that must not happen twice (one daemon, one server start, one command per issue, one
 * git writer per mirror). The kernel holds the lock: an exclusive SQLite transaction is an fcntl lock, which is gone the
 * instant its process dies, however it dies, and cannot go stale. For an order that nothing depends on: order.ts.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, KugetsuError, messageOf } from '../core/errors.ts'
import { createExclusive, ensureDirectory, removeFile, setAside } from './files.ts'
import { openSqlite, type Sqlite } from './sqlite.ts'

const retryMs = { from: 5, to: 50 }
/** Who has waited long looks less often, up to this: a hundred at once would else take the processors from the holder. */
const rareRetryMs = 400

export interface WaitOptions {
  /** How long to wait for the lock, in milliseconds. */
  timeoutMs: number
  signal?: AbortSignal | undefined
}

/** What a lock's holder gets: call it to let go. */
export type Release = () => void

/**
 * Takes the lock at `file` if nobody holds it, else undefined. The file is created, stays empty, and goes only with
 * removeLock.
 */
export function tryExclusive(file: string): Release | undefined {
  ensureDirectory(path.dirname(file))
  let database: Sqlite | undefined
  try {
    // SQLite goes through links, would wait at a pipe, and makes the file where a link points to.
    const found = fs.lstatSync(file, { throwIfNoEntry: false })
    if (found !== undefined && !found.isFile()) setAside(file, new Date())
    // It would make it readable for all. Only while it is missing: closing it again would let go of our own locks.
    if (!fs.existsSync(file)) createExclusive(file, '')
    const identity = identityOf(file)
    database = openSqlite(file, { timeoutMs: 0 })
    // No journal file: nothing is ever written, and a killed holder would leave it behind.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    // Removed since it was opened: whoever comes now takes the lock of another file.
    if (identity === undefined || identityOf(file) !== identity) {
      database.close()
      return undefined
    }
  } catch (error) {
    database?.close()
    if (error instanceof KugetsuError) throw error
    if (says(error, /SQLITE_NOTADB|not a database/)) {
      // A lock file is empty; this one is somebody else's and cannot serve as a lock. One that is empty by now is the
      // new lock of a caller who has seen the same.
      if ((fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0) setAside(file, new Date())
      return undefined
    }
    if (says(error, /SQLITE_BUSY|database is locked/)) return undefined
    throw new KugetsuError(`cannot lock ${file}: ${messageOf(error)}`, {
      hint: 'Check what is at that path and who owns it.',
      code: 'unwritable',
      cause: error,
    })
  }
  const held = database
  return () => held.close()
}

/** Removes the file of a lock, unless somebody holds it. Who waits for it takes the next one. Throws as tryExclusive. */
export function removeLock(file: string): boolean {
  const release = tryExclusive(file)
  if (release === undefined) return false
  try {
    return removeFile(file)
  } finally {
    release()
  }
}

/**
 * What tells a file from the ones before and after it under its name. The number of the inode alone does not: when the
 * file has been removed twice meanwhile, the third may have that of the first.
 */
function identityOf(file: string): string | undefined {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false })
  return stat && `${stat.ino} ${stat.birthtimeMs}`
}

/**
 * Runs `work` while holding the lock at `file`, waiting for it as long as `timeoutMs`.
 * Throws KugetsuError `busy` when it stays taken; whatever `work` throws otherwise.
 */
export async function exclusively<T>(file: string, wait: WaitOptions, work: () => T | Promise<T>): Promise<T> {
  const since = performance.now()
  const until = since + wait.timeoutMs
  for (;;) {
    const release = tryExclusive(file)
    if (release !== undefined) {
      try {
        return await work()
      } finally {
        release()
      }
    }
    if (performance.now() >= until) {
      throw new KugetsuError(`another kugetsu is busy with ${path.basename(file, '.lock')}`, {
        hint: 'Wait for it to finish and try again.',
        code: 'busy',
      })
    }
    await pause(wait.signal, performance.now() - since)
  }
}

/** Runs `work` while holding the lock at `file`; undefined, and nothing happens, when somebody else holds it. */
export async function unlessTaken<T>(file: string, work: () => T | Promise<T>): Promise<T | undefined> {
  const release = tryExclusive(file)
  if (release === undefined) return undefined
  try {
    return await work()
  } finally {
    release()
  }
}

/** A moment, chosen by chance so that waiters do not look all at once; longer for one who has waited for longer. */
export async function pause(signal: AbortSignal | undefined, waitedMs = 0): Promise<void> {
  const longest = Math.max(retryMs.to, Math.min(waitedMs / 10, rareRetryMs))
  const milliseconds = retryMs.from + Math.random() * (longest - retryMs.from)
  await sleep(milliseconds, undefined, signal === undefined ? {} : { signal })
}

function says(error: unknown, what: RegExp): boolean {
  return what.test(`${codeOf(error) ?? ''} ${String(error)}`)
}
