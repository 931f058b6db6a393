/** What only this home has: it would be gone with the home, so nothing is removed while there is any. */
import * as fs from 'node:fs'
import type { Home } from '../config/home.ts'
import { messageOf } from '../core/errors.ts'
import { formatRef } from '../core/issue-ref.ts'
import { isWithin } from '../platform/within.ts'
import { listEntries } from '../git/worktree-entries.ts'
import { onlyInWorktree } from '../sessions/cleanup/destroy.ts'
import { readMirrors, type Orphan } from '../sessions/cleanup/orphan.ts'
import { lostWorktrees } from '../sessions/cleanup/orphans.ts'
import { issueOfSaved } from '../sessions/cleanup/recover.ts'
import { sessionsOfIssues, readSessions, type StoredSession } from '../sessions/file/store.ts'
import { mirrorOf } from '../sessions/file/worktree-handles.ts'
import { createRemotes, type Remotes } from '../worktrees/at-risk/remotes.ts'
import { listMirrors, listMirrorsAndSaved, type MirrorOfHome } from '../worktrees/mirror/list.ts'
import { listRecovery } from '../worktrees/mirror/recovery-refs.ts'
import { onlyInMirror } from '../worktrees/mirror/unused.ts'

export interface OnlyHere {
  /** An issue, a directory, or saved work by its id. */
  what: string
  reasons: string[]
  /** The commands that bring it elsewhere. */
  next: string[]
}

/** Everything that only this home has. Asks remotes and forges. What cannot be told counts. Throws only when interrupted. */
export async function onlyHere(home: Home, remotes = createRemotes()): Promise<OnlyHere[]> {
  const sessions = sessionsOfIssues(readSessions(home))
  const ofIssues = await Promise.all(sessions.map((stored) => ofIssue(home, stored, remotes)))
  const others = lostWorktrees(home, readMirrors(home), { sessions, awaited: [] }, remotes, true)
  const ofOthers = await Promise.all(
    others
      .filter(({ what }) => isWithin(home.paths.worktrees, what))
      .map(async ({ what, look }): Promise<OnlyHere> => {
        return {
          what,
          reasons: await told(home, () => reasonsIn(look)),
          next: [`move what you need of ${what} elsewhere`],
        }
      }),
  )
  const saved = await onlySaved(home)
  const mirrors = await Promise.all(listMirrors(home.paths).map((mirror) => ofMirror(home, mirror)))
  return [...ofIssues, ...ofOthers, ...saved, ...mirrors].filter(({ reasons }) => reasons.length > 0)
}

/** The saved work of the home, however old. */
export async function onlySaved(home: Home): Promise<OnlyHere[]> {
  const lists = await Promise.all(
    listMirrorsAndSaved(home.paths).map(async ({ path, repository }): Promise<OnlyHere[]> => {
      try {
        const points = await listRecovery(mirrorOf(home, repository))
        return points.map((point) => {
          const issue = issueOfSaved(home, point)
          const ref = issue === undefined ? undefined : formatRef(issue)
          const back = [`kugetsu recover ${point.id}`, ...(ref === undefined ? [] : [`kugetsu push ${ref}`])]
          const what = `saved work ${point.id}${ref === undefined ? '' : ` of ${ref}`}`
          return { what, reasons: [point.summary], next: [...back, `or, for good: kugetsu recover --drop ${point.id}`] }
        })
      } catch (error) {
        home.signal.throwIfAborted()
        return [{ what: path, reasons: [`cannot tell what is saved: ${messageOf(error)}`], next: ['kugetsu doctor'] }]
      }
    }),
  )
  return lists.flat()
}

async function ofIssue(home: Home, { name, record }: StoredSession, remotes: Remotes): Promise<OnlyHere> {
  const what = record.issue_ref ?? name
  const { reasons, unpushed } = await onlyInWorktree(home, record, remotes)
  const place = record.worktree_path
  const isPushable = unpushed > 0 && Boolean(place) && fs.existsSync(place ?? '')
  const isMore = !isPushable || reasons.length > 1
  const look = isMore ? [`cd "$(kugetsu path ${what})"   # commit what you need, or move it elsewhere`] : []
  return { what, reasons, next: [...look, `kugetsu push ${what}`] }
}

/** The branches of worktrees were looked at with those. */
async function ofMirror(home: Home, { path, repository }: MirrorOfHome): Promise<OnlyHere> {
  const worktrees = listEntries(path).filter(({ present }) => present)
  const branches = worktrees.flatMap(({ branch }) => branch ?? [])
  const used = worktrees
    .flatMap((entry) => entry.path ?? [])
    .filter((place) => !isWithin(home.paths.worktrees, place))
    .map((place) => `its worktree ${place} is outside of the home`)
  const reasons = await told(home, () => onlyInMirror(mirrorOf(home, repository), undefined, branches))
  const next = [
    ...(used.length === 0 ? [] : [`push what is there; then: git --git-dir=${path} worktree remove <directory>`]),
    ...(reasons.length === 0 ? [] : [`push from there what you need: git --git-dir=${path} log --all --not --remotes`]),
  ]
  return { what: `the repository ${path}`, reasons: [...used, ...reasons], next }
}

async function reasonsIn(look: Orphan['look']): Promise<string[]> {
  const { reasons, isUnclear } = await look()
  return reasons.length === 0 && isUnclear ? ['cannot tell what would be lost'] : reasons
}

async function told(home: Home, reasons: () => Promise<string[]>): Promise<string[]> {
  return reasons().catch((error: unknown) => {
    home.signal.throwIfAborted()
    return [`cannot tell what would be lost: ${messageOf(error)}`]
  })
}
