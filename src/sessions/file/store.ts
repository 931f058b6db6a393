/**
 * index.json and the session files: read at any time, changed by one writer at a time.
 * An unreadable file is set aside under another name, with a warning; the other files still work.
 */
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { KugetsuError } from '../../core/errors.ts'
import { ensureDirectory, listDirectory, readSmall, readText, removeFile, writeJson } from '../../platform/files.ts'
import { exclusively } from '../../platform/locks.ts'
import { parseJson, readState } from '../../platform/state-file.ts'
import { requireOpen } from '../slots/closing.ts'
import { parseIndex, parseRecord, type Index, type SessionRecord } from './session-file.ts'

export const baseName = 'base'
export const pmAgentSession = 'pm-agent'

const writeWaitMs = 30_000

export interface StoredSession {
  /** The file's name without `.json`; also the name of the worktree. */
  name: string
  record: SessionRecord
}

/** Kept because a command reads the index several times, and parsing thousands of issues takes longer than reading. */
let lastIndex: { text: string; index: Index } | undefined

/** The index, or undefined when kugetsu was not initialised. An unreadable one is rebuilt from the session files. */
export function readIndex(home: Home): Index | undefined {
  const sound = soundIndex(home.paths.index)
  if (sound !== undefined) return sound
  const read = readState(home.paths.index, parseIndex, home.now())
  if (read.kind === 'absent') return undefined
  if (read.kind === 'read') return read.value
  tellSetAside(home, home.paths.index, read.aside, 'it is rebuilt from the session files')
  const rebuilt = rebuildIndex(home)
  writeJson(home.paths.index, rebuilt)
  return rebuilt
}

/** The record of one session file; undefined when the file is missing or unreadable. */
export function readSession(home: Home, name: string): SessionRecord | undefined {
  const file = fileOf(home, name)
  // Anything but an ordinary file is left to readState, which takes longer.
  const found = readSmall(file, { stat: false })
  const sound = found && parseRecord(parseJson(found.text))
  if (sound !== undefined) return sound
  const read = readState(file, parseRecord, home.now())
  if (read.kind === 'spoiled') tellSetAside(home, file, read.aside, 'the session it described is not known any more')
  return read.kind === 'read' ? read.value : undefined
}

/** All sessions that have a file, base and PM agent first, then by name. One bad file never hides the others. */
export function readSessions(home: Home): StoredSession[] {
  const names = namesOnFile(home)
  const rank = (name: string) => (name === baseName ? 0 : name === pmAgentSession ? 1 : 2)
  return names
    .sort((a, b) => rank(a) - rank(b)) // already sorted by name
    .flatMap((name) => {
      try {
        const record = readSession(home, name)
        return record === undefined ? [] : [{ name, record }]
      } catch (error) {
        if (!(error instanceof KugetsuError)) throw error
        home.warn(error.message)
        return []
      }
    })
}

/** Those of issues: not the base session, and not that of the PM agent. */
export function sessionsOfIssues(sessions: readonly StoredSession[]): StoredSession[] {
  return sessions.filter(({ name }) => name !== baseName && name !== pmAgentSession)
}

/** All sessions; undefined when a file cannot be read, because the list would be incomplete. */
export function readAllSessions(home: Home): StoredSession[] | undefined {
  const names = namesOnFile(home) // listed before an unreadable file is set aside
  const sessions = readSessions(home)
  return sessions.length < names.length ? undefined : sessions
}

function namesOnFile(home: Home): string[] {
  return listDirectory(home.paths.sessions)
    .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
    .map((name) => name.slice(0, -'.json'.length))
}

/** The canonical refs of all issues that have a session. */
export function trackedRefs(home: Home): string[] {
  return Object.keys(readIndex(home)?.issues ?? {})
}

/**
 * The base session's id, for what begins something new. Throws KugetsuError `not_initialised` when there is none, `closing`
 * while all agents of the home are ended.
 */
export function requireBase(home: Home): string {
  requireOpen(home)
  const base = readIndex(home)?.base
  if (base) return base
  throw new KugetsuError('kugetsu is not initialised', { hint: 'Run "kugetsu init" first.', code: 'not_initialised' })
}

/** The PM agent's session. Throws KugetsuError `not_initialised`, or `pm_agent_missing` when there is none. */
export function requirePmAgent(home: Home): SessionRecord {
  requireBase(home)
  const record = readSession(home, pmAgentSession)
  if (record !== undefined) return record
  throw new KugetsuError('there is no PM agent', { hint: 'Make one: kugetsu doctor --fix', code: 'pm_agent_missing' })
}

/** Throws KugetsuError `running` while the PM agent is at work on a message. */
export function requirePmAtRest(home: Home): void {
  if (!readSession(home, pmAgentSession)?.run) return
  throw new KugetsuError('the PM agent is at work', { hint: 'Stop it first: kugetsu stop pm-agent', code: 'running' })
}

/**
 * Changes one session file, one writer at a time. `change` gets the current record and returns the new one, or
 * undefined to leave it unchanged. Returns the record as stored afterwards. Do nothing slow in `change`.
 */
export async function changeSession(
  home: Home,
  name: string,
  change: (current: SessionRecord | undefined) => SessionRecord | undefined,
): Promise<SessionRecord | undefined> {
  return asOnlyWriter(home, () => {
    const current = readSession(home, name)
    const next = change(current)
    if (next === undefined) return current
    ensureDirectory(home.paths.sessions)
    const stamped = { ...next, updated_at: home.now().toISOString() }
    writeJson(fileOf(home, name), stamped)
    return stamped
  })
}

/** Deletes a session file and its index entry. */
export async function forgetSession(home: Home, name: string): Promise<void> {
  await asOnlyWriter(home, () => {
    const current = readIndex(home)
    if (current !== undefined) {
      const issues = Object.fromEntries(Object.entries(current.issues).filter(([, file]) => file !== `${name}.json`))
      writeJson(home.paths.index, { ...current, issues })
    }
    removeFile(fileOf(home, name))
  })
}

/** Changes the index, one writer at a time. */
export async function changeIndex(home: Home, change: (current: Index) => Index): Promise<Index> {
  return asOnlyWriter(home, () => {
    const next = change(readIndex(home) ?? { issues: {} })
    writeJson(home.paths.index, next)
    return next
  })
}

/**
 * Runs `work` while no other process writes session files, the index or the remembered conversations. Do nothing slow
 * in it.
 */
export function asOnlyWriter<T>(home: Home, work: () => T): Promise<T> {
  return exclusively(home.paths.lock('sessions'), { timeoutMs: writeWaitMs }, work)
}

function fileOf(home: Home, name: string): string {
  return `${home.paths.sessions}${path.sep}${name}.json`
}

/** The index, if the file is intact; otherwise undefined, and the caller reads it again with more care. */
function soundIndex(file: string): Index | undefined {
  try {
    const text = readText(file)
    if (text === undefined) return undefined
    if (text === lastIndex?.text) return lastIndex.index
    const index = parseIndex(parseJson(text))
    if (index !== undefined) lastIndex = { text, index }
    return index
  } catch {
    return undefined
  }
}

function tellSetAside(home: Home, file: string, aside: string | undefined, consequence: string): void {
  const kept = aside === undefined ? 'and could not be moved' : `and was kept as ${path.basename(aside)}`
  home.warn(`${file} cannot be understood ${kept}; ${consequence}`)
}

function rebuildIndex(home: Home): Index {
  const sessions = readSessions(home)
  const idOf = (wanted: string) => sessions.find(({ name }) => name === wanted)?.record.opencode_session_id ?? null
  const issues = sessions.flatMap(({ name, record }) =>
    record.issue_ref ? [[record.issue_ref, `${name}.json`] as const] : [],
  )
  const driver = sessions.find(({ name }) => name === baseName)?.record.driver
  const found = { base: idOf(baseName), pm_agent: idOf(pmAgentSession), issues: Object.fromEntries(issues) }
  return driver ? { ...found, driver } : found
}
