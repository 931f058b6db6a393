/** The branch that the remote's HEAD names. */
import type { GitRepository } from '../../git/repository.ts'
import { askRefs, readRefs, type Refs } from '../../git/refs.ts'

/** Named explicitly: the mirror's configuration could name another program, which git would run. */
export const theirUsual = ['--upload-pack=git-upload-pack']

const followed = 'refs/remotes/origin/HEAD'
const fetched = 'refs/kugetsu/remote/HEAD'
/**
 * A fetch also takes the commit of HEAD, in the same round trip, because git before 2.48 never follows the branch that HEAD
 * names. It is a pattern, because a remote may have no HEAD, which would fail the fetch.
 */
export const headOfRemote = '+HEAD*:refs/kugetsu/remote/HEAD*'

/**
 * The name of the remote's default branch; undefined when HEAD names no existing branch. The remote is asked only when the
 * name is not known, or when that branch is no longer where HEAD was at the fetch. `requireBranch` throws when the remote
 * has no branch at all.
 */
export async function defaultBranch(
  mirror: GitRepository,
  requireBranch: () => Promise<void>,
): Promise<string | undefined> {
  const refs = await refsOf(mirror)
  const known = branchIn(refs)
  const head = refs.get(fetched)?.commit
  if (known !== undefined && (head === undefined || head === refs.get(followed)?.commit)) return known
  await requireBranch()
  // `git remote set-head --auto` would do, but it takes the program to run on the remote from the mirror's configuration.
  const asking = mirror.with({ asksRemote: true })
  const said = await asking.git(['ls-remote', '--symref', ...theirUsual, 'origin', 'HEAD']).catch(() => '')
  const branch = /^ref: refs\/heads\/(.+)\tHEAD$/m.exec(said)?.[1]
  const ref = `refs/remotes/origin/${branch}`
  // HEAD is detached, or names a branch that does not exist: the remote has no default branch.
  if (branch === undefined || (await mirror.ask(['show-ref', '--verify', '--quiet', ref])) === undefined) return known
  const set = () => mirror.git(['symbolic-ref', followed, ref])
  return await mirror.despiteLocks(set).then(
    async () => branchIn(await refsOf(mirror)),
    () => known,
  )
}

async function refsOf(mirror: GitRepository): Promise<Refs> {
  const names = [followed, fetched]
  return readRefs(mirror.path, names) ?? (await askRefs(mirror, names))
}

/** The branch that origin/HEAD names, if it exists. */
function branchIn(refs: Refs): string | undefined {
  const head = refs.get(followed)?.target
  const prefix = 'refs/remotes/origin/'
  return head?.startsWith(prefix) === true ? head.slice(prefix.length) : undefined
}
