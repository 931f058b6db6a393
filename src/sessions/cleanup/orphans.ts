/** The leftovers in a home. Finding changes nothing; each knows why it stays and how to remove it. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { messageOf } from '../../core/errors.ts'
import { driverFor } from '../../driver/choose.ts'
import { knownSessions } from '../../driver/known-sessions.ts'
import { sessionOn } from '../file/session-of-kind.ts'
import { listDirectory } from '../../platform/files.ts'
import { createRemotes, type Remotes } from '../../worktrees/at-risk/remotes.ts'
import { isSamePlace } from '../../git/worktree-entries.ts'
import { destroyIssue, whyIssueStays } from './destroy.ts'
import { findMirrorOrphans } from './orphan-mirror.ts'
import { asidesOf, type Mirrors, type Orphan, readMirrors } from './orphan.ts'
import { worktreeOrphan } from './orphan-worktree.ts'
import { dropSaved, listSaved } from './recover.ts'
import type { Index } from '../file/session-file.ts'
import { changeIndex, forgetSession, readSessions, type StoredSession, sessionsOfIssues } from '../file/store.ts'
import { awaitedName, nameOf } from '../file/session-name.ts'

/** All leftovers, in the order in which they can be removed. */
export async function findOrphans(home: Home, index: Index): Promise<Orphan[]> {
  const sessions = sessionsOfIssues(readSessions(home))
  const remotes = createRemotes()
  const found = { index, sessions, lost: lostSessions(home, sessions, index), remotes }
  const bySession = sessions.flatMap((stored) => sessionOrphan(home, stored, found) ?? [])
  const mirrors = readMirrors(home)
  const saved = (await listSaved(home)).filter(({ expiresAt }) => expiresAt <= home.now())
  return [
    ...bySession,
    ...lostEntries(home, index, sessions),
    ...lostWorktrees(home, mirrors, { sessions, awaited: await awaited(home) }, remotes),
    ...saved.map((point): Orphan => {
      const why = `${point.summary}; its time is over, it was saved on ${point.savedAt.toISOString().slice(0, 10)}`
      const issueRef = point.record?.issue ?? null
      return {
        kind: 'recovery',
        issueRef,
        what: point.ref,
        why,
        look: async () => ({ reasons: [], isUnclear: false }),
        remove: () => dropSaved(home, point),
      }
    }),
    ...findMirrorOrphans(home, mirrors, sessions, remotes),
  ]
}

interface Found {
  index: Index
  sessions: StoredSession[]
  /** The sessions that opencode has lost. */
  lost: ReadonlySet<string>
  remotes: Remotes
}

/** A session file without an entry in an index, or a session that opencode no longer has. */
function sessionOrphan(
  home: Home,
  { name, record }: StoredSession,
  { index, sessions, lost, remotes }: Found,
): Orphan | undefined {
  const indexed = new Set(Object.values(index.issues))
  const isIndexed = indexed.has(`${name}.json`)
  const issueRef = record.issue_ref ?? null
  const what = path.join(home.paths.sessions, `${name}.json`)
  if (isIndexed && !lost.has(record.opencode_session_id ?? '')) return undefined
  const why = isIndexed
    ? `opencode does not have its session ${record.opencode_session_id} any more`
    : 'the index does not list it'
  const other = sessions.find((each) => each.name !== name && indexed.has(`${each.name}.json`) && shares(each, record))
  if (!isIndexed && other !== undefined) {
    const shared = `${why}; its worktree or session belongs to ${other.record.issue_ref ?? other.name}, which keeps it`
    const working = record.run ? ['an agent is at work on it'] : []
    return {
      kind: 'session_file',
      issueRef,
      what,
      why: shared,
      look: async () => ({ reasons: working, isUnclear: false }),
      remove: () => forgetSession(home, name),
    }
  }
  return {
    kind: isIndexed ? 'session' : 'session_file',
    issueRef,
    what,
    why,
    look: () => whyIssueStays(home, record, { remotes }),
    remove: async () => void (await destroyIssue(home, name, { force: false, remotes })),
  }
}

function shares({ record }: StoredSession, other: StoredSession['record']): boolean {
  const sameSession = Boolean(other.opencode_session_id) && record.opencode_session_id === other.opencode_session_id
  const [one, two] = [record.worktree_path, other.worktree_path]
  return sameSession || Boolean(one && two && isSamePlace(one, two))
}

/** The sessions that opencode has lost; none if the database lacks the base session, because it is the wrong one then. */
function lostSessions(home: Home, sessions: StoredSession[], index: Index): Set<string> {
  const driver = driverFor(home)
  const ids = sessions.flatMap(({ record }) => sessionOn(driver, record) ?? [])
  if (!index.base) return new Set()
  const known = knownSessions(driver, home, [index.base, ...ids])
  return known?.has(index.base) === true ? new Set(ids.filter((id) => !known.has(id))) : new Set()
}

/** Entries of the index without a session file. */
function lostEntries(home: Home, index: Index, sessions: StoredSession[]): Orphan[] {
  const names = new Set(sessions.map(({ name }) => `${name}.json`))
  const isGone = (file: string) =>
    path.basename(file) !== file ||
    fs.lstatSync(path.join(home.paths.sessions, file), { throwIfNoEntry: false }) === undefined
  return Object.entries(index.issues)
    .filter(([, file]) => !names.has(file) && isGone(file))
    .map(([issueRef, file]) => ({
      kind: 'index_entry',
      issueRef,
      what: issueRef,
      why: `its session file ${file} is gone`,
      look: async () => asidesOf(home, file),
      remove: async () => {
        await changeIndex(home, (current) => {
          const issues = Object.entries(current.issues).filter(([ref]) => ref !== issueRef || !isGone(file))
          return { ...current, issues: Object.fromEntries(issues) }
        })
      },
    }))
}

/** The session names of the tasks that wait in the queue. */
async function awaited(home: Home): Promise<string[]> {
  const { shown } = await home.queue().each((item) => awaitedName(item, (ref) => nameOf(home, ref)) ?? [])
  return shown.flat()
}

/**
 * Worktree directories that no session names and no task waits for, also those where the bash tool put them. `savesNothing`
 * as for worktreeOrphan().
 */
export function lostWorktrees(
  home: Home,
  mirrors: Mirrors,
  { sessions, awaited: awaitedNames }: { sessions: StoredSession[]; awaited: string[] },
  remotes: Remotes,
  savesNothing = false,
): Orphan[] {
  const places = sessions.flatMap(({ record }) => (record.worktree_path ? [record.worktree_path] : []))
  const known = [...sessions.map(({ name }) => name), ...awaitedNames]
  const names = new Set(known.map((name) => path.join(home.paths.worktrees, name)))
  const others = places
    .map((place) => path.dirname(place))
    .filter((root) => path.basename(root) === '.kugetsu-worktrees')
  return [...new Set([home.paths.worktrees, ...others])].flatMap((root) =>
    namesIn(home, root)
      .map((name) => path.join(root, name))
      .filter((place) => !names.has(place) && !places.some((each) => isSamePlace(each, place)))
      .flatMap((place) => worktreeOrphan(home, place, mirrors, remotes, savesNothing) ?? []),
  )
}

function namesIn(home: Home, directory: string): string[] {
  try {
    return listDirectory(directory)
  } catch (error) {
    home.warn(messageOf(error))
    return []
  }
}
