/** What would be lost with a worktree. When it cannot be told that is said, and never means that nothing would be. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { messageOf } from '../core/errors.ts'
import { entryOf, type WorktreeEntry } from './entries.ts'
import { askGit, type GitOptions, inMirror, inWorktree, runGit } from './git.ts'
import { fetchMirror } from './mirrors.ts'
import { readStatus, type Status } from './status.ts'

export interface WorkAtRisk extends Status {
  /** A merge, rebase, cherry-pick, revert or bisect that was begun and not finished. */
  inProgress: string | undefined
  /** Commits of HEAD and of the branch that no branch of the remote has, and that were not merged; newest first. */
  unpushed: { count: number; subjects: string[] }
  /** Stashes made on the branch; the worktrees of a mirror share the list. */
  stashes: number
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
  }
  const reasons: string[] = []
  const attempt = async (step: () => Promise<void>) => {
    await step().catch((error: unknown) => {
      options.signal?.throwIfAborted()
      reasons.push(messageOf(error))
    })
  }
  if (!fs.existsSync(options.mirror)) return { ...work, unknown: `the mirror ${options.mirror} is missing` }
  const { fetch } = options
  if (fetch !== undefined)
    await attempt(() => fetchMirror({ ...options, path: options.mirror, lockFile: fetch.lockFile }))

  const entry = entryOf(options.mirror, options.path)
  const present = entry?.present === true
  if (!present) reasons.unshift(whyNot(options))
  await Promise.all([
    attempt(async () => void (present && Object.assign(work, await readStatus(inWorktree(options, entry.directory))))),
    attempt(async () => void (work.unpushed = await readUnpushed(options, entry))),
    attempt(async () => void (work.stashes = (await listStashes(options, entry)).length)),
  ])
  work.inProgress = entry === undefined ? undefined : operationIn(entry)
  return reasons.length === 0 ? work : { ...work, unknown: reasons.join('; ') }
}

/** Whether removing the worktree could lose anything. Ignored files do not count; not knowing does. */
export function isAtRisk(work: WorkAtRisk): boolean {
  return (
    work.unknown !== undefined ||
    work.inProgress !== undefined ||
    work.uncommitted.length + work.untracked.length + work.unpushed.count + work.stashes > 0
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
  return lines
}

/** The commits of the stashes made on the branch, or on a detached HEAD if the worktree has one; newest first. */
export async function listStashes(options: InspectOptions, entry: WorktreeEntry | undefined): Promise<string[]> {
  const call = inMirror({ ...options, path: options.mirror })
  if ((await askGit(['show-ref', '--verify', '--quiet', 'refs/stash'], call)) === undefined) return []
  const text = await runGit(['log', '--walk-reflogs', '-z', '--format=%H %gs', 'refs/stash', '--'], call)
  const places = new Set([options.branch, entry?.branch ?? '(no branch)'])
  return text
    .split('\0')
    .filter((line) => places.has(/^\S+ (?:WIP on|On) (\(no branch\)|[^:]+): /.exec(line)?.[1] ?? ''))
    .map((line) => line.slice(0, line.indexOf(' ')))
}

/** The commits to protect: where HEAD is, and the branch, as far as they exist. */
export async function tipsOf(options: InspectOptions, entry: WorktreeEntry | undefined): Promise<string[]> {
  const call = inMirror({ ...options, path: options.mirror })
  const commit = async (name: string, from = call) =>
    (await askGit(['rev-parse', '--verify', '--quiet', `${name}^{commit}`], from))?.trim()
  const tips = await Promise.all([
    entry === undefined ? undefined : commit('HEAD', { ...call, variables: { GIT_DIR: entry.directory } }),
    commit(`refs/heads/${options.branch}`),
  ])
  return [...new Set(tips.filter((tip) => tip !== undefined))]
}

async function readUnpushed(
  options: InspectOptions,
  entry: WorktreeEntry | undefined,
): Promise<WorkAtRisk['unpushed']> {
  const tips = await tipsOf(options, entry)
  if (tips.length === 0) return { count: 0, subjects: [] }
  const args = ['log', '-z', '--format=%s', ...tips, '--not', '--remotes=origin', ...(options.merged ?? []), '--']
  const text = await runGit(args, inMirror({ ...options, path: options.mirror }))
  const subjects = text === '' ? [] : text.replace(/\0$/, '').split('\0')
  return { count: subjects.length, subjects }
}

function whyNot(options: InspectOptions): string {
  return fs.existsSync(options.path)
    ? `${options.path} is not a worktree of ${options.mirror}`
    : `the worktree ${options.path} is missing`
}

const operations = {
  MERGE_HEAD: 'a merge',
  'rebase-merge': 'a rebase',
  'rebase-apply': 'a rebase',
  CHERRY_PICK_HEAD: 'a cherry-pick',
  REVERT_HEAD: 'a revert',
  BISECT_LOG: 'a bisect',
}

function operationIn(entry: WorktreeEntry): string | undefined {
  return Object.entries(operations).find(([file]) => fs.existsSync(path.join(entry.directory, file)))?.[1]
}

function counted(names: string[], what: string): string {
  return `${plural(names.length, what)}: ${sample(names, names.length)}`
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

function sample(names: string[], count: number): string {
  const shown = names.slice(0, 5).map((name) => JSON.stringify(name).slice(1, -1))
  return shown.join(', ') + (count > shown.length ? ` and ${count - shown.length} more` : '')
}
