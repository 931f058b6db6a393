import { setTimeout as sleep } from 'node:timers/promises'
import { followUpMessage } from '../agents/dev-agent.ts'
import type { Home } from '../config/home.ts'
import type { Client } from '../opencode/client.ts'
import { newMessageId } from '../opencode/message-id.ts'
import { agentServer } from './agent-server.ts'
import type { Run, SessionRecord } from './record.ts'
import { deadline } from './deadline.ts'
import { rememberJoined } from './remembered.ts'
import { changeSession } from './store.ts'
import type { Started } from './start.ts'

/** How long after a failed request its prompt may still arrive, with room to spare. */
const deliveryMs = 2_500

/**
 * Sends a message to an agent that is at work: it joins the run, which ends no sooner than it is answered, so it needs
 * no slot of its own. Undefined when the run has ended meanwhile: then it takes a new one.
 */
export async function steer(home: Home, name: string, message: string): Promise<Started | undefined> {
  const server = await agentServer(home)
  const messageId = newMessageId(home.now())
  // First on file, then sent: settling waits for every prompt that is on file.
  const joined = await changeRun(home, name, (run) => ({
    ...run,
    message_ids: [...run.message_ids, messageId],
    deadline_at: deadline(home),
    server: server.record.marker,
  }))
  const id = joined?.opencode_session_id
  const directory = joined?.worktree_path
  if (!joined || !id || !directory) return undefined
  try {
    await server.client.prompt(id, directory, {
      messageId,
      text: followUp(joined, message),
      agent: joined.agent ?? undefined,
    })
  } catch (error) {
    if ((await wasDelivered(server.connect(undefined), id, directory, messageId)) === false) {
      await changeRun(home, name, (run) => {
        const others = run.message_ids.filter((other) => other !== messageId)
        return others.length === 0 ? run : { ...run, message_ids: others }
      })
      throw error
    }
  }
  await rememberJoined(home, name, joined, message)
  return { how: 'steered', name, record: joined }
}

/**
 * Whether the session has that message, sent by a request that failed; undefined when it cannot be told. A prompt can
 * show up in its session up to 0.8 s after its sender is gone (measured on 1.18), so "no" takes its time.
 */
export async function wasDelivered(
  client: Client,
  id: string,
  directory: string,
  messageId: string,
): Promise<boolean | undefined> {
  const until = Date.now() + deliveryMs
  try {
    for (;;) {
      if ((await client.messages(id, directory))?.some(({ info }) => info.id === messageId)) return true
      if (Date.now() > until) return false
      await sleep(100)
    }
  } catch {
    return undefined
  }
}

function followUp(record: SessionRecord, message: string): string {
  return followUpMessage({
    message,
    branch: record.branch_name ?? 'your branch',
    baseBranch: record.base_branch ?? 'the default branch',
    prUrl: record.pr_url ?? undefined,
  })
}

function changeRun(home: Home, name: string, change: (run: Run) => Run): Promise<SessionRecord | undefined> {
  let ended = false
  return changeSession(home, name, (current) => {
    if (!current?.run) {
      ended = true
      return undefined
    }
    return { ...current, run: change(current.run) }
  }).then((record) => (ended ? undefined : record))
}
