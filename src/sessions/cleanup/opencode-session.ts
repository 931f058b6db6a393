/** Removes what opencode keeps of a session and its worktree. */
import * as fs from 'node:fs'
import type { Home } from '../../config/home.ts'
import { messageOf } from '../../core/errors.ts'
import { driverFor } from '../../driver/choose.ts'
import type { SessionRecord } from '../file/session-file.ts'
import { sessionOn } from '../file/session-of-kind.ts'
import { agentServer } from '../runs/agent-server.ts'
import { unload } from '../runs/loading.ts'

/**
 * The files with the output of the session's commands; none when opencode cannot tell. The question is asked in the worktree
 * while it is there: before 1.14 opencode lists a session's sub-agents only in the directory where they work.
 */
export async function outputsOf(home: Home, record: SessionRecord): Promise<string[]> {
  const worktree = record.worktree_path
  if (!record.opencode_session_id) return []
  const directory = worktree && fs.existsSync(worktree) ? worktree : home.paths.base
  try {
    const server = await agentServer(home)
    const id = sessionOn(server.driver, record)
    return id === undefined ? [] : await server.client.outputsOf(id, directory)
  } catch {
    home.signal.throwIfAborted()
    return []
  }
}

/**
 * Also removes the session from opencode, with the output of its commands: otherwise a later init would find its context
 * again. A failure causes only a warning.
 */
export async function deleteOpencodeSession(
  home: Home,
  record: SessionRecord,
  outputs: readonly string[],
): Promise<void> {
  const id = record.opencode_session_id
  if (!id) return
  try {
    const server = await agentServer(home)
    if (sessionOn(server.driver, record) === undefined) {
      home.progress(
        `the session ${id} stays in the database of ${record.driver ?? 'opencode 1'}, which is not in use now`,
      )
      return
    }
    await server.client.remove(id, home.paths.base)
    for (const file of outputs) fs.rmSync(file, { force: true })
  } catch (error) {
    home.warn(`the opencode session ${id} stays: ${messageOf(error)}`)
  }
}

/** Closes a removed worktree in opencode and deletes opencode's snapshots of it. Leftovers would only cost disk space. */
export async function closeWorktree(home: Home, worktree: string | null | undefined): Promise<void> {
  if (!worktree || fs.existsSync(worktree)) return
  try {
    await unload(home, worktree)
    driverFor(home).forgetWorktree(home, worktree)
  } catch (error) {
    home.warn(`opencode keeps snapshots of ${worktree}: ${messageOf(error)}`)
  }
}
