/**
 * Picks a branch name for an issue that fits beside the existing branches. Git keeps refs in files, so `fix` and
 * `fix/issue-14` cannot both exist, neither here nor at the remote.
 */
import { KugetsuError } from '../core/errors.ts'
import { listEntries } from '../git/worktree-entries.ts'
import { hasRoom, readRefs, refsInTheWay } from '../git/refs.ts'

const prefixes = ['refs/heads/', 'refs/remotes/origin/']

/** The names that the branch may end up with, the usual one first. */
export function namesFor(branch: string): string[] {
  return [...new Set([branch, branch.replaceAll('/', '-')])]
}

/**
 * The first of these names that has room in the mirror and, as of the last fetch, at the remote. Reads files only. Throws
 * KugetsuError `branch_in_use` when no name has room, or when the remote has work on a branch that has no room here.
 */
export function nameWithRoom(mirror: string, branch: string): string {
  const [free] = namesFor(branch).filter((name) => prefixes.every((prefix) => hasRoom(mirror, prefix + name)))
  const isAtRemote = () => readRefs(mirror, [`refs/remotes/origin/${branch}`])?.size === 1
  if (free !== undefined && (free === branch || !isAtRemote())) return free
  const [ref = ''] = prefixes.flatMap((prefix) => refsInTheWay(mirror, prefix + branch))
  const other = ref.replace(/^refs\/(heads|remotes)\//, '')
  const at = listEntries(mirror).find((entry) => `refs/heads/${entry.branch}` === ref)?.path
  throw new KugetsuError(
    `branch ${branch} cannot be made beside the branch ${other}${at === undefined ? '' : `, which is checked out in ${at}`}`,
    {
      hint:
        at === undefined
          ? `Rename or delete ${other}.`
          : `Give that another name: git -C ${at} branch -m ${other} <name>`,
      code: 'branch_in_use',
    },
  )
}
