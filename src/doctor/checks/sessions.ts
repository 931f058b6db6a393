/** Compares the index with the session files, with opencode, and with the worktrees. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { counted } from '../../core/wording.ts'
import { listDirectory } from '../../platform/files.ts'
import { repairIndex, repairSpecial } from '../../sessions/pm/repair.ts'
import { awaitedName, unusedNameOf } from '../../sessions/file/session-name.ts'
import { baseName, pmAgentSession, sessionsOfIssues, type StoredSession } from '../../sessions/file/store.ts'
import { byItself, fail, pass, some, warn, type Check, type Found } from '../check.ts'
import { isKnownBy, subjectOf, type Subject } from '../subject.ts'

const base = special('base', 'base', 'the base session', baseName)
const pmAgent = special('pm-agent', 'pmAgent', 'the PM agent', pmAgentSession)

function special(name: string, which: 'base' | 'pmAgent', what: string, file: string): Check {
  return {
    name,
    look: (subject) => {
      const index = subject.index()
      if (index === undefined) {
        return subject.unreadable().includes('index.json')
          ? fail('index.json cannot be understood', '"kugetsu list" keeps it under another name and makes a new one.')
          : { ...fail('kugetsu is not initialised', 'kugetsu init'), ...(name === 'base' ? {} : { follows: 'base' }) }
      }
      const indexed = which === 'base' ? index.base : index.pm_agent
      const record = subject.sessions().find((session) => session.name === file)?.record
      const filed = record?.opencode_session_id
      if (!indexed && !filed) return fail(`there is no ${name} session`, byItself)
      if (!indexed || !filed) return fail(`${what} is missing in ${indexed ? 'sessions/' : 'index.json'}`, byItself)
      if (indexed !== filed) return fail(`index.json and sessions/${file}.json name two sessions`, byItself)
      return isKnownBy(subject)(indexed, record) === false
        ? fail(`opencode does not know ${what} any more (${indexed})`, `${byItself} makes a new one`)
        : pass(indexed)
    },
    fix: async (home) => {
      const subject = subjectOf(home)
      // A file that cannot be read now proves nothing, and a person has to initialise a home without an index.
      if (subject.index() === undefined || subject.unreadable().includes(`sessions/${file}.json`)) return []
      const done = await repairSpecial(home, which, isKnownBy(subject))
      return done === undefined ? [] : [done]
    },
  }
}

const sessions: Check = {
  name: 'sessions',
  look: (subject) => {
    const issues = subject.index()?.issues ?? {}
    const files = sessionsOfIssues(subject.sessions())
    const indexed = new Set(Object.values(issues))
    const gone = Object.entries(issues).filter(([, file]) => !isThere(subject.home, file))
    const unlisted = files.filter(({ name }) => !indexed.has(`${name}.json`))
    const isKnown = isKnownBy(subject)
    const lost = files.filter(
      ({ record }) => record.opencode_session_id && isKnown(record.opencode_session_id, record) === false,
    )
    const problems = [
      gone.length > 0 && `in the index without a file: ${some(gone.map(([ref]) => ref))}`,
      unlisted.length > 0 && `not in the index: ${some(unlisted.map(nameOf))}`,
      lost.length > 0 && `opencode does not know the session of ${some(lost.map(nameOf))} any more`,
    ].filter((each) => each !== false)
    if (problems.length === 0) return pass(counted(files.length, 'issue'))
    const hint =
      gone.length + unlisted.length > 0
        ? byItself
        : `Only its memory is lost: "kugetsu continue ${lost[0]?.record.issue_ref ?? '<issue-ref>'}" makes a new session in the worktree.`
    return warn(problems.join('; '), hint)
  },
  fix: async (home) => (subjectOf(home).index() === undefined ? [] : repairIndex(home)),
}

const worktrees: Check = {
  name: 'worktrees',
  look: async (subject): Promise<Found> => {
    const { paths } = subject.home
    const files = sessionsOfIssues(subject.sessions())
    const claimed = new Set(files.flatMap(({ record }) => (record.worktree_path ? [real(record.worktree_path)] : [])))
    const beingMade = new Set(files.flatMap(({ name, record }) => (record.state === 'starting' ? [name] : [])))
    const awaited = new Set(await awaitedNames(subject))
    const present = listDirectory(paths.worktrees).filter((name) => !name.startsWith('.'))
    const orphans = present.filter(
      (name) => !claimed.has(real(path.join(paths.worktrees, name))) && !beingMade.has(name) && !awaited.has(name),
    )
    const homeless = files.filter(
      ({ record }) => record.state !== 'starting' && record.worktree_path && !fs.existsSync(record.worktree_path),
    )
    if (orphans.length > 0) return warn(`without a session: ${some(orphans)}`, 'kugetsu prune')
    return homeless.length > 0
      ? warn(
          `missing on disk: the worktree of ${some(homeless.map(nameOf))}`,
          `"kugetsu continue ${homeless[0]?.record.issue_ref ?? '<issue-ref>'}" makes it again on its branch.`,
        )
      : pass(`${present.length} in use`)
  },
}

/** The session names of tasks that wait, found without a reader that sets files aside. */
async function awaitedNames(subject: Subject): Promise<string[]> {
  const refOf = (name: string) =>
    subject.sessions().find((session) => session.name === name)?.record.issue_ref ?? undefined
  const items = await subject.items()
  return items.flatMap((item) => awaitedName(item, (ref) => unusedNameOf(subject.home.paths, ref, refOf)) ?? [])
}

function nameOf({ name, record }: StoredSession): string {
  return record.issue_ref ?? name
}

function isThere(home: Home, file: string): boolean {
  return path.basename(file) === file && fs.existsSync(path.join(home.paths.sessions, file))
}

function real(place: string): string {
  try {
    return fs.realpathSync(place)
  } catch {
    return path.resolve(place)
  }
}

export const sessionChecks = [sessions, base, pmAgent, worktrees]
