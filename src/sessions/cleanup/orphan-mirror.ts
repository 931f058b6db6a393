/** Parts of mirrors that nothing refers to: entries of worktrees that are gone, and whole mirrors. */
import type { Home } from '../../config/home.ts'
import { listMirrors, type MirrorOfHome } from '../../worktrees/mirror/list.ts'
import { parseRef } from '../../core/issue-ref.ts'
import type { Remotes } from '../../worktrees/at-risk/remotes.ts'
import { deadEntries, dropDeadEntry, reasonsToKeepEntry } from '../../worktrees/dead-entries.ts'
import { listEntries } from '../../git/worktree-entries.ts'
import { localGitMs } from '../../git/git.ts'
import { reasonsToKeepMirror, removeMirror } from '../../worktrees/mirror/unused.ts'
import { note } from '../../activity/journal.ts'
import type { Orphan } from './orphan.ts'
import { slotHolders } from '../slots/slots.ts'
import { readSessions, type StoredSession } from '../file/store.ts'

/** The entries come first, because a mirror is removed only when it has none. */
export function findMirrorOrphans(home: Home, sessions: StoredSession[], remotes: Remotes): Orphan[] {
  const mirrors = listMirrors(home.paths)
  const used = mirrorsOf(home, sessions)
  const entries = mirrors.flatMap((mirror) =>
    deadEntries(mirror.path).map(({ directory, path }): Orphan => {
      const options = { ...optionsFor(home, mirror), remotes }
      return {
        kind: 'registration',
        issueRef: null,
        what: directory,
        why: `its worktree ${path ?? '(it does not say which)'} is gone`,
        reasons: async () => {
          const entry = deadEntries(mirror.path).find((each) => each.directory === directory)
          return entry === undefined ? [] : reasonsToKeepEntry(options, entry)
        },
        remove: () => dropDeadEntry(options, directory),
      }
    }),
  )
  const unused = mirrors
    .filter(({ path }) => !used.has(path) && listEntries(path).every(({ present }) => !present))
    .map((mirror): Orphan => {
      const reasons = async () => [...startsUnderWay(home), ...(await reasonsToKeepMirror(optionsFor(home, mirror)))]
      const why = 'no session and no worktree uses it; it is cloned again when it is needed'
      const remove = async () => {
        if (mirrorsOf(home, readSessions(home)).has(mirror.path) || startsUnderWay(home).length > 0) return
        await removeMirror(optionsFor(home, mirror))
        note(home, 'pruned', { reason: `the mirror ${mirror.path}: nothing used it` })
      }
      return { kind: 'mirror', issueRef: null, what: mirror.path, why, reasons, remove }
    })
  return [...entries, ...unused]
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

function optionsFor(home: Home, mirror: MirrorOfHome) {
  return {
    mirror: mirror.path,
    lockFile: home.paths.mirrorLock(mirror.repository),
    now: home.now(),
    env: home.env,
    timeoutMs: localGitMs,
    signal: home.signal,
  }
}
