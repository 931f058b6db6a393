/** The branch that the HEAD of the remote names. */
import { askGit, type GitOptions, inMirror, runGit } from '../../git/git.ts'
import { askRefs, readRefs, type Refs } from '../../git/refs.ts'
import { despiteLocks } from '../../git/stale-locks.ts'

/** The mirror's configuration could name another program, which would be run. */
export const theirUsual = ['--upload-pack=git-upload-pack']

const followed = 'refs/remotes/origin/HEAD'
const fetched = 'refs/kugetsu/remote/HEAD'
/**
 * A fetch takes the commit of HEAD as well, in the same round trip; git before 2.48 never follows the branch that it names.
 * As a pattern, since a remote may have none, which would fail the fetch.
 */
export const headOfRemote = '+HEAD*:refs/kugetsu/remote/HEAD*'

/**
 * Its name; undefined when it names none that exists. The remote is only asked when that is not known, or no longer where
 * HEAD was when it was fetched. `requireBranch` throws when there is none at all.
 */
export async function defaultBranch(
  options: GitOptions & { path: string },
  requireBranch: () => Promise<void>,
): Promise<string | undefined> {
  const refs = await refsOf(options)
  const known = branchIn(refs)
  const head = refs.get(fetched)?.commit
  if (known !== undefined && (head === undefined || head === refs.get(followed)?.commit)) return known
  await requireBranch()
  // `git remote set-head --auto` would do, but takes the program to run over there from the mirror's configuration.
  const call = inMirror(options)
  const said = await runGit(['ls-remote', '--symref', ...theirUsual, 'origin', 'HEAD'], {
    ...call,
    asksRemote: true,
  }).catch(() => '')
  const branch = /^ref: refs\/heads\/(.+)\tHEAD$/m.exec(said)?.[1]
  const ref = `refs/remotes/origin/${branch}`
  // Detached, or naming a branch that does not exist: the remote has no default branch.
  if (branch === undefined || (await askGit(['show-ref', '--verify', '--quiet', ref], call)) === undefined) return known
  const set = () => runGit(['symbolic-ref', followed, ref], call)
  return await despiteLocks(options.path, options.signal, set).then(
    async () => branchIn(await refsOf(options)),
    () => known,
  )
}

async function refsOf(options: GitOptions & { path: string }): Promise<Refs> {
  const names = [followed, fetched]
  return readRefs(options.path, names) ?? (await askRefs(options, names))
}

/** The branch that origin/HEAD names, if that exists. */
function branchIn(refs: Refs): string | undefined {
  const head = refs.get(followed)?.target
  const prefix = 'refs/remotes/origin/'
  return head?.startsWith(prefix) === true ? head.slice(prefix.length) : undefined
}
