/** Unused parts of mirrors: entries of removed worktrees, and whole mirrors. */
import type { Home } from '../../config/home.ts'
import { parseRef } from '../../core/issue-ref.ts'
import type { Remotes } from '../../worktrees/at-risk/remotes.ts'
import { deadEntries, dropDeadEntry, whyEntryStays } from '../../worktrees/dead-entries.ts'
import { reasonsToKeepMirror, removeMirror } from '../../worktrees/mirror/unused.ts'
import { note } from '../../activity/journal.ts'
import type { Mirrors, Orphan } from './orphan.ts'
import { slotHolders } from '../slots/slots.ts'
import { readSessions, type StoredSession } from '../file/store.ts'
import { mirrorOf } from '../file/worktree-handles.ts'

/** The entries come first, because a mirror is removed only when it has none. */
export function findMirrorOrphans(
  home: Home,
  { mirrors }: Mirrors,
  sessions: StoredSession[],
  remotes: Remotes,
): Orphan[] {
  const used = mirrorsOf(home, sessions)
  const dead = mirrors.flatMap(({ path: place, repository, entries }) =>
    entries
      .filter(({ present }) => !present)
      .map(({ directory, path }): Orphan => {
        const mirror = mirrorOf(home, repository)
        return {
          kind: 'registration',
          issueRef: null,
          what: directory,
          why: `its worktree ${path ?? '(it does not say which)'} is gone`,
          look: async () => {
            const entry = deadEntries(place).find((each) => each.directory === directory)
            return entry === undefined ? { reasons: [], isUnclear: false } : whyEntryStays(mirror, remotes, entry)
          },
          remove: () => dropDeadEntry(mirror, remotes, directory),
        }
      }),
  )
  const unused = mirrors

    .filter(({ path, entries }) => !used.has(path) && entries.every(({ present }) => !present))
    .map(({ repository }): Orphan => {
      const mirror = mirrorOf(home, repository)
      const look = async () => {
        const reasons = [...startsUnderWay(home), ...(await reasonsToKeepMirror(mirror, home.now()))]
        return { reasons, isUnclear: false }
      }
      const why = 'no session and no worktree uses it; it is cloned again when it is needed'
      const remove = async () => {
        if (mirrorsOf(home, readSessions(home)).has(mirror.path) || startsUnderWay(home).length > 0) return
        await removeMirror(mirror, home.now())
        note(home, 'pruned', { reason: `the mirror ${mirror.path}: nothing used it` })
      }
      return { kind: 'mirror', issueRef: null, what: mirror.path, why, look, remove }
    })
  return [...dead, ...unused]
}

/** The mirrors of the issues that have a session. */
function mirrorsOf(home: Home, sessions: StoredSession[]): Set<string> {
  const paths = sessions.flatMap(({ record }) => {
    try {
      return record.issue_ref ? [home.paths.mirror(parseRef(record.issue_ref, { defaultHost: '' }))] : []
    } catch {
      return [] // not a ref: no start has made a mirror for it
    }
  })
  return new Set(paths)
}

/** A start that has not written its session yet may use any mirror. */
function startsUnderWay(home: Home): string[] {
  return slotHolders(home).some(({ phase }) => phase !== 'run') ? ['an agent is being started'] : []
}
