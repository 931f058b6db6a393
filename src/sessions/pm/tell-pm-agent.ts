/** Messages to the PM agent: one at a time, in its only session, and without a slot. */
import { permissionRules } from '../../agents/permissions.ts'
import { buildPmMessage, pmAgentName } from '../../agents/pm-agent.ts'
import type { Home } from '../../config/home.ts'
import { awaitedLater } from '../../core/awaited-later.ts'
import { newMessageId } from '../../driver/message-id.ts'
import type { Server } from '../../server/server.ts'
import { exclusively } from '../../platform/locks.ts'
import { agentServer } from '../runs/agent-server.ts'
import { asSessionOn, sessionOn } from '../file/session-of-kind.ts'
import { baseOn } from '../starting/base-session.ts'
import { tellBegin } from '../runs/announce.ts'
import { deadline } from '../runs/deadline.ts'
import { createSession, pmAgentPriming, pmTitle } from './initialise.ts'
import { note } from '../../activity/journal.ts'
import { modelFor } from '../starting/choose-model.ts'
import { describeMentions, type Mention } from './mentioned.ts'
import type { SessionRecord } from '../file/session-file.ts'
import { recall, rememberJoined } from '../runs/conversation.ts'
import { settleKilledStart } from '../runs/settle.ts'
import { sendPrompt } from '../starting/steer.ts'
import { changeIndex, changeSession, pmAgentSession, readSession, requireBase, requirePmAtRest } from '../file/store.ts'

/** Short, because the queue has other work meanwhile and tries again. */
const waitMs = 1_000

export interface Delegation {
  message: string
  /** The issues that it mentions. */
  mentions: readonly Mention[]
  queueItem: string
}

/**
 * Sends the PM agent a message and returns once it is at work on it. A session that opencode does not know any more is
 * replaced by a new one. Throws KugetsuError: `running` while it is at work on another message, `busy` while another
 * command works on its session, others when sending failed. The PM agent has not got the message then.
 */
export async function tellPmAgent(home: Home, request: Delegation): Promise<SessionRecord> {
  requireBase(home)
  const wait = { timeoutMs: waitMs, signal: home.signal }
  const told = await exclusively(home.paths.lock(`issue-${pmAgentSession}`), wait, async () => {
    await settleKilledStart(home, pmAgentSession)
    requirePmAtRest(home)
    const server = await agentServer(home)
    await baseOn(home, server)
    const session = await pmSession(home, server)
    return send(home, server, session, request)
  })
  note(home, 'started', { issue_ref: null, reason: `queue item ${request.queueItem} for the PM agent` })
  return told
}

/** The PM agent's session, set to its directory and its rules again in case they were changed. */
async function pmSession(home: Home, server: Server): Promise<{ id: string; isNew: boolean }> {
  const record = readSession(home, pmAgentSession)
  const known = sessionOn(server.driver, record)
  const isThere = known ? await server.client.has(known, home.paths.base) : false
  const id = known && isThere ? known : await createSession(home, server, pmTitle, pmAgentPriming)
  if (id !== known) {
    if (record?.opencode_session_id && !known) home.progress(`the PM agent begins anew, as ${id}`)
    else home.warn(`the PM agent had ${known ? 'lost its' : 'no'} session; it begins anew as ${id}`)
    await changeIndex(home, (index) => ({ ...index, pm_agent: id }))
  }
  const target = { directory: home.paths.base, rules: permissionRules(), title: pmTitle, isNew: false }
  await server.client.place(id, target)
  return { id, isNew: id !== known }
}

async function send(
  home: Home,
  server: Server,
  { id, isNew }: { id: string; isNew: boolean },
  request: Delegation,
): Promise<SessionRecord> {
  const messageId = newMessageId(home.now())
  const text = buildPmMessage({
    message: request.message,
    verbosity: home.settings().verbosity,
    context: describeMentions(home, request.mentions),
    remembered: isNew ? recall(home, pmAgentSession, null) : undefined,
  })
  const run = {
    slot: `${pmAgentSession}-${messageId}`, // not a real slot: it only tells the PM agent's runs apart
    message_ids: [messageId],
    started_at: home.now().toISOString(),
    ...deadline(home, null),
    interruptions: 0,
    server: server.record.marker,
    queue_item: request.queueItem,
  }
  // The model is named as for a fork, because the session is older than opencode's current setting.
  const { base } = home.paths
  const defaults = awaitedLater(server.client.defaults(base))
  const providers = home.settings().modelProviders
  const at = { directory: base, base, defaults }
  const model = await modelFor(server.client, { ...at, asked: undefined, forked: true, providers })
  const written = await changeSession(home, pmAgentSession, (current) => ({
    type: 'pm_agent',
    created_at: home.now().toISOString(),
    ...current,
    ...asSessionOn(server.driver, id, current),
    worktree_path: base,
    agent: pmAgentName,
    // Not `starting`: an agent in that state has a slot and is not running yet.
    state: 'running',
    last_error: null,
    run,
  }))
  try {
    await sendPrompt(home, server, { id, directory: base }, { messageId, text, model, agent: pmAgentName })
  } catch (error) {
    await changeSession(home, pmAgentSession, (current) =>
      current?.run?.slot === run.slot ? { ...current, state: 'idle', run: null } : undefined,
    )
    throw error
  }
  tellBegin(home, null, run, request.message)
  if (written !== undefined) await rememberJoined(home, pmAgentSession, written, request.message)
  return written ?? { type: 'pm_agent', state: 'running', run }
}
