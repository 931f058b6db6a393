import { goOnMessage } from '../agents/dev-agent.ts'
import type { Home } from '../config/home.ts'
import type { Client } from '../opencode/client.ts'
import { newMessageId } from '../opencode/message-id.ts'
import { unlessTaken } from '../platform/locks.ts'
import { note } from './journal.ts'
import type { Run } from './record.ts'
import { endingOf, lookAtRun } from './settle.ts'
import { changeSession, readSession } from './store.ts'

/**
 * Sends an idle session what its run still needs: a prompt that the model may not have read, once more; or the word to go
 * on, where it has ended without an answer. Each happens once. Nothing happens while another command is busy with the
 * issue, or when the run stands differently by now. Returns whether something was sent; throws KugetsuError when the
 * server does not take it, and then the next look finds it undelivered.
 */
export async function promptAgain(home: Home, client: Client, name: string): Promise<boolean> {
  const sent = await unlessTaken(home.paths.lock(`issue-${name}`), async () => {
    const record = readSession(home, name)
    const run = record?.run
    if (!record || !run) return false
    const look = await lookAtRun(client, record, run)
    const { outcome } = look
    if ((outcome.kind !== 'lacking' && outcome.kind !== 'unread') || endingOf(look, run, 0) !== undefined) return false
    const messageId = newMessageId(home.now())
    const isRepeat = outcome.kind === 'unread'
    const told: Partial<Run> = isRepeat
      ? { repeats: [...(run.repeats ?? []), messageId] }
      : { told_to_go_on_with: messageId }
    let isOnFile = false
    await changeSession(home, name, (current) => {
      if (current?.run?.slot !== run.slot || current.run.stop_requested === true) return undefined
      isOnFile = true
      return { ...current, run: { ...current.run, ...told, message_ids: [...current.run.message_ids, messageId] } }
    })
    if (!isOnFile) return false
    await client.prompt(record.opencode_session_id ?? '', record.worktree_path ?? '', {
      messageId,
      text: isRepeat ? outcome.text : goOnMessage,
      agent: record.agent ?? undefined,
    })
    const reason = isRepeat ? 'opencode had summed up a message before the model read it' : outcome.how
    note(home, 'prompted_again', { issue_ref: record.issue_ref, reason })
    return true
  })
  return sent === true
}
