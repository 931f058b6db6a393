/**
 * A mirror's entries of removed worktrees. Dropping an entry keeps its branch, but loses its detached HEAD and its
 * index.
 */
import * as fs from 'node:fs'
import { KugetsuError } from '../core/errors.ts'
import type { Keeping } from './at-risk/describe.ts'
import { inside } from './at-risk/inside.ts'
import { operationIn } from './at-risk/operations.ts'
import { parkedOf } from './at-risk/parked.ts'
import type { Remotes } from './at-risk/remotes.ts'
import { dropEntry, isBeingSetUp, listEntries, type WorktreeEntry } from '../git/worktree-entries.ts'
import { gitDirectories } from '../git/git.ts'
import type { GitRepository } from '../git/repository.ts'
import { isUnfinished } from './leftovers.ts'
import { isSaved } from './mirror/recovery-refs.ts'

/** The entries of missing worktrees. A worktree still being made may be among them. */
export function deadEntries(mirror: string): WorktreeEntry[] {
  return listEntries(mirror).filter((entry) => !entry.present)
}

/** Why a dead entry must not be dropped. Throws KugetsuError when git fails. */
export async function whyEntryStays(mirror: GitRepository, remotes: Remotes, entry: WorktreeEntry): Promise<Keeping> {
  if (isUnfinished(entry)) return keeping()
  if (entry.path === undefined) return unclear('cannot tell where its worktree is')
  if (fs.existsSync(entry.path)) return unclear(`cannot tell what ${entry.path} is, which does not belong to it`)
  if (entry.locked !== undefined && !isBeingSetUp(entry))
    return keeping(`it is locked: ${entry.locked || 'no reason given'}`)
  const own = mirror.with({ variables: gitDirectories(entry.directory) })
  if ((await own.ask(['rev-parse', '--verify', '--quiet', 'HEAD'])) === undefined) return keeping()
  const reasons: string[] = []
  if (fs.existsSync(`${entry.directory}/index`)) {
    const isClean = (await own.ask(['diff-index', '--cached', '--quiet', 'HEAD', '--'])) !== undefined
    if (!isClean) reasons.push('changes were staged in it')
  }
  if (entry.branch === undefined) {
    const elsewhere = ['--not', '--remotes=origin', '--branches']
    const count = (await own.git(['rev-list', '--count', 'HEAD', ...elsewhere, '--'])).trim()
    const { detached } = entry
    if (count !== '0' && (detached === undefined || !(await isSaved(mirror, detached))))
      reasons.push(`its detached HEAD has unpushed commits (${count})`)
  }
  const place = { kind: 'missing', repository: mirror.path, entry } as const
  // The entry's branch stays when the entry goes, so no branch is listed here.
  const heads = { head: entry.detached, on: entry.branch, branches: new Map<string, string>(), incoming: [] }
  const parked = await parkedOf({ mirror, branch: '' }, place, heads, [])
  if (parked.length > 0)
    reasons.push(`only its records name some commits (${parked.map(({ from }) => from).join(', ')})`)
  const operation = operationIn(entry.directory)
  if (operation !== undefined) reasons.push(`${operation} was in progress in it`)
  // `pushed` is empty, so the remotes are asked: it is not known here whether the mirror is up to date.
  const look = { root: entry.path, mirror, gitDirectory: entry.directory, remotes, pushed: [] }
  const { lost, unknown } = await inside(look)
  const unsure = unknown.map((reason) => `cannot tell: ${reason}`)
  return { reasons: [...reasons, ...lost, ...unsure], isUnclear: unsure.length > 0 }
}

/** Drops an entry if it is still dead. Throws KugetsuError `work_at_risk` when it now has to stay. */
export async function dropDeadEntry(mirror: GitRepository, remotes: Remotes, directory: string): Promise<void> {
  await mirror.exclusively(async () => {
    const entry = deadEntries(mirror.path).find((each) => each.directory === directory)
    if (entry === undefined) return
    const { reasons } = await whyEntryStays(mirror, remotes, entry)
    if (reasons.length > 0) throw new KugetsuError(reasons.join('; '), { code: 'work_at_risk' })
    dropEntry(entry)
  })
}

function keeping(...reasons: string[]): Keeping {
  return { reasons, isUnclear: false }
}

function unclear(reason: string): Keeping {
  return { reasons: [reason], isUnclear: true }
}
