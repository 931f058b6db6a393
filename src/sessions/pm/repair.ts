/** Repairs index.json and the session files without losing a session. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { parseRef } from '../../core/issue-ref.ts'
import { recreateSession, storeSpecial } from './initialise.ts'
import { baseName, changeIndex, pmAgentSession, readIndex, readSession, readSessions } from '../file/store.ts'

/**
 * Makes the base or the PM agent a session that opencode knows: the one that the index or the session file names, else
 * a new one. `isKnown` says whether opencode has a session; undefined means unknown, and then a named session is kept.
 * Returns what was done, undefined when nothing was wrong.
 */
export async function repairSpecial(
  home: Home,
  which: 'base' | 'pmAgent',
  isKnown: (id: string, at: { driver?: string | null | undefined }) => boolean | undefined,
): Promise<string | undefined> {
  const index = readIndex(home)
  const indexed = which === 'base' ? index?.base : index?.pm_agent
  const record = readSession(home, which === 'base' ? baseName : pmAgentSession)
  const filed = record?.opencode_session_id
  const named = [indexed, filed].filter((id): id is string => typeof id === 'string' && id !== '')
  const what = which === 'base' ? 'the base session' : 'the PM agent'
  const kept =
    named.find((id) => isKnown(id, record ?? {}) === true) ??
    named.find((id) => isKnown(id, record ?? {}) === undefined)
  if (kept === undefined) return `made ${what} again: ${await recreateSession(home, which)}`
  if (indexed === kept && filed === kept) return undefined
  await storeSpecial(home, which, kept)
  return `recorded again that ${what} is ${kept}`
}

/** Adds the session files that the index lacks, and removes entries without a session file. Returns what was done. */
export async function repairIndex(home: Home): Promise<string[]> {
  const done: string[] = []
  await changeIndex(home, (index) => {
    const present = readSessions(home)
    const gone = Object.entries(index.issues).filter(([, file]) => !hasFile(home, file))
    const indexed = new Set(Object.values(index.issues))
    const missing = present.filter(
      ({ name, record }) =>
        isIssueRef(record.issue_ref) &&
        !indexed.has(`${name}.json`) &&
        (index.issues[record.issue_ref] === undefined || gone.some(([ref]) => ref === record.issue_ref)),
    )
    done.push(...missing.map(({ record }) => `put ${record.issue_ref} back into the index`))
    const kept = Object.entries(index.issues).filter((entry) => !gone.some(([ref]) => ref === entry[0]))
    for (const [ref] of gone) {
      if (!missing.some(({ record }) => record.issue_ref === ref))
        done.push(`removed ${ref}, which has no file, from it`)
    }
    const added = missing.map(({ name, record }) => [record.issue_ref ?? '', `${name}.json`] as const)
    return { ...index, issues: Object.fromEntries([...kept, ...added]) }
  })
  return done
}

function hasFile(home: Home, file: string): boolean {
  return path.basename(file) === file && fs.existsSync(path.join(home.paths.sessions, file))
}

function isIssueRef(text: string | null | undefined): text is string {
  try {
    return Boolean(text) && parseRef(text ?? '', { defaultHost: '' }) !== undefined
  } catch {
    return false
  }
}
