import * as fs from 'node:fs'
import { type GitOptions, runGit } from './git.ts'

/** How many commits `branch` has that `base` of the remote does not; undefined when it cannot be told. */
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
