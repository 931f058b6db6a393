/**
 * Keeps work before it is deleted, beside the mirror (saved-repository.ts), as a commit under a ref of its own. The
 * commit holds the working files byte for byte. Its parents are what they were based on: HEAD, the index, the ignored
 * files, the branches, the stashes. Its message says which is which, see saved-work.ts; restore.ts puts everything
 * back.
 */
import * as path from 'node:path'
import { savedRepositoryOf } from '../mirror/list.ts'
import { KugetsuError } from '../../core/errors.ts'
import { counted } from '../../core/wording.ts'
import { writeAtomic } from '../../platform/files.ts'
import { copyRegular } from '../../platform/regular-file.ts'
import type { Heads, KnownPlace, Stash } from '../at-risk/commits.ts'
import { describeSavable, moveItAway } from '../at-risk/describe.ts'
import type { Inventory } from '../at-risk/inventory.ts'
import type { GitRepository } from '../../git/repository.ts'
import type { IssueWorktree } from '../issue-worktree.ts'
import { takeOperation } from './operation-files.ts'
import { withPlainRepository } from '../../git/throwaway-repository.ts'
import { privateFiles } from './private-files.ts'
import { listRecovery, recoveryRef, type RecoveryPoint } from '../mirror/recovery-refs.ts'
import { lend, storeSaved } from '../mirror/saved-repository.ts'
import { messageOfSaved, type SavedRecord } from '../mirror/saved-work.ts'
import { emptyTree, takeSnapshot, type Snapshot } from './snapshot.ts'

/** How many things that cannot be saved an error names. */
const mostNamed = 20

/** The worktree, or a clone in its place. It may be missing; then its commits are saved. */
export interface SaveOptions extends IssueWorktree {
  /** Names the ref: the file name form of the issue ref. */
  name: string
  /** The canonical ref of the issue. */
  issue?: string | undefined
  now: Date
}

export interface SavedWork {
  ref: string
  /** What was saved, one line. */
  summary: string
  /** Ignored files that may be work and could not be saved, each with the reason. */
  unsaved: string[]
}

/**
 * Saves what can be saved of what takeInventory() found; undefined when there is nothing to save. Does not touch the
 * worktree, its index or the mirror's branches.
 *
 * Throws KugetsuError `unsavable` when it could not save everything, `save_failed` when git fails.
 */
export async function saveWork(options: SaveOptions, inventory: Inventory): Promise<SavedWork | undefined> {
  const { place, heads, stashes, ignored, parked, uncommitted, untracked } = inventory
  const problems = [...inventory.unsavable, ...inventory.unknown]
  if (problems.length > 0 || place.kind === 'unknown') {
    const shown = [
      ...problems.slice(0, mostNamed),
      ...(problems.length > mostNamed ? [`${problems.length - mostNamed} more`] : []),
    ]
    const hint = place.kind === 'unknown' ? moveItAway : 'Push, move or delete that first.'
    throw unsavable(`not all of ${options.path} can be saved: ${shown.join('; ')}`, hint)
  }
  const withFiles = uncommitted.length + untracked.length > 0 || inventory.inProgress !== undefined
  const { commits } = inventory.unpushed
  const hasCommits = commits.size + parked.length > 0 || inventory.unasked !== undefined
  if (!withFiles && !hasCommits && stashes.length === 0 && ignored.kept.length === 0) return undefined
  const failure = { message: `cannot save the work in ${options.path}`, code: 'save_failed' }
  const mirror = options.mirror.with({ failure })
  const saving = { ...options, mirror }
  const before = place.kind === 'missing' ? await savedBefore(saving, heads, stashes) : undefined
  const found = { inventory: { ...inventory, heads: withoutPushed(heads, place, commits) }, withFiles }
  const summary = before?.summary ?? summaryOf(options, inventory)
  const ref = recoveryRef(options.name, options.now)
  const sha256 = [heads.head, ...heads.branches.values()].some((commit) => commit?.length === 64)
  await withPlainRepository(mirror, { sha256 }, async (plain) => {
    lend(plain, [place.repository, mirror.path, savedRepositoryOf(mirror.path)])
    const commit = before?.commit ?? (await commitAll(saving, place, { ...found, summary, plain }))
    await mirror.exclusively(() => storeSaved(mirror, { ref, commit, plain }))
  })
  return { ref, summary, unsaved: before === undefined ? ignored.left : [] }
}

interface Found {
  inventory: Inventory
  withFiles: boolean
}

/**
 * The saved work of a worktree after a removal that was cut off when the worktree had already been moved away. That
 * save has the files and everything still left. Saving the remains would put an incomplete save in front of it.
 */
async function savedBefore(
  { mirror, name, now }: SaveOptions,
  heads: Heads,
  stashes: Stash[],
): Promise<RecoveryPoint | undefined> {
  const tips = [heads.head, ...heads.branches.values(), ...heads.incoming, ...stashes.map(({ commit }) => commit)]
  const wanted = tips.filter((tip) => tip !== undefined)
  const mine = path.dirname(recoveryRef(name, now))
  const objects = path.join(savedRepositoryOf(mirror.path), 'objects')
  const both = mirror.with({ variables: { GIT_ALTERNATE_OBJECT_DIRECTORIES: objects } })
  for (const point of await listRecovery(mirror)) {
    if (path.dirname(point.ref) !== mine || wanted.length === 0) continue
    const args = ['rev-list', '--count', ...wanted, '--not', point.commit, '--remotes=origin', '--']
    if ((await both.line(args)) === '0') return point
  }
  return undefined
}

/** Writes everything as commits, into the objects of the plain repository. */
async function commitAll(
  options: SaveOptions,
  place: KnownPlace,
  found: Found & { summary: string; plain: GitRepository },
): Promise<string> {
  const { inventory } = found
  const plain = found.plain.with({ variables: identity(options.now) })
  const { heads, stashes, ignored, parked, uncommitted, hidden, untracked } = inventory
  // The history of a clone may be shallow.
  copyRegular(path.join(place.repository, 'shallow'), path.join(plain.path, 'shallow'))
  const commit = (tree: string, parents: string[], message: string[]) =>
    plain.line(['commit-tree', ...message, ...parents.flatMap((parent) => ['-p', parent]), tree])
  const snapshot: Snapshot = await takeSnapshot({
    plain,
    place,
    path: options.path,
    head: heads.head,
    files: found.withFiles,
    untracked,
    ignored: [...ignored.kept, ...hidden, ...privateFiles(options.path, [...uncommitted, ...untracked])],
    exclude: path.join(place.repository, 'info', 'exclude'),
    excludesFile: await excludesFileOf(options, place),
  })
  const base = heads.head ?? heads.branches.get(options.branch)
  const treeOfBase = () => plain.line(['rev-parse', `${base ?? ''}^{tree}`])
  const tree = snapshot.files ?? (await treeOfBase().catch(() => emptyTree(plain)))
  const parents = base === undefined ? [] : [base]
  const index = snapshot.index === undefined ? [] : [await commit(snapshot.index, parents, ['-m', 'index'])]
  const keptIgnored =
    snapshot.ignored === undefined ? [] : [await commit(snapshot.ignored, [], ['-m', 'ignored files'])]
  const operation = await takeOperation(plain, place)
  const unfinished = operation === undefined ? [] : [await commit(operation, [], ['-m', 'what was in progress'])]
  const record: SavedRecord = {
    issue: options.issue ?? null,
    branch: options.branch,
    head: base ?? null,
    // Without a worktree there is no HEAD, and the branch is all there is.
    on: heads.on ?? (heads.head === undefined && base !== undefined ? options.branch : null),
    branches: Object.fromEntries(heads.branches),
    files: snapshot.files !== undefined,
    index: snapshot.index ?? null,
    index_commit: index[0] ?? null,
    ignored: keptIgnored[0] ?? null,
    stashes: stashes.map((each) => ({ ...each })),
    parked: parked.map((each) => ({ ...each })),
    in_progress: inventory.inProgress ?? null,
    operation: unfinished[0] ?? null,
    left_out: [...ignored.left, ...ignored.output, ...ignored.generated].slice(0, 50),
    counts: {
      commits: inventory.unpushed.count,
      uncommitted: inventory.uncommitted.length,
      untracked: inventory.untracked.length,
      ignored: ignored.kept.length,
      stashes: stashes.length,
    },
  }
  const message = path.join(plain.path, 'message')
  writeAtomic(message, messageOfSaved(found.summary, record))
  const others = [
    ...heads.branches.values(),
    ...heads.incoming,
    ...[...stashes, ...parked].map(({ commit: each }) => each),
  ]
  return await commit(
    tree,
    [...new Set([...parents, ...index, ...keptIgnored, ...unfinished, ...others])],
    ['-F', message],
  )
}

/** Leaves out the branches of a clone that its remote has completely, unless HEAD is on them. */
function withoutPushed(heads: Heads, place: KnownPlace, unpushed: ReadonlySet<string>): Heads {
  if (place.kind !== 'clone') return heads
  const branches = [...heads.branches].filter(([name, commit]) => name === heads.on || unpushed.has(commit))
  return { ...heads, branches: new Map(branches) }
}

/**
 * The excludes file that the worktree's git uses. It may not be the user's: an agent, or a conditional include, can set
 * another.
 */
async function excludesFileOf(options: SaveOptions, place: KnownPlace): Promise<string | undefined> {
  if (place.kind === 'missing') return undefined
  const here = options.mirror.worktree(options.path, place.gitDirectory).with({ settingsAsTheyAre: true })
  return (await here.ask(['config', '--get', '--type=path', 'core.excludesFile']))?.trimEnd()
}

function identity(now: Date): Record<string, string> {
  const date = now.toISOString()
  return {
    GIT_AUTHOR_NAME: 'kugetsu',
    GIT_AUTHOR_EMAIL: 'kugetsu@localhost',
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: 'kugetsu',
    GIT_COMMITTER_EMAIL: 'kugetsu@localhost',
    GIT_COMMITTER_DATE: date,
  }
}

function summaryOf(options: SaveOptions, inventory: Inventory): string {
  const lines = describeSavable(inventory).map((line) => line.replace(/:.*/, ''))
  const kept = inventory.ignored.kept.length
  if (kept > 0) lines.push(`${kept} ignored ${kept === 1 ? 'file' : 'files'}`)
  if (inventory.parked.length > 0) lines.push(counted(inventory.parked.length, 'commit') + ' of no branch')
  return `${lines.length === 0 ? 'files' : lines.join(', ')} of ${options.branch}`
}

function unsavable(message: string, hint: string): KugetsuError {
  return new KugetsuError(message, { hint, code: 'unsavable' })
}
