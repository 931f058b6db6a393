/** Git's own lock files. Other gits wait for them, and the lock file of a killed git stays forever. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readText } from '../platform/files.ts'
import { linkOf } from './head.ts'
import { gitFailure } from './failure.ts'

const pausesMs = [50, 100, 200, 400, 800, 1600]
/** Git holds the locks of a commit for milliseconds only. */
const deadAfterMs = 1_000

/**
 * Runs `work` again when git finds something in `repository` locked, for instance by an agent's own git in a worktree.
 * A lock file that stays the same through all pauses (3 s, while git holds one for milliseconds) belonged to a killed
 * git: it is removed for one last attempt.
 */
export async function despiteLocks<T>(
  repository: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const seen = new Map<string, string>()
  for (let attempt = 0; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const failure = gitFailure(error)
      if (failure?.reason !== 'locked' || attempt > pausesMs.length) throw error
      const locks = lockFilesIn(failure.stderr).filter((file) => isWithin(repository, file))
      if (attempt === pausesMs.length) {
        const stale = locks.filter((file) => seen.has(file) && seen.get(file) === identityOf(file))
        if (stale.length === 0) throw error
        for (const file of stale) fs.rmSync(file, { force: true })
        continue
      }
      for (const file of locks) if (!seen.has(file)) seen.set(file, identityOf(file))
      await sleep(pausesMs[attempt], undefined, signal === undefined ? {} : { signal })
    }
  }
}

/**
 * Removes the locks that an agent's git left in its worktree when it was killed: on its index, its HEAD and its branch. Only
 * for a worktree in which no agent is working. Returns the removed locks; waits for a moment if there are any.
 */
export async function clearDeadLocks(worktree: string, signal: AbortSignal | undefined): Promise<string[]> {
  const own = linkOf(worktree) ?? path.join(worktree, '.git')
  const shared = path.resolve(own, readText(path.join(own, 'commondir'))?.trim() ?? '.')
  const branch = /^ref: (refs\/heads\/\S+)$/m.exec(readText(path.join(own, 'HEAD')) ?? '')?.[1]
  const locks = [
    path.join(own, 'index.lock'),
    path.join(own, 'HEAD.lock'),
    ...(branch === undefined ? [] : [path.join(shared, `${branch}.lock`)]),
  ].filter((file) => fs.existsSync(file))
  if (locks.length === 0) return []
  const before = locks.map(identityOf)
  await sleep(deadAfterMs, undefined, signal === undefined ? {} : { signal })
  const dead = locks.filter((file, index) => identityOf(file) === before[index])
  for (const file of dead) fs.rmSync(file, { force: true })
  return dead
}

function lockFilesIn(stderr: string): string[] {
  const created = [...stderr.matchAll(/Unable to create '([^'\n]+\.lock)': File exists/g)].map(
    (match) => match[1] ?? '',
  )
  const configs = [...stderr.matchAll(/could not lock config file (\S[^\n]*): File exists/g)]
  return [...created, ...configs.map((match) => `${match[1] ?? ''}.lock`)]
}

function isWithin(directory: string, file: string): boolean {
  const relative = path.relative(realPath(directory), path.join(realPath(path.dirname(file)), path.basename(file)))
  return relative !== '' && !relative.startsWith('..') && !path.isAbsolute(relative)
}

function realPath(file: string): string {
  try {
    return fs.realpathSync(file)
  } catch {
    return path.resolve(file)
  }
}

function identityOf(file: string): string {
  const stat = fs.statSync(file, { throwIfNoEntry: false })
  return stat === undefined ? 'gone' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`
}
