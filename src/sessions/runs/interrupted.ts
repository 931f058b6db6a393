/** Runs that were cut off: their server is dead, and no agent works on them until a daemon resumes them. */
import type { Home } from '../../config/home.ts'
import { KugetsuError, messageOf } from '../../core/errors.ts'
import { readServer } from '../../server/server-file.ts'
import { isAlive, uptime } from '../../platform/processes.ts'
import { sessionsAtWork, type AtWork } from './at-work.ts'
import type { Run } from '../file/session-file.ts'

/** The marker of the living server; undefined when none lives, null when unknown. */
export function livingServer(home: Home): string | null | undefined {
  try {
    const server = readServer(home)
    return server !== undefined && isAlive(server) ? server.marker : undefined
  } catch (error) {
    if (!(error instanceof KugetsuError)) throw error
    home.warn(messageOf(error))
    return null
  }
}

/** Whether a run was cut off; `server` is the result of livingServer(). Unknown never means dead. */
export function isInterrupted(run: Run, server: string | null | undefined): boolean {
  return server !== null && run.server !== server
}

/** The sessions with a run that was cut off. */
export function interruptedSessions(home: Home, atWork: readonly AtWork[] = sessionsAtWork(home)): AtWork[] {
  if (atWork.length === 0) return []
  const server = livingServer(home)
  return atWork.filter(({ record }) => isInterrupted(record.run, server))
}

/** What cut a run off, in words: a clause about the past. */
export function whatDied({ deadline_uptime: since }: Run): string {
  const now = uptime()
  const isOfAnotherBoot = since !== undefined && now !== undefined && since.boot_id !== now.boot_id
  return isOfAnotherBoot ? 'the machine went down' : 'the opencode server died'
}
