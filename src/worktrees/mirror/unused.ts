/** A mirror that no worktree uses is a copy of the remote and as such worth nothing, unless it has more than that. */
import * as fs from 'node:fs'
import { KugetsuError } from '../../core/errors.ts'
import { exclusively } from '../../platform/locks.ts'
import { listEntries } from '../../git/worktree-entries.ts'
import { askGit, type GitOptions, inMirror, runGit } from '../../git/git.ts'
import { fetchMirror, mirrorLockWaitMs, objectsOfRemote } from './mirror.ts'
import { isFetched, objectRefs, reasonsOf } from './own-objects.ts'
import { listRecovery } from './recovery-refs.ts'
import { removeSaved } from './saved-repository.ts'
import { removeTree, temporarySibling } from '../../git/temporary.ts'

type Options = GitOptions & { mirror: string; lockFile: string; now: Date }

/**
 * What only the mirror has; empty when it is no more than a copy. `remote` has the objects that its remote has just named;
 * without it, tags that a fetch may have brought are not reported. Throws KugetsuError when git fails.
 */
export async function reasonsToKeepMirror(options: Options, remote?: ReadonlySet<string>): Promise<string[]> {
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
  const refs = (await objectRefs(call)).filter((ref) =>
    remote === undefined ? !isFetched(ref) : !remote.has(ref.object),
  )
  return [
    ...reasons,
    ...reasonsOf(
      options.mirror,
      refs.map(({ name }) => name),
    ),
  ]
}

/**
 * Removes a mirror, after its remote has answered: what the remote no longer has must not be deleted here. Throws
 * KugetsuError `fetch_failed` when it does not answer, `work_at_risk` when the mirror has to stay.
 */
export async function removeMirror(options: Options): Promise<void> {
  await fetchMirror({ ...options, path: options.mirror })
  const { mirror } = options
  const isToBeAsked = (await objectRefs(inMirror({ ...options, path: mirror }))).some(isFetched)
  const remote = isToBeAsked ? await objectsOfRemote({ ...options, path: mirror }) : new Set<string>()
  const trash = temporarySibling(options.mirror)
  await exclusively(options.lockFile, { timeoutMs: mirrorLockWaitMs, signal: options.signal }, async () => {
    const reasons = await reasonsToKeepMirror(options, remote)
    if (reasons.length > 0) throw new KugetsuError(reasons.join('; '), { code: 'work_at_risk' })
    fs.renameSync(options.mirror, trash)
    await removeSaved(options.mirror)
  })
  await removeTree(trash)
}
