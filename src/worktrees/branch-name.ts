/**
 * The name of an issue's branch beside those that there are: git keeps refs in files, so `fix` and `fix/issue-14` cannot both
 * be, neither here nor at the remote.
 */
import { KugetsuError } from '../core/errors.ts'
import { listEntries } from '../git/worktree-entries.ts'
import { hasRoom, readRefs, refsInTheWay } from '../git/refs.ts'

const prefixes = ['refs/heads/', 'refs/remotes/origin/']

/** The names that the branch may have in the end, the usual one first. */
export function namesFor(branch: string): string[] {
  return [...new Set([branch, branch.replaceAll('/', '-')])]
}

/**
 * The first of these names for which there is room in the mirror and, as it was when it was fetched, at the remote. From
 * files. Throws KugetsuError `branch_in_use` where there is none, or where the remote has work on a branch without room here.
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
