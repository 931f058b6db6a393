import { setTimeout as sleep } from 'node:timers/promises'
import { followUpMessage } from '../../agents/dev-agent.ts'
import type { Home } from '../../config/home.ts'
import type { Client, Prompt } from '../../driver/client.ts'
import { newMessageId } from '../../driver/message-id.ts'
import { findServer, type Server } from '../../server/server.ts'
import { isAlive } from '../../platform/processes.ts'
import { agentServer } from '../runs/agent-server.ts'
import type { Run, SessionRecord } from '../file/session-file.ts'
import { deadline } from '../runs/deadline.ts'
import { rememberJoined } from '../runs/conversation.ts'
import { carryOn } from '../runs/resume.ts'
import { changeSession } from '../file/store.ts'
import type { Started } from './request.ts'

/** How long after a failed request its prompt may still arrive, with room to spare. */
const deliveryMs = 2_500

/**
 * Sends a message to a running agent. The message joins the run and needs no slot of its own: the run does not end
 * before the message is answered. Undefined when the run has ended meanwhile: the message needs a new run then.
 */
export async function steer(home: Home, name: string, message: string): Promise<Started | undefined> {
  const server = await agentServer(home)
  await carryOn(home, name, server, 'asked for') // the previous server may have died unnoticed
  const messageId = newMessageId(home.now())
  // First on file, then sent: settling waits for every prompt on file.
  const joined = await changeRun(home, name, (run, issueRef) => ({
    ...run,
    message_ids: [...run.message_ids, messageId],
    ...deadline(home, issueRef),
  }))
  const id = joined?.opencode_session_id
  const directory = joined?.worktree_path
  if (!joined || !id || !directory) return undefined
  try {
    const text = followUp(joined, message)
    await server.client.prompt(id, directory, { messageId, text, agent: joined.agent ?? undefined })
  } catch (error) {
    if ((await hasArrived(home, server, { id, directory, messageId })) === false) {
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

/** Sends the first prompt of a run on file. Throws when the agent does not have it. */
export async function sendPrompt(
  home: Home,
  server: Server,
  { id, directory }: { id: string; directory: string },
  prompt: Prompt,
): Promise<void> {
  try {
    await server.client.prompt(id, directory, prompt)
  } catch (error) {
    const arrived = await hasArrived(home, server, { id, directory, messageId: prompt.messageId })
    // Unknown is not "no": while a server is alive the agent may be at work, and the daemon will find out.
    if (arrived === false || (arrived === undefined && findServer(home) === undefined)) throw error
  }
}

interface Sent {
  /** The session in opencode. */
  id: string
  directory: string
  messageId: string
}

/**
 * Whether a message has arrived although its request failed; undefined when unknown. If the server has died, a new one
 * is started and asked.
 */
async function hasArrived(home: Home, server: Server, sent: Sent): Promise<boolean | undefined> {
  const living = isAlive(server.record) ? server : await agentServer(home).catch(() => undefined)
  return living && wasDelivered(living.connect(undefined), sent)
}

/**
 * A prompt can show up in its session up to 0.8 s after its sender is gone (measured on 1.18), so "no" needs a wait.
 */
async function wasDelivered(client: Client, { id, directory, messageId }: Sent): Promise<boolean | undefined> {
  const until = performance.now() + deliveryMs
  try {
    for (;;) {
      if (await client.hasMessage(id, directory, messageId)) return true
      if (performance.now() > until) return false
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

function changeRun(
  home: Home,
  name: string,
  change: (run: Run, issueRef: string | null | undefined) => Run,
): Promise<SessionRecord | undefined> {
  let ended = false
  return changeSession(home, name, (current) => {
    if (!current?.run) {
      ended = true
      return undefined
    }
    return { ...current, run: change(current.run, current.issue_ref) }
  }).then((record) => (ended ? undefined : record))
}
