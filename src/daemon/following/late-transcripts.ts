/** Completes the transcripts of runs that were settled by a command, while no daemon followed them. */
import { maskerOf } from '../../agents/known-secrets.ts'
import type { Home } from '../../config/home.ts'
import { messageOf } from '../../core/errors.ts'
import { renderOutcome } from './render.ts'
import { driverFor, isOf } from '../../driver/choose.ts'
import { agentServer } from '../../sessions/runs/agent-server.ts'
import type { SessionRecord, UnwrittenRun } from '../../sessions/file/session-file.ts'
import { changeSession, type StoredSession } from '../../sessions/file/store.ts'
import { startWatcher } from './watcher.ts'

/**
 * Writes into their transcripts how the unwritten runs of these sessions went and ended, and takes the runs off the
 * session files. A run that opencode cannot tell about now stays for the next look. Never rejects.
 */
export async function completeTranscripts(home: Home, sessions: readonly StoredSession[]): Promise<void> {
  const driver = driverFor(home)
  // A run on another kind of server waits for such a server.
  for (const { name, record } of sessions.filter((each) => isOf(driver, each.record))) {
    for (const unwritten of record.unwritten ?? []) {
      try {
        await complete(home, record, unwritten)
        await changeSession(home, name, (current) => {
          const rest = current?.unwritten?.filter(({ run }) => run.slot !== unwritten.run.slot) ?? []
          return current && { ...current, unwritten: rest.length > 0 ? rest : undefined }
        })
      } catch (error) {
        home.warn(`the transcript of ${record.issue_ref ?? name} is not complete: ${messageOf(error)}`)
      }
    }
  }
}

async function complete(home: Home, record: SessionRecord, { run, ...end }: UnwrittenRun): Promise<void> {
  const id = end.opencode_session_id
  const server = await agentServer(home)
  const watcher = startWatcher(home, server, () => {})
  try {
    watcher.watch([{ id, record, run }])
    await watcher.readBack(id, true)
    const at = new Date(end.ended_at)
    watcher.tellEnd(
      id,
      run,
      renderOutcome({
        state: end.state,
        at,
        durationMs: at.getTime() - Date.parse(run.started_at),
        cost: end.cost,
        error: end.error && maskerOf(home)(end.error),
      }),
    )
  } finally {
    watcher.close()
  }
}
