import * as fs from 'node:fs'
import { askGit, type GitOptions, runGit } from '../../git/git.ts'

/** How many commits `branch` has that `base` of the remote does not; undefined when git cannot say. */
export async function commitsAhead(
  options: GitOptions & { path: string; branch: string; base: string },
): Promise<number | undefined> {
  if (!fs.existsSync(options.path)) return undefined
  const range = `refs/remotes/origin/${options.base}..refs/heads/${options.branch}`
  try {
    const count = Number(await runGit(['rev-list', '--count', range, '--'], { ...options, cwd: options.path }))
    return Number.isSafeInteger(count) ? count : undefined
  } catch {
    options.signal?.throwIfAborted()
    return undefined
  }
}

/** Whether the remote has that branch, as far as the mirror knows without asking; false when git cannot say. */
export async function isOnRemote(options: GitOptions & { path: string; branch: string }): Promise<boolean> {
  if (!fs.existsSync(options.path)) return false
  const args = ['show-ref', '--verify', '--quiet', `refs/remotes/origin/${options.branch}`]
  try {
    return (await askGit(args, { ...options, cwd: options.path })) !== undefined
  } catch {
    options.signal?.throwIfAborted()
    return false
  }
}
