/** The snapshots that opencode takes of a worktree for its `/undo`. Each is a whole git directory, and is never removed. */
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { listDirectory, readLog } from '../platform/files.ts'
import { dataDirectory } from './directories.ts'

/**
 * Removes the snapshots of a removed worktree; returns how many there were. They are at `snapshot/<project>/<SHA-1 of
 * the worktree's path>` under opencode's data directory (1.14 and newer) and name the worktree in their configuration.
 * A snapshot that names another worktree, or none, stays. Throws the system's errors.
 */
export function removeSnapshots(env: NodeJS.ProcessEnv, userHome: string, worktree: string): number {
  const root = path.join(dataDirectory(env, userHome), 'snapshot')
  const name = createHash('sha1').update(worktree).digest('hex')
  const found = listDirectory(root)
    .map((project) => path.join(root, project, name))
    .filter((directory) => worktreeOf(directory) === worktree)
  for (const directory of found) fs.rmSync(directory, { recursive: true, force: true })
  return found.length
}

function worktreeOf(directory: string): string | undefined {
  try {
    if (!fs.lstatSync(directory).isDirectory()) return undefined
    return /^\s*worktree = (.*)$/m.exec(readLog(path.join(directory, 'config')) ?? '')?.[1]
  } catch {
    return undefined
  }
}
