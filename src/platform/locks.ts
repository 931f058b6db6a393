/**
 * True mutual exclusion, for things that must not happen twice (one daemon, one server start, one command per issue,
 * one git writer per mirror). The kernel holds the lock: an exclusive SQLite transaction is an fcntl lock. The lock is
 * gone the instant its process dies, however it dies, so it cannot go stale. For an order that nothing depends on:
 * order.ts.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, KugetsuError, messageOf } from '../core/errors.ts'
import { createExclusive, ensureDirectory, removeFile, setAside } from './files.ts'
import { openSqlite, type Sqlite } from './sqlite.ts'

const retryMs = { from: 5, to: 50 }
/**
 * The longest pause of a caller that has waited long. A hundred callers with shorter ones would take the processors from the
 * holder.
 */
const rareRetryMs = 400

export interface WaitOptions {
  /** How long to wait for the lock, in milliseconds. */
  timeoutMs: number
  signal?: AbortSignal | undefined
}

/** Call it to release the lock. */
export type Release = () => void

/**
 * Takes the lock at `file` if it is free, else returns undefined. The file is created, stays empty, and is removed only by
 * removeLock.
 */
export function tryExclusive(file: string): Release | undefined {
  ensureDirectory(path.dirname(file))
  let database: Sqlite | undefined
  try {
    // SQLite follows links, would wait at a pipe, and creates the file that a link points to.
    const found = fs.lstatSync(file, { throwIfNoEntry: false })
    if (found !== undefined && !found.isFile()) setAside(file, new Date())
    // SQLite would make it readable for all. Only while it is missing: closing it again would release our own locks.
    if (!fs.existsSync(file)) createExclusive(file, '')
    const identity = identityOf(file)
    database = openSqlite(file, { timeoutMs: 0 })
    // No journal file: nothing is ever written, and a killed holder would leave the file behind.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    // The lock file was unlinked after we opened it. The next caller would lock a new inode, so both would hold it.
    if (identity === undefined || identityOf(file) !== identity) {
      database.close()
      return undefined
    }
  } catch (error) {
    database?.close()
    if (error instanceof KugetsuError) throw error
    if (says(error, /SQLITE_NOTADB|not a database/)) {
      // A lock file is empty, so this one is somebody else's and cannot serve as a lock. If it is empty now, it is the new
      // lock file of a caller who found the same.
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

/** Removes the lock file, unless the lock is held. Waiting callers lock the next file. Throws as tryExclusive. */
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
 * Tells a file from earlier and later files of the same name. The inode number alone does not: when the file has been
 * removed twice meanwhile, the third file may have the inode of the first.
 */
function identityOf(file: string): string | undefined {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false })
  return stat && `${stat.ino} ${stat.birthtimeMs}`
}

/**
 * Runs `work` while holding the lock at `file`, waiting for it at most `timeoutMs` milliseconds. Throws KugetsuError `busy`
 * when it stays taken; whatever `work` throws otherwise.
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
      throw new KugetsuError(`another kugetsu process holds the lock ${path.basename(file, '.lock')}`, {
        hint: 'Wait for it to finish and try again.',
        code: 'busy',
      })
    }
    await pause(wait.signal, performance.now() - since)
  }
}

/** Runs `work` while holding the lock at `file`. When the lock is taken, does nothing and returns undefined. */
export async function unlessTaken<T>(file: string, work: () => T | Promise<T>): Promise<T | undefined> {
  const release = tryExclusive(file)
  if (release === undefined) return undefined
  try {
    return await work()
  } finally {
    release()
  }
}

/** Pauses for a random time, so that waiting callers do not all look at once; longer for a caller that has waited longer. */
export async function pause(signal: AbortSignal | undefined, waitedMs = 0): Promise<void> {
  const longest = Math.max(retryMs.to, Math.min(waitedMs / 10, rareRetryMs))
  const milliseconds = retryMs.from + Math.random() * (longest - retryMs.from)
  await sleep(milliseconds, undefined, signal === undefined ? {} : { signal })
}

function says(error: unknown, what: RegExp): boolean {
  return what.test(`${codeOf(error) ?? ''} ${String(error)}`)
}
