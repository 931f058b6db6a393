import type { Home } from '../../config/home.ts'
import { newMessageId } from '../../driver/message-id.ts'
import { messageLine } from '../../activity/notification.ts'
import type { SessionRecord } from '../file/session-file.ts'
import { asSessionOn } from '../file/session-of-kind.ts'
import { changeIndex, changeSession } from '../file/store.ts'
import { tellBegin } from '../runs/announce.ts'
import { rememberAsked } from '../runs/conversation.ts'
import { deadline } from '../runs/deadline.ts'
import { handOver } from '../slots/slots.ts'
import type { Made } from './assemble.ts'
import type { Beginning } from './request.ts'
import { sendPrompt } from './steer.ts'
import { taskPrompt } from './task-prompt.ts'

/** From here on an agent may be at work: the session file and the slot say so before the prompt goes out. */
export async function beginRun(
  home: Home,
  request: Beginning,
  made: Made & { slot: string; issueRef: string },
): Promise<SessionRecord> {
  const { slot, worktree, server, session, issueRef } = made
  const messageId = newMessageId(home.now())
  const run = {
    slot,
    message_ids: [messageId],
    started_at: home.now().toISOString(),
    ...deadline(home, issueRef),
    interruptions: 0,
    server: server.record.marker,
    ...(request.queueItem === undefined ? {} : { queue_item: request.queueItem }),
  }
  const written = await changeSession(home, request.name, (current) => ({
    ...(current ?? { type: 'forked', issue_ref: issueRef, created_at: home.now().toISOString() }),
    state: 'starting',
    ...asSessionOn(server.driver, session.id, current),
    worktree_path: worktree.path,
    branch_name: worktree.branch,
    base_branch: worktree.baseBranch ?? current?.base_branch ?? null,
    pr_url: request.prUrl ?? current?.pr_url ?? null,
    model: request.model ?? current?.model ?? null,
    agent: request.agent ?? current?.agent ?? null,
    last_error: null,
    task: (request.fresh === true ? undefined : current?.task) ?? wordsOf(home, request),
    ...(session.forked ? { briefed: false } : {}),
    run,
  }))
  await changeIndex(home, (index) => ({ ...index, issues: { ...index.issues, [issueRef]: `${request.name}.json` } }))
  handOver(home, slot, written)
  const prompt = {
    messageId,
    text: taskPrompt(home, request, worktree, session),
    model: made.model,
    agent: made.agent,
  }
  await sendPrompt(home, server, { id: session.id, directory: worktree.path }, prompt)
  tellBegin(home, issueRef, run, request.message)
  const running = await changeSession(home, request.name, (current) => {
    if (current === undefined) return undefined
    rememberAsked(home, request.name, { record: current, slot, text: request.message, anew: request.fresh })
    const begun = current.run?.slot === slot && current.state === 'starting'
    return { ...current, briefed: true, ...(begun ? { state: 'running' } : {}) }
  })
  return running ?? written ?? { type: 'forked', state: 'running' }
}

/** What a person recognises the task by: its first words, or the title of the issue; null for the standard message alone. */
function wordsOf(home: Home, { message, issue }: Beginning): string | null {
  const words = message.trim() === '' ? (issue?.title ?? '') : message
  return words.trim() === '' ? null : messageLine(home, words)
}
