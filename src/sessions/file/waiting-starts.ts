/** The starts that have been waiting for a remote for a while, starts/<session>.json. */
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { messageOf } from '../../core/errors.ts'
import { aText, type Described, readFields, required } from '../../core/fields.ts'
import { ensureDirectory, listDirectory, removeFile, writeJson } from '../../platform/files.ts'
import { anIdentity, isAlive } from '../../platform/processes.ts'
import { readState } from '../../platform/state-file.ts'

const fields = {
  issue_ref: required(aText),
  /** The process that starts the agent. */
  owner: required(anIdentity),
  /** The address of the remote, without credentials. */
  remote: required(aText),
  /** Since when the remote has been asked. */
  since: required(aText),
}
export type WaitingStart = Described<typeof fields> & { session: string }

/** Records that the start of a session waits for a remote. Throws when the file cannot be written. */
export function noteWaiting(home: Home, { session, ...waiting }: WaitingStart): void {
  ensureDirectory(home.paths.starts)
  writeJson(fileOf(home, session), waiting)
}

/** Call this when the start waits no more. */
export function forgetWaiting(home: Home, session: string): void {
  removeFile(fileOf(home, session))
}

/** The starts of living processes that wait for a remote, or for a slot after that. */
export function waitingStarts(home: Home): WaitingStart[] {
  return listDirectory(home.paths.starts)
    .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
    .flatMap((name) => waitingStartOf(home, name.slice(0, -'.json'.length)) ?? [])
}

/** The start of a session, if it waits for a remote and its process is alive. */
export function waitingStartOf(home: Home, session: string): WaitingStart | undefined {
  const file = fileOf(home, session)
  try {
    const read = readState(file, (value) => readFields(fields, value), home.now())
    if (read.kind !== 'read') return undefined
    if (isAlive(read.value.owner)) return { ...read.value, session }
    removeFile(file)
  } catch (error) {
    home.warn(messageOf(error)) // the file only says that a start waits
  }
  return undefined
}

function fileOf(home: Home, session: string): string {
  return path.join(home.paths.starts, `${session}.json`)
}
