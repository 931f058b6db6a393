/**
 * Which kind of server a session is on. A home moves to another kind when the program was replaced by one: its sessions begin
 * anew there, and the ids of the old ones stay on file.
 */
import { isOf, nameInFiles } from '../../driver/choose.ts'
import type { Driver } from '../../driver/driver.ts'
import type { SessionRecord } from './session-file.ts'

/** The session's id on servers of this kind; undefined when it has none there. */
export function sessionOn(driver: Driver, record: SessionRecord | undefined): string | undefined {
  return record?.opencode_session_id && isOf(driver, record) ? record.opencode_session_id : undefined
}

/** The fields of a session file that say that the session is now `id` on a server of this kind. */
export function asSessionOn(
  driver: Driver,
  id: string,
  before: SessionRecord | undefined,
): Pick<SessionRecord, 'opencode_session_id' | 'driver' | 'former_sessions'> {
  const named = { opencode_session_id: id, driver: nameInFiles(driver) }
  const old = before?.opencode_session_id
  if (!old || isOf(driver, before)) return named
  return { ...named, former_sessions: { ...before.former_sessions, [before.driver ?? 'opencode']: old } }
}
