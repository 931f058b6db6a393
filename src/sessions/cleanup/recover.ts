/** Restores saved work. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { listMirrorsAndSaved, type MirrorOfHome } from '../../worktrees/mirror/list.ts'
import { KugetsuError } from '../../core/errors.ts'
import { branchOf, formatRef, parseRef, type IssueRef } from '../../core/issue-ref.ts'
import { exclusively } from '../../platform/locks.ts'
import { entryOf, isBeingSetUp } from '../../git/worktree-entries.ts'
import { listRecovery, type RecoveryPoint } from '../../worktrees/mirror/recovery-refs.ts'
import { restoreWork, type Restored } from '../../worktrees/saving/restore.ts'
import { dropRecovery } from '../../worktrees/mirror/saved-repository.ts'
import { mirrorOf } from '../file/worktree-handles.ts'
import { note } from '../../activity/journal.ts'
import { nameOf } from '../file/session-name.ts'
import { changeIndex, changeSession, readSession } from '../file/store.ts'

const issueWaitMs = 10_000

/** Work that was saved, and where. */
export interface SavedPoint extends RecoveryPoint {
  mirror: MirrorOfHome
  /** The issue it belongs to, if known. */
  issue: IssueRef | undefined
}

export interface Recovered extends Restored {
  path: string
  issueRef: string | undefined
}

/** All saved work, newest first. A mirror that git cannot read causes a warning and hides no other mirror. */
export async function listSaved(home: Home): Promise<SavedPoint[]> {
  const lists = await Promise.all(
    listMirrorsAndSaved(home.paths).map(async (mirror) => {
      try {
        const points = await listRecovery(mirrorOf(home, mirror.repository))
        return points.map((point) => ({ ...point, mirror, issue: issueOfSaved(home, point) }))
      } catch (error) {
        if (home.signal.aborted || !(error instanceof KugetsuError)) throw error
        home.warn(`cannot read what is saved in ${mirror.path}: ${error.message}`)
        return []
      }
    }),
  )
  return lists.flat().sort((a, b) => b.savedAt.getTime() - a.savedAt.getTime())
}

/**
 * Restores saved work: into a worktree of its issue, registered so that `continue` finds it, or with `to` into a
 * directory of its own, on branches of its own. Existing files are never touched. Throws KugetsuError `work_exists`,
 * `running`, `no_issue`, and what restoreWork() throws.
 */
export async function recoverWork(
  home: Home,
  point: SavedPoint,
  options: { to?: string | undefined },
): Promise<Recovered> {
  const { issue } = point
  const issueRef = issue === undefined ? undefined : formatRef(issue)
  const recovered =
    options.to === undefined ? await intoIssue(home, point) : await restoreInto(home, point, options.to, true)
  note(home, 'recovered', { issue_ref: issueRef, reason: `${point.ref} into ${recovered.path}` })
  return { ...recovered, issueRef }
}

/** Removes saved work for good. */
export async function dropSaved(home: Home, point: SavedPoint): Promise<void> {
  await dropRecovery(mirrorOf(home, point.mirror.repository), point)
}

async function intoIssue(home: Home, point: SavedPoint): Promise<Restored & { path: string }> {
  const { issue } = point
  const elsewhere = `Restore it elsewhere: kugetsu recover ${point.id} --to <directory>`
  if (issue === undefined) {
    throw new KugetsuError(`${point.id} does not name its issue`, { hint: elsewhere, code: 'no_issue' })
  }
  const issueRef = formatRef(issue)
  const name = nameOf(home, issue)
  const wait = { timeoutMs: issueWaitMs, signal: home.signal }
  return exclusively(home.paths.lock(`issue-${name}`), wait, async () => {
    const session = readSession(home, name)
    if (session?.run || session?.state === 'starting') {
      throw new KugetsuError(`an agent is at work on ${issueRef}`, { hint: elsewhere, code: 'running' })
    }
    const place = path.join(home.paths.worktrees, name)
    const taken = [session?.worktree_path, place].find((each) => each && isThere(each) && !isHalfMade(point, each))
    if (taken !== undefined) {
      throw new KugetsuError(`${issueRef} has a worktree: ${taken}`, { hint: elsewhere, code: 'work_exists' })
    }
    const restored = await restoreInto(home, point, place, false)
    await changeSession(home, name, (current) => ({
      ...(current ?? { type: 'forked', issue_ref: issueRef, created_at: home.now().toISOString(), state: 'idle' }),
      worktree_path: place,
      branch_name: point.record?.branch ?? branchOf(issue),
    }))
    await changeIndex(home, (index) => ({ ...index, issues: { ...index.issues, [issueRef]: `${name}.json` } }))
    return restored
  })
}

async function restoreInto(
  home: Home,
  point: SavedPoint,
  place: string,
  aside: boolean,
): Promise<Restored & { path: string }> {
  const mirror = mirrorOf(home, point.mirror.repository)
  return { ...(await restoreWork({ mirror, path: place, point, aside })), path: place }
}

/** The issue that the saved work itself names, else that of the session with the same name. */
export function issueOfSaved(home: Home, point: RecoveryPoint): IssueRef | undefined {
  try {
    const text = point.record?.issue ?? readSession(home, point.name)?.issue_ref
    return text ? parseRef(text, { defaultHost: '' }) : undefined
  } catch {
    return undefined
  }
}

function isThere(place: string): boolean {
  const stat = fs.lstatSync(place, { throwIfNoEntry: false })
  return stat !== undefined && !(stat.isDirectory() && fs.readdirSync(place).length === 0)
}

/** Whether making the worktree was cut off: it has no work then and is made anew. The caller holds the issue's lock. */
function isHalfMade(point: SavedPoint, place: string): boolean {
  const entry = entryOf(point.mirror.path, place)
  return entry !== undefined && isBeingSetUp(entry)
}
