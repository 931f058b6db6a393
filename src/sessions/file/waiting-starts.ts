/** The starts that have been waiting for a remote for a while, starts/<session>.json. */
import * as path from 'node:path'
import * as z from 'zod/mini'
import type { Home } from '../../config/home.ts'
import { messageOf } from '../../core/errors.ts'
import { lazy } from '../../core/lazy.ts'
import { ensureDirectory, listDirectory, removeFile, writeJson } from '../../platform/files.ts'
import { isAlive, processIdentity } from '../../platform/processes.ts'
import { readState } from '../../platform/state-file.ts'

const waitingStart = lazy(() =>
  z.looseObject({
    issue_ref: z.string(),
    /** The process that starts the agent. */
    owner: processIdentity(),
    /** The address of the remote, without credentials. */
    remote: z.string(),
    /** Since when it has been asked. */
    since: z.string(),
  }),
)
export type WaitingStart = z.infer<ReturnType<typeof waitingStart>> & { session: string }

/** Puts on file that the start of a session waits for a remote. Throws when that cannot be written. */
export function noteWaiting(home: Home, { session, ...waiting }: WaitingStart): void {
  ensureDirectory(home.paths.starts)
  writeJson(fileOf(home, session), waiting)
}

/** To be called when it waits no more. */
export function forgetWaiting(home: Home, session: string): void {
  removeFile(fileOf(home, session))
}

/** The starts that wait for a remote, or for a slot after that; of processes that live. */
export function waitingStarts(home: Home): WaitingStart[] {
  return listDirectory(home.paths.starts)
    .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
    .flatMap((name) => waitingStartOf(home, name.slice(0, -'.json'.length)) ?? [])
}

/** The start of a session that waits for a remote, if its process lives. */
export function waitingStartOf(home: Home, session: string): WaitingStart | undefined {
  const file = fileOf(home, session)
  try {
    const read = readState(file, (value) => waitingStart().parse(value), home.now())
    if (read.kind !== 'read') return undefined
    if (isAlive(read.value.owner)) return { ...read.value, session }
    removeFile(file)
  } catch (error) {
    home.warn(messageOf(error)) // it says no more than for what a start waits
  }
  return undefined
}

function fileOf(home: Home, session: string): string {
  return path.join(home.paths.starts, `${session}.json`)
}
