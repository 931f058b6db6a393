/** What would be lost with a worktree. When it cannot be told that is said, and never means that nothing would be. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { messageOf } from '../core/errors.ts'
import { type ByteName, displayName, namesIn } from '../platform/byte-names.ts'
import { listDirectory } from '../platform/files.ts'
import { headsOf, stashesOf, unpushedOf } from './commits-at-risk.ts'
import { listEntries } from './entries.ts'
import { gitDirectories, type GitOptions, inWorktree, runGitForBytes } from './git.ts'
import { sortIgnored } from './ignored-files.ts'
import { fetchMirror } from './mirrors.ts'
import { placeOf, type Place } from './place.ts'
import { readStatus, type Status } from './status.ts'

export interface WorkAtRisk extends Status {
  /** A merge, rebase, cherry-pick, revert or bisect that was begun and not finished. */
  inProgress: string | undefined
  /** Commits of HEAD and of the branch that no branch of the remote has, and that were not merged; newest first. */
  unpushed: { count: number; subjects: string[] }
  /** Stashes made on the branch; the worktrees of a mirror share the list. */
  stashes: number
  /** Ignored files that saveWork() does not save though they may be work, each with the reason. */
  unsaved: string[]
  /** Why it cannot be told; what is listed may not be all then. */
  unknown?: string
}

export interface InspectOptions extends GitOptions {
  /** The worktree. */
  path: string
  mirror: string
  branch: string
  /** Fetch first, so that "pushed" means now; not being able to is `unknown`. */
  fetch?: { lockFile: string } | undefined
  /** Commits of the mirror that are known to be merged, with all before them, though no branch may have them. */
  merged?: readonly string[] | undefined
}

/** Looks at a worktree, or at what its mirror still has of one that is missing. Throws only when interrupted. */
export async function inspectWork(options: InspectOptions): Promise<WorkAtRisk> {
  const work: WorkAtRisk = {
    uncommitted: [],
    untracked: [],
    ignored: [],
    submodules: [],
    inProgress: undefined,
    unpushed: { count: 0, subjects: [] },
    stashes: 0,
    unsaved: [],
  }
  const reasons: string[] = []
  const attempt = async (step: () => Promise<void>) => {
    await step().catch((error: unknown) => {
      options.signal?.throwIfAborted()
      reasons.push(messageOf(error))
    })
  }
  const place = placeOf(options)
  const hasMirror = fs.existsSync(options.mirror)
  if (!hasMirror && (place.kind === 'unknown' || place.kind === 'missing')) {
    return { ...work, unknown: `the mirror ${options.mirror} is missing` }
  }
  if (place.kind === 'unknown') return { ...work, unknown: `${options.path} is not a worktree of ${options.mirror}` }
  const { fetch } = options
  if (fetch !== undefined && hasMirror)
    await attempt(() => fetchMirror({ ...options, path: options.mirror, lockFile: fetch.lockFile }))

  await Promise.all([
    attempt(async () => void Object.assign(work, await filesOf(options, place))),
    attempt(async () => {
      const heads = await headsOf(options, place)
      const [{ count, subjects }, stashes] = await Promise.all([
        unpushedOf(options, place, heads),
        stashesOf(options, place, heads),
      ])
      work.unpushed = { count, subjects }
      work.stashes = stashes.length
    }),
  ])
  work.unsaved = sortIgnored(options.path, work.ignored).left
  work.inProgress = place.kind === 'missing' ? undefined : operationIn(place.gitDirectory)
  const others = place.kind === 'clone' ? listEntries(place.repository).filter(({ present }) => present) : []
  if (others.length > 0) reasons.push(`${others[0]?.path ?? 'another directory'} is a worktree of that clone`)
  return reasons.length === 0 ? work : { ...work, unknown: reasons.join('; ') }
}

/** Whether removing the worktree could lose anything. Ignored files that are saved do not count; not knowing does. */
export function isAtRisk(work: WorkAtRisk): boolean {
  return (
    work.unknown !== undefined ||
    work.inProgress !== undefined ||
    work.uncommitted.length + work.untracked.length + work.unpushed.count + work.stashes > 0 ||
    work.unsaved.length > 0
  )
}

/** What would be lost, a line for each kind; nothing for a clean worktree. */
export function describeWork(work: WorkAtRisk): string[] {
  const lines: string[] = []
  if (work.unknown !== undefined) lines.push(`cannot tell what would be lost: ${work.unknown}`)
  if (work.inProgress !== undefined) lines.push(`${work.inProgress} is in progress`)
  if (work.uncommitted.length > 0) lines.push(`${counted(work.uncommitted, 'uncommitted change')}`)
  if (work.untracked.length > 0) lines.push(`${counted(work.untracked, 'untracked file')}`)
  if (work.unpushed.count > 0) {
    lines.push(
      `${plural(work.unpushed.count, 'unpushed commit')}: ${sample(work.unpushed.subjects, work.unpushed.count)}`,
    )
  }
  if (work.stashes > 0) lines.push(plural(work.stashes, 'stash', 'stashes'))
  if (work.unsaved.length > 0) {
    const which = `${plural(work.unsaved.length, 'ignored file')} that cannot be saved`
    lines.push(`${which}: ${sample(work.unsaved, work.unsaved.length)}`)
  }
  return lines
}

/** What is in the files; of a worktree that is missing, what only its index still has. */
async function filesOf(options: InspectOptions, place: Exclude<Place, { kind: 'unknown' }>): Promise<Partial<Status>> {
  if (place.kind !== 'missing') return readStatus(inWorktree(options, place.gitDirectory))
  const directory = place.entry?.directory
  if (directory === undefined || !fs.existsSync(path.join(directory, 'index'))) return {}
  const { env, timeoutMs, signal } = options
  const call = { env, timeoutMs, signal, cwd: options.mirror, variables: gitDirectories(directory) }
  const args = ['diff-index', '--cached', '--name-only', '-z', '--no-renames', 'HEAD', '--']
  return { uncommitted: namesIn(await runGitForBytes(args, call)) }
}

const operations = {
  MERGE_HEAD: 'a merge',
  'rebase-merge': 'a rebase',
  'rebase-apply': 'a rebase',
  CHERRY_PICK_HEAD: 'a cherry-pick',
  REVERT_HEAD: 'a revert',
  BISECT_LOG: 'a bisect',
}

/** What was begun in a worktree and not finished, by its git directory. */
export function operationIn(gitDirectory: string): string | undefined {
  const files = new Set(listDirectory(gitDirectory))
  return Object.entries(operations).find(([file]) => files.has(file))?.[1]
}

function counted(names: ByteName[], what: string): string {
  return `${plural(names.length, what)}: ${sample(names.slice(0, shownNames).map(displayName), names.length)}`
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

const shownNames = 5

function sample(names: string[], count: number): string {
  const shown = names.slice(0, shownNames).map((name) => JSON.stringify(name).slice(1, -1))
  return shown.join(', ') + (count > shown.length ? ` and ${count - shown.length} more` : '')
}
