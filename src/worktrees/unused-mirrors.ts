/** A mirror that no worktree uses: a copy of the remote, and as such worth nothing, unless it has more than that. */
import * as fs from 'node:fs'
import { KugetsuError } from '../core/errors.ts'
import { exclusively } from '../platform/locks.ts'
import { listEntries } from './entries.ts'
import { askGit, type GitOptions, inMirror, runGit } from './git.ts'
import { fetchMirror, mirrorLockWaitMs } from './mirrors.ts'
import { listRecovery } from './recovery-refs.ts'
import { removeSaved } from './saved-repository.ts'
import { removeTree, temporarySibling } from './temporary.ts'

type Options = GitOptions & { mirror: string; lockFile: string; now: Date }

/** What only the mirror has; none when it is no more than a copy. Throws KugetsuError when git fails. */
export async function reasonsToKeepMirror(options: Options): Promise<string[]> {
  const call = inMirror({ ...options, path: options.mirror })
  const reasons: string[] = []
  const worktrees = listEntries(options.mirror).filter(({ present, locked }) => present || locked !== undefined)
  if (worktrees.length > 0) reasons.push(`worktrees use it: ${worktrees.map(({ path }) => path ?? '?').join(', ')}`)
  const saved = (await listRecovery(options)).filter(({ expiresAt }) => expiresAt > options.now)
  if (saved.length > 0) reasons.push(`saved work is based on it (${saved.length}): kugetsu recover`)
  if ((await askGit(['rev-parse', '--verify', '--quiet', 'refs/stash'], call)) !== undefined) {
    reasons.push('stashes are in it')
  }
  const tips = ['--exclude=refs/remotes/origin/*', '--exclude=refs/kugetsu/*', '--exclude=refs/stash', '--all']
  const args = ['rev-list', '--count', ...tips, '--not', '--remotes=origin', '--']
  const count = (await runGit(args, call)).trim()
  if (count !== '0') reasons.push(`unpushed commits are in it (${count})`)
  return reasons
}

/**
 * Removes a mirror, once its remote has answered: what is gone there must not go here. Throws KugetsuError
 * `fetch_failed` when it does not answer, `work_at_risk` when the mirror has to stay.
 */
export async function removeMirror(options: Options): Promise<void> {
  await fetchMirror({ ...options, path: options.mirror })
  const trash = temporarySibling(options.mirror)
  await exclusively(options.lockFile, { timeoutMs: mirrorLockWaitMs, signal: options.signal }, async () => {
    const reasons = await reasonsToKeepMirror(options)
    if (reasons.length > 0) throw new KugetsuError(reasons.join('; '), { code: 'work_at_risk' })
    fs.renameSync(options.mirror, trash)
    await removeSaved(options.mirror)
  })
  await removeTree(trash)
}
