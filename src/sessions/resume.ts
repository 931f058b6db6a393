import { resumeMessage } from '../agents/dev-agent.ts'
import { pmResumeMessage } from '../agents/pm-agent.ts'
import type { Home } from '../config/home.ts'
import { newMessageId } from '../opencode/message-id.ts'
import { tryExclusive } from '../platform/locks.ts'
import { agentServer } from './agent-server.ts'
import { note } from './journal.ts'
import type { Run } from './record.ts'
import { endingOf, lookAtRun, settleRun } from './settle.ts'
import { changeSession, pmAgentSession, readSession, type StoredSession } from './store.ts'

/** A task that takes the server with it this often is not started again. */
const mostInterruptions = 3

/**
 * Carries on a run whose server died, in its own session with its whole history; or ends it, when it had finished
 * before, cannot go on, or was interrupted too often. Left alone while another command is busy with the issue.
 */
export async function resumeRun(home: Home, stored: StoredSession & { record: { run: Run } }): Promise<void> {
  const { name } = stored
  const release = tryExclusive(home.paths.lock(`issue-${name}`))
  if (release === undefined) return
  try {
    const server = await agentServer(home) // ends what the dead one left running before it boots
    const record = readSession(home, name)
    const run = record?.run
    const id = record?.opencode_session_id
    const directory = record?.worktree_path
    if (!record || !run || !id || !directory || run.server === server.record.marker) return
    const look = await lookAtRun(server.client, record, run)
    const ended =
      look.outcome.kind === 'undelivered'
        ? {
            state: 'error' as const,
            error: 'the opencode server died before the agent got its task',
            undelivered: true,
          }
        : run.interruptions + 1 >= mostInterruptions
          ? { state: 'error' as const, error: `the opencode server died ${mostInterruptions} times under this task` }
          : look.outcome.kind === 'unanswered'
            ? undefined
            : endingOf(look, run, 0)
    if (ended !== undefined) {
      await settleRun(home, name, run, ended)
      return
    }
    const messageId = newMessageId(home.now())
    await changeSession(home, name, (current) =>
      current?.run?.slot === run.slot
        ? {
            ...current,
            run: {
              ...current.run,
              message_ids: [...current.run.message_ids, messageId],
              interruptions: run.interruptions + 1,
              server: server.record.marker,
            },
          }
        : undefined,
    )
    const text = name === pmAgentSession ? pmResumeMessage : resumeMessage
    await server.client.prompt(id, directory, { messageId, text, agent: record.agent ?? undefined })
    note(home, 'resumed', { issue_ref: record.issue_ref, reason: 'the opencode server had died' })
  } finally {
    release()
  }
}
