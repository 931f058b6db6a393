/** A mirror that no worktree uses is worth keeping only for what the remote does not have. */
import * as fs from 'node:fs'
import { KugetsuError } from '../../core/errors.ts'
import { listEntries } from '../../git/worktree-entries.ts'
import type { GitRepository } from '../../git/repository.ts'
import { fetchMirror, objectsOfRemote } from './mirror.ts'
import { isFetched, type ObjectRef, objectRefs, reasonsOf } from './own-objects.ts'
import { listRecovery } from './recovery-refs.ts'
import { removeSaved } from './saved-repository.ts'
import { removeTree, temporarySibling } from '../../git/temporary.ts'

/**
 * What only the mirror has; empty when it is a mere copy. `remote` has the objects that its remote has just named;
 * without it, tags that a fetch may have brought are not reported. Throws KugetsuError when git fails.
 */
export async function reasonsToKeepMirror(
  mirror: GitRepository,
  now: Date,
  remote?: ReadonlySet<string>,
): Promise<string[]> {
  const reasons: string[] = []
  const worktrees = listEntries(mirror.path).filter(({ present, locked }) => present || locked !== undefined)
  if (worktrees.length > 0) reasons.push(`worktrees use it: ${worktrees.map(({ path }) => path ?? '?').join(', ')}`)
  const saved = (await listRecovery(mirror)).filter(({ expiresAt }) => expiresAt > now)
  if (saved.length > 0) reasons.push(`saved work is based on it (${saved.length}): kugetsu recover`)
  return [...reasons, ...(await onlyInMirror(mirror, remote))]
}

/**
 * What neither worktrees nor saved work account for: stashes, commits and other objects; not the commits of the branches
 * `besides`. Throws KugetsuError when git fails.
 */
export async function onlyInMirror(
  mirror: GitRepository,
  remote?: ReadonlySet<string>,
  besides: readonly string[] = [],
): Promise<string[]> {
  const reasons: string[] = []
  if ((await mirror.ask(['rev-parse', '--verify', '--quiet', 'refs/stash'])) !== undefined) {
    reasons.push('stashes are in it')
  }
  const others = [
    'refs/remotes/origin/*',
    'refs/kugetsu/*',
    'refs/stash',
    ...besides.map((name) => `refs/heads/${name}`),
  ]
  const tips = [...others.map((name) => `--exclude=${name}`), '--all']
  // Without it, the HEAD of each worktree would count too.
  const own = besides.length === 0 ? [] : ['--single-worktree']
  const args = ['rev-list', '--count', ...own, ...tips, '--not', '--remotes=origin', '--']
  const count = (await mirror.git(args)).trim()
  if (count !== '0') reasons.push(`unpushed commits are in it (${count})`)
  const isOwn = (ref: ObjectRef) => (remote === undefined ? !isFetched(ref) : !remote.has(ref.object))
  const names = (await objectRefs(mirror)).filter(isOwn).map(({ name }) => name)
  return [...reasons, ...reasonsOf(mirror.path, names)]
}

/**
 * Removes a mirror, after its remote has answered: what the remote no longer has must not be deleted here. Throws
 * KugetsuError `fetch_failed` when it does not answer, `work_at_risk` when the mirror has to stay.
 */
export async function removeMirror(mirror: GitRepository, now: Date): Promise<void> {
  await fetchMirror(mirror)
  const isToBeAsked = (await objectRefs(mirror)).some(isFetched)
  const remote = isToBeAsked ? await objectsOfRemote(mirror) : new Set<string>()
  const trash = temporarySibling(mirror.path)
  await mirror.exclusively(async () => {
    const reasons = await reasonsToKeepMirror(mirror, now, remote)
    if (reasons.length > 0) throw new KugetsuError(reasons.join('; '), { code: 'work_at_risk' })
    fs.renameSync(mirror.path, trash)
    await removeSaved(mirror.path)
  })
  await removeTree(trash)
}
