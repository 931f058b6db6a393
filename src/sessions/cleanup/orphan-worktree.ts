/** A worktree that no session names. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import type { MirrorOfHome } from '../../worktrees/mirror/list.ts'
import { KugetsuError } from '../../core/errors.ts'
import { baseNameOf } from '../../core/issue-names.ts'
import { formatRef, parseRef } from '../../core/issue-ref.ts'
import { tryExclusive } from '../../platform/locks.ts'
import {
  describeInventory,
  describeLost,
  describeSavedByItself,
  isAtRisk,
  isUnclear,
  type Keeping,
} from '../../worktrees/at-risk/describe.ts'
import { type Inventory, takeInventory } from '../../worktrees/at-risk/inventory.ts'
import type { Remotes } from '../../worktrees/at-risk/remotes.ts'
import { isSamePlace } from '../../git/worktree-entries.ts'
import { saveWork } from '../../worktrees/saving/save.ts'
import { removeWorktree } from '../../worktrees/worktrees.ts'
import { remoteOf } from './inventory.ts'
import { note } from '../../activity/journal.ts'
import { quietWorktree } from '../runs/left-running.ts'
import { asidesOf, type Mirrors, type Orphan } from './orphan.ts'
import { slotHolders } from '../slots/slots.ts'
import { readSessions } from '../file/store.ts'
import { mirrorOf, noMirror } from '../file/worktree-handles.ts'

/**
 * The orphan at `place`; undefined for anything but a worktree: a file, or a directory half made or half deleted.
 * `savesNothing`: what would be saved by itself is a reason to stay too.
 */
export function worktreeOrphan(
  home: Home,
  place: string,
  { mirrors, unread }: Mirrors,
  remotes: Remotes,
  savesNothing = false,
): Orphan | undefined {
  const name = path.basename(place)
  if (name.startsWith('.') || !fs.lstatSync(place).isDirectory()) return undefined
  const found = mirrors.flatMap((mirror) =>
    mirror.entries
      .filter((entry) => entry.present && entry.path !== undefined && isSamePlace(entry.path, place))
      .map((entry) => ({ mirror, entry })),
  )[0]
  const branch = found?.entry.branch ?? ''
  const issueRef = found === undefined ? undefined : issueOf(found.mirror, branch, name)
  // Without a mirror nothing can be saved, so any work in the worktree keeps it.
  const mirror = found === undefined ? noMirror(home, name) : mirrorOf(home, found.mirror.repository)
  const worktree = { mirror, path: place, branch }
  const askRemote = found && remoteOf(home, { ...found.mirror.repository, id: '0' }, mirror)

  async function look(): Promise<Keeping & { inventory: Inventory }> {
    const aside = asidesOf(home, `${name}.json`)
    const kept = [...aside.reasons]
    if (unread !== undefined && found === undefined) kept.push(`cannot tell which repository it is of: ${unread}`)
    if (!place.startsWith(`${home.paths.worktrees}${path.sep}`))
      kept.push('it is outside of this home, and may be of another one')
    if (slotHolders(home).some(({ session }) => session === name)) kept.push('an agent is at work in it')
    const inventory = await takeInventory({ ...worktree, remotes, askRemote })
    if (inventory.place.kind === 'unknown') kept.push('cannot tell what is in it: it is not a git worktree')
    else if (isAtRisk(inventory)) kept.push(...describeInventory(inventory))
    // Without a mirror nothing can be saved.
    if (found === undefined || savesNothing) kept.push(...describeSavedByItself(inventory))
    const isUnknown = inventory.place.kind === 'unknown' || isUnclear(inventory)
    const isUnread = unread !== undefined && found === undefined
    return { reasons: kept, isUnclear: aside.isUnclear || isUnread || isUnknown, inventory }
  }

  async function remove(): Promise<void> {
    const release = tryExclusive(home.paths.lock(`issue-${name}`))
    if (release === undefined) throw new KugetsuError('another kugetsu is busy with it', { code: 'busy' })
    try {
      const isNamed = readSessions(home).some(
        ({ record }) => record.worktree_path && isSamePlace(record.worktree_path, place),
      )
      const { reasons: kept, inventory } = await look()
      if (isNamed) kept.unshift('a session uses it now')
      if (kept.length > 0) throw new KugetsuError(kept.join('; '), { code: 'work_at_risk' })
      await quietWorktree(home, { issueRef, worktree: place })
      const saving = { ...worktree, name, issue: issueRef, now: home.now() }
      const saved = found === undefined ? undefined : await saveWork(saving, inventory)
      for (const line of describeLost(inventory)) home.warn(`not saved, and removed with the worktree: ${line}`)
      const known = branch === '' ? undefined : branch
      const removal = { mirror, path: place, branch: known, deleteBranch: saved !== undefined }
      const { leftBehind } = await removeWorktree(removal)
      if (leftBehind !== undefined) home.warn(`some files could not be deleted; they are in ${leftBehind}`)
      const reason = `${place}: ${saved === undefined ? 'nothing was lost' : `saved as ${saved.ref}`}`
      note(home, 'pruned', { issue_ref: issueRef, reason })
    } finally {
      release()
    }
  }

  return { kind: 'worktree', issueRef: issueRef ?? null, what: place, why: 'no session names it', look, remove }
}

/** The issue that a worktree of this name on this branch was made for. */
function issueOf(mirror: MirrorOfHome, branch: string, name: string): string | undefined {
  const { host, owner, repo } = mirror.repository
  const id = /^fix[/-]issue-(.+)$/.exec(branch)?.[1]
  try {
    const ref = parseRef(`${host}/${owner}/${repo}#${id ?? ''}`, { defaultHost: '' })
    return baseNameOf(ref) === name ? formatRef(ref) : undefined
  } catch {
    return undefined
  }
}
