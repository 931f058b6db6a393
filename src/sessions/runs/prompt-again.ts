import { goOnMessage, troubleMessage } from '../../agents/dev-agent.ts'
import { pmResumeMessage } from '../../agents/pm-agent.ts'
import type { Home } from '../../config/home.ts'
import type { RunOutcome } from '../../core/run-outcome.ts'
import type { Client } from '../../driver/client.ts'
import { newMessageId } from '../../driver/message-id.ts'
import { unlessTaken } from '../../platform/locks.ts'
import { note } from '../../activity/journal.ts'
import type { Run } from '../file/session-file.ts'
import { endingOf, lookAtRun, type Look } from './settle.ts'
import { changeSession, pmAgentSession, readSession } from '../file/store.ts'

/**
 * Sends an idle session what its run still needs: again a prompt that the model may not have read, or the request to go
 * on after an end without an answer. Each happens once. After a failure of opencode itself the agent is told to go on a
 * few times; `trouble` is a failure that an event told and the session does not show. Does nothing while another command
 * is busy with the issue, or when the run has changed meanwhile. Returns whether something was sent. Throws KugetsuError
 * when the server does not take the prompt; the next look then finds it undelivered.
 */
export async function promptAgain(home: Home, client: Client, name: string, trouble?: string): Promise<boolean> {
  const sent = await unlessTaken(home.paths.lock(`issue-${name}`), async () => {
    const record = readSession(home, name)
    const run = record?.run
    if (!record || !run) return false
    const look = withTrouble(await lookAtRun(client, record, run), trouble)
    if (endingOf(look, run, 0) !== undefined) return false
    const messageId = newMessageId(home.now())
    const needed = neededBy(look.outcome, run, messageId, name === pmAgentSession)
    if (needed === undefined) return false
    let isOnFile = false
    await changeSession(home, name, (current) => {
      if (current?.run?.slot !== run.slot || current.run.stop_requested === true) return undefined
      isOnFile = true
      return {
        ...current,
        run: { ...current.run, ...needed.noted, message_ids: [...current.run.message_ids, messageId] },
      }
    })
    if (!isOnFile) return false
    await client.prompt(record.opencode_session_id ?? '', record.worktree_path ?? '', {
      messageId,
      text: needed.text,
      agent: record.agent ?? undefined,
    })
    note(home, 'prompted_again', { issue_ref: record.issue_ref, reason: needed.reason })
    return true
  })
  return sent === true
}

/** The same look, with a failure that an event told and the session itself does not show. */
export function withTrouble(look: Look, trouble: string | undefined): Look {
  if (trouble === undefined || look.outcome.kind !== 'unanswered') return look
  return { ...look, outcome: { kind: 'troubled', how: trouble, hasWorked: false } }
}

/** The prompt that a run with this outcome needs, the reason, and what to note on the run; undefined if it needs none. */
function neededBy(
  outcome: RunOutcome,
  run: Run,
  messageId: string,
  isPmAgent: boolean,
): { text: string; reason: string; noted: Partial<Run> } | undefined {
  switch (outcome.kind) {
    case 'unread': {
      const reason = 'opencode had summed up a message before the model read it'
      return { text: outcome.text, reason, noted: { repeats: [...(run.repeats ?? []), messageId] } }
    }
    case 'lacking':
      return { text: goOnMessage, reason: outcome.how, noted: { told_to_go_on_with: messageId } }
    case 'troubled': {
      const troubles = outcome.hasWorked ? 1 : (run.troubles ?? 0) + 1
      const text = isPmAgent ? pmResumeMessage : troubleMessage
      return { text, reason: `opencode had failed: ${outcome.how}`, noted: { troubles } }
    }
    default:
      return undefined
  }
}
