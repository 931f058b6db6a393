/** Puts saved work back as it was: branches, HEAD, the index, the files, the ignored files, the stashes. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { KugetsuError } from '../../core/errors.ts'
import { plainLine } from '../../core/plain-text.ts'
import { namesIn, placeIn } from '../../platform/byte-names.ts'
import { ensureDirectory, readText, writeAtomic } from '../../platform/files.ts'
import { listStashes } from '../at-risk/commits.ts'
import { entryOf, listEntries, unlockEntry, type WorktreeEntry } from '../../git/worktree-entries.ts'
import type { GitRepository } from '../../git/repository.ts'
import { putOperation } from './operation-files.ts'
import { emptyTree } from './snapshot.ts'
import { withPlainRepository } from '../../git/throwaway-repository.ts'
import type { RecoveryPoint } from '../mirror/recovery-refs.ts'
import { bringBack, lend, makeEmptyMirror } from '../mirror/saved-repository.ts'
import type { SavedRecord } from '../mirror/saved-work.ts'
import type { WorktreePlace } from '../issue-worktree.ts'
import { isAncestor } from '../start-point.ts'
import { discardWorktree, registerWorktree } from '../worktrees.ts'

/** The place of the new worktree; nothing may be there. */
export interface RestoreOptions extends WorktreePlace {
  point: RecoveryPoint
  /** Leave the branches alone and give the saved ones new names, `recovered/<id>/<branch>`. */
  aside: boolean
}

export interface Restored {
  /** The current branch; undefined when HEAD is detached. */
  branch: string | undefined
  head: string
  /** Branches that came back under another name, by their original name. */
  renamed: Record<string, string>
  /** The operation that was in progress when the work was saved. It is not resumed. */
  inProgress: string | undefined
  /** The directory in the worktree with that operation's files: patches and messages that exist nowhere else. */
  operationFiles: string | undefined
  /** Ignored files that were not saved. */
  leftOut: string[]
}

/**
 * Makes a worktree with the saved work in it. Existing work is never touched: throws KugetsuError `branch_taken` when the
 * branch has other commits by now, `branch_in_use` when another worktree is on it, `path_taken`, `restore_failed` when git
 * fails. If it fails, what it made is removed. The recovery ref stays.
 */
export async function restoreWork(options: RestoreOptions): Promise<Restored> {
  const { point } = options
  const failure = { message: `cannot restore ${point.id} into ${options.path}`, code: 'restore_failed' }
  const mirror = options.mirror.with({ failure })
  const sha256 = point.commit.length === 64
  if (!fs.existsSync(mirror.path)) await mirror.exclusively(() => makeEmptyMirror(mirror, sha256))
  return await withPlainRepository(mirror, { sha256 }, async (plain) => {
    lend(plain, [point.repository, mirror.path])
    return await restoreBy({ ...options, mirror }, plain)
  })
}

async function restoreBy(options: RestoreOptions, plain: GitRepository): Promise<Restored> {
  const { point, mirror } = options
  const record = point.record ?? bare(point)
  const head = record.head ?? (await rootCommit(mirror))
  const undo: (() => Promise<unknown>)[] = []
  try {
    const { branch, renamed } = await mirror.exclusively(async () => {
      if (point.repository !== mirror.path) {
        await bringBack(mirror, { ref: point.ref, commits: commitsOf(record), plain })
      }
      const branches = { ...record.branches, ...(record.on === null ? {} : { [record.on]: head }) }
      const names = await nameBranches(options, branches, record.on)
      for (const [name, target] of names.values()) {
        const before = await commitOf(mirror, `refs/heads/${name}`)
        if (before === target) continue
        await mirror.git(['update-ref', `refs/heads/${name}`, target, before ?? '0'.repeat(target.length)])
        undo.push(() => putBack(mirror.with({ signal: undefined }), name, target, before))
      }
      const on = record.on === null ? undefined : names.get(record.on)?.[0]
      await registerWorktree(options, on === undefined ? { commit: head } : { branch: on })
      undo.push(() => discardWorktree({ ...options, deleteBranch: false }))
      const moved = [...names].filter(([own, [name]]) => own !== name).map(([own, [name]]) => [own, name] as const)
      return { branch: on, renamed: Object.fromEntries(moved) }
    })
    const operationFiles = await fill(options, record, head, plain)
    return {
      branch,
      head,
      renamed,
      inProgress: record.in_progress ?? undefined,
      operationFiles,
      leftOut: record.left_out,
    }
  } catch (error) {
    for (const step of undo.reverse()) await step().catch(() => {})
    throw error
  }
}

/** The commits that the worktree and its repository need again. Saved files go into the directory only. */
function commitsOf(record: SavedRecord): string[] {
  const { head, branches, stashes, parked = [], index_commit: index } = record
  const named = [head, index, ...Object.values(branches), ...[...stashes, ...parked].map(({ commit }) => commit)]
  return named.filter((commit) => commit !== null && commit !== undefined)
}

/** The name that each saved branch gets, by its original name: the same, unless other work is in the way. */
async function nameBranches(
  options: RestoreOptions,
  branches: Record<string, string>,
  on: string | null,
): Promise<Map<string, [name: string, commit: string]>> {
  const names = new Map<string, [string, string]>()
  for (const [own, target] of Object.entries(branches)) {
    const problem = options.aside ? 'aside' : await inTheWay(options, own, target)
    if (problem !== undefined && !options.aside && own === on) throw problem as KugetsuError
    names.set(own, [problem === undefined ? own : `recovered/${options.point.id}/${own}`, target])
  }
  if (!options.aside) return names
  for (const [own, [name, target]] of names) {
    const problem = await inTheWay(options, name, target)
    if (problem !== undefined && own === on) throw problem
    if (problem !== undefined) names.delete(own)
  }
  return names
}

async function inTheWay(
  { mirror, path: place }: RestoreOptions,
  branch: string,
  target: string,
): Promise<KugetsuError | undefined> {
  const hint = 'Put the saved work elsewhere: --to <directory>'
  const user = listEntries(mirror.path).find((entry) => entry.branch === branch && entry.path !== place)
  if (user?.path !== undefined && fs.existsSync(user.path)) {
    return new KugetsuError(`branch ${branch} is checked out in ${user.path}`, { hint, code: 'branch_in_use' })
  }
  const current = await commitOf(mirror, `refs/heads/${branch}`)
  if (current === undefined || current === target) return undefined
  return (await isAncestor(mirror, current, target))
    ? undefined
    : new KugetsuError(`branch ${branch} has other commits by now`, { hint, code: 'branch_taken' })
}

/**
 * Puts files, index and stashes into the new worktree, which is locked until everything is there. Returns
 * Restored.operationFiles.
 */
async function fill(
  options: RestoreOptions,
  record: SavedRecord,
  head: string,
  plain: GitRepository,
): Promise<string | undefined> {
  const { mirror } = options
  const entry = entryOf(mirror.path, options.path)
  if (entry?.present !== true) {
    throw new KugetsuError(`the worktree ${options.path} vanished while it was made`, { code: 'restore_failed' })
  }
  const inside = mirror.worktree(options.path, entry.directory)
  const index = record.index ?? head
  await inside.git(['read-tree', index])
  await inside.git(['checkout-index', '--all', '--force', '--quiet', '--index'])
  const bytes = plain.with({ cwd: options.path, variables: { GIT_WORK_TREE: options.path } })
  if (record.files) await putFiles(options, bytes, index)
  if (record.ignored !== null) {
    await bytes.git(['read-tree', record.ignored])
    await bytes.git(['checkout-index', '--all', '--force', '--quiet'])
    await forTheOwnerAlone(options.path, bytes)
  }
  const operationFiles = record.operation ? await putOperation(options.path, bytes, record.operation) : undefined
  await storeStashes(mirror, record, inside)
  putIntoReflog(entry, options.point, record)
  unlockEntry(entry)
  return operationFiles
}

/**
 * Writes the files that differ from the index, byte for byte. The others are checked out as always: what filters make of
 * them (line ends, Git LFS) was not saved. The names stay inside git, because they are bytes.
 */
async function putFiles(options: RestoreOptions, plain: GitRepository, index: string): Promise<void> {
  await plain.git(['read-tree', index])
  await plain.git(['read-tree', '--reset', '-u', `${index}^{tree}`, `${options.point.commit}^{tree}`])
}

/** A stash that the list still has is not added again. */
async function storeStashes(mirror: GitRepository, record: SavedRecord, inside: GitRepository): Promise<void> {
  if (record.stashes.length === 0) return
  await mirror.exclusively(async () => {
    const exists = (await commitOf(mirror, 'refs/stash')) !== undefined
    const listed = exists ? (await listStashes(mirror)).map(({ commit }) => commit) : []
    for (const { commit, message } of record.stashes.toReversed()) {
      if (!listed.includes(commit)) await inside.git(['stash', 'store', '--quiet', '-m', message, commit])
    }
  })
}

/**
 * Names the commits of no branch in the reflog of HEAD: it keeps them from gc and is never pushed. They go before the
 * existing lines, written as a file (gitrepository-layout(5)), since git itself only appends what HEAD moves to.
 */
function putIntoReflog(entry: WorktreeEntry, point: RecoveryPoint, record: SavedRecord): void {
  const log = path.join(entry.directory, 'logs', 'HEAD')
  const seconds = Math.floor(Date.now() / 1000)
  const lines = (record.parked ?? []).map(({ commit, from }) => {
    const before = '0'.repeat(commit.length)
    return `${before} ${commit} kugetsu <kugetsu@localhost> ${seconds} +0000\tkugetsu: saved in ${point.id}, named by ${plainLine(from, 200)}\n`
  })
  if (lines.length === 0) return
  ensureDirectory(path.dirname(log))
  writeAtomic(log, lines.join('') + (readText(log) ?? ''))
}

/** Git records no mode but executable, and ignored files hold passwords more often than others. */
async function forTheOwnerAlone(worktree: string, plain: GitRepository): Promise<void> {
  for (const name of namesIn(await plain.bytes(['ls-files', '-z']))) {
    const place = placeIn(worktree, name)
    const stat = fs.lstatSync(place)
    if (stat.isFile()) fs.chmodSync(place, stat.mode & 0o700)
  }
}

/** A commit that was only given a ref has no record, only commits. */
function bare(point: RecoveryPoint): SavedRecord {
  const counts = { commits: 0, uncommitted: 0, untracked: 0, ignored: 0, stashes: 0 }
  const nothing = { issue: null, branch: null, index: null, ignored: null, in_progress: null }
  return { ...nothing, head: point.commit, on: null, branches: {}, files: false, stashes: [], left_out: [], counts }
}

/** For work that was saved before its first commit: a worktree needs one. */
async function rootCommit(mirror: GitRepository): Promise<string> {
  const tree = await emptyTree(mirror)
  const name = { GIT_AUTHOR_NAME: 'kugetsu', GIT_AUTHOR_EMAIL: 'kugetsu@localhost' }
  const committer = { GIT_COMMITTER_NAME: 'kugetsu', GIT_COMMITTER_EMAIL: 'kugetsu@localhost' }
  const named = mirror.with({ variables: { ...name, ...committer } })
  return await named.line(['commit-tree', '-m', 'Nothing was committed yet', tree])
}

async function putBack(mirror: GitRepository, branch: string, from: string, to: string | undefined): Promise<void> {
  const ref = `refs/heads/${branch}`
  await mirror.git(to === undefined ? ['update-ref', '-d', ref, from] : ['update-ref', ref, to, from])
}

async function commitOf(mirror: GitRepository, name: string): Promise<string | undefined> {
  return (await mirror.ask(['rev-parse', '--verify', '--quiet', `${name}^{commit}`]))?.trim() || undefined
}
