/**
 * `start` and `continue`: one idempotent service that makes what is missing and leaves existing things untouched.
 * If a call fails, everything it made is undone.
 */
import { permissionRules } from '../../agents/permissions.ts'
import type { Home } from '../../config/home.ts'
import { awaitedLater } from '../../core/awaited-later.ts'
import { KugetsuError, messageOf } from '../../core/errors.ts'
import { formatRef } from '../../core/issue-ref.ts'
import { newMessageId } from '../../driver/message-id.ts'
import { findServer, type Server } from '../../server/server.ts'
import { exclusively } from '../../platform/locks.ts'
import { isAlive } from '../../platform/processes.ts'
import { agentServer, excuseRuns, toldByDeath } from '../runs/agent-server.ts'
import { tellBegin } from '../runs/announce.ts'
import { deadline } from '../runs/deadline.ts'
import { requireBase } from '../file/base-session.ts'
import { isAtWorkByHand } from '../runs/by-hand.ts'
import { removeWork } from '../cleanup/destroy.ts'
import { ensureIssueWorktree, type ReadyWorktree } from './ensure-worktree.ts'
import { note } from '../../activity/journal.ts'
import { loadAhead, unload } from '../runs/loading.ts'
import { checkMessage } from './message.ts'
import type { SessionRecord } from '../file/session-file.ts'
import { rememberAsked } from '../runs/conversation.ts'
import { nameOf } from '../file/session-name.ts'
import { asSessionOn, sessionOn } from '../file/session-of-kind.ts'
import { baseOn } from './base-session.ts'
import { settleKilledStart } from '../runs/settle.ts'
import type { Started, StartRequest } from './request.ts'
import { admitStart, type AdmittedStart } from './remote-wait.ts'
import { handOver } from '../slots/slots.ts'
import { hasArrived, steer } from './steer.ts'
import { changeIndex, changeSession, forgetSession, readSession } from '../file/store.ts'
import type { Supervision } from '../runs/supervision.ts'
import { taskPrompt } from './task-prompt.ts'
import { createUndo, type Undo } from './undo.ts'
import { refuseWithoutEffect } from './without-effect.ts'
import { factsOf, type Facts } from './worktree-facts.ts'

/** Another command on the same issue may be cloning a large repository. */
const issueWaitMs = 30 * 60_000
/** Short, because the queue has other work meanwhile and tries again. */
const queueWaitMs = 1_000

/**
 * Starts an agent on an issue and returns once it works. Throws KugetsuError: `no_free_slot` or `no_memory` (exit code
 * 2) when there is no room (nothing was made), others when a step failed (what this call made was taken back).
 */
export async function startAgent(home: Home, supervision: Supervision, request: StartRequest): Promise<Started> {
  checkMessage(request.message)
  requireBase(home)
  const name = nameOf(home, request.ref)
  const wait = { timeoutMs: request.queueItem === undefined ? issueWaitMs : queueWaitMs, signal: home.signal }
  const started = await exclusively(home.paths.lock(`issue-${name}`), wait, async () => {
    // Another ref that sanitises to the same name may have taken it while we waited.
    if (nameOf(home, request.ref) !== name) return undefined
    await settleKilledStart(home, name)
    const existing = readSession(home, name)
    const isNeeded = request.fresh === true || request.queueItem !== undefined
    const isTold = request.fresh === true && existing !== undefined && (await isAtWorkByHand(home, existing))
    if (existing && ((existing.run && isNeeded) || isTold)) {
      throw new KugetsuError(`an agent is at work on ${existing.issue_ref}`, {
        hint: `Stop it first: kugetsu stop ${existing.issue_ref}`,
        code: 'running',
      })
    }
    if (request.queueItem === undefined) refuseWithoutEffect(request, existing)
    const steered = existing?.run ? await steer(home, name, request.message) : undefined
    // Read the session again: if there was no agent to steer, its run has ended meanwhile.
    return steered ?? begin(home, supervision, { ...request, name, existing: readSession(home, name) })
  })
  if (started === undefined) return startAgent(home, supervision, request)
  const reason = request.queueItem === undefined ? 'asked to by a command' : `queue item ${request.queueItem}`
  note(home, started.how, { issue_ref: started.record.issue_ref, reason })
  await supervision.wake()
  return started
}

interface Beginning extends StartRequest {
  name: string
  existing: SessionRecord | undefined
  /** The server that the agent is started in, once it is known. */
  used?: Server
  remote?: AdmittedStart
}

async function begin(home: Home, supervision: Supervision, request: Beginning): Promise<Started> {
  const issueRef = formatRef(request.ref)
  const limit = request.now === true ? undefined : home.settings(issueRef).maxConcurrentAgents
  const onWait = request.onRemoteWait
  const remote = await admitStart(home, supervision, { issueRef, session: request.name, limit, onWait })
  request = { ...request, remote }
  const undo = createUndo(home.warn)
  undo.add('the slot', remote.release)
  try {
    const recovery =
      request.fresh === true && request.existing ? await removeWork(home, request.existing, request.name) : undefined
    if (request.fresh === true) request = { ...request, existing: anew(request.existing) }
    undo.add('the session file', () => restore(home, request))
    await changeSession(home, request.name, (current) => ({
      ...(current ?? { type: 'forked', issue_ref: issueRef, created_at: home.now().toISOString() }),
      ...request.existing,
      state: 'starting',
    }))
    const made = await prepare(home, request, undo)
    const isNew = made.session.forked
    const target = { directory: made.worktree.path, rules: permissionRules(), title: issueRef, isNew }
    await made.server.client.place(made.session.id, target)
    const record = await beginRun(home, request, { ...made, slot: await remote.slot(), issueRef })
    return { how: made.session.forked ? 'started' : 'continued', name: request.name, record, recovery }
  } catch (error) {
    await excuseRuns(home, error, request.used)
    await undo.run()
    const reason = toldByDeath(error, request.used)
    note(home, 'undone', { issue_ref: issueRef, reason: messageOf(reason) })
    throw reason
  }
}

interface Made extends Facts {
  worktree: ReadyWorktree
  server: Server
  session: Session
}

interface Session {
  id: string
  forked: boolean
}

/** Gets worktree, session, and opencode's facts about the worktree at the same time: most of the time is waiting. */
async function prepare(home: Home, request: Beginning, undo: Undo): Promise<Made> {
  const failing = new AbortController()
  const part = { ...home, signal: AbortSignal.any([home.signal, failing.signal]) }
  const stopOthers = (error: unknown): never => {
    failing.abort(error)
    throw error
  }
  // Most of a start's time is opencode reading the directory.
  let loaded = Promise.resolve()
  // Not while opencode still reads: it would keep contents of files that have changed by then.
  const forget = (directory: string) => loaded.then(() => unload(home, directory))
  const loading = {
    onPlaced: (directory: string) => {
      loaded = awaitedLater(loadAhead(home, directory))
      // Undone before the worktree is removed: otherwise opencode would remember that the directory was missing.
      undo.add('what opencode has read of it', () => forget(directory))
    },
    onMoved: forget,
    onAsking: request.remote?.asks,
    onAnswered: request.remote?.answered,
  }
  const placed = awaitedLater(ensureIssueWorktree(part, { ...request, ...loading }, undo).catch(stopOthers))
  const found = awaitedLater(agentServer(part).catch(stopOthers))
  const ready = awaitedLater(found.then((server) => sessionFor(home, server, request, undo)).catch(stopOthers))
  const known = awaitedLater(lookAt(home, request, { placed, found, ready }).catch(stopOthers))
  const parts = [placed, found, ready, known] as const
  await Promise.allSettled(parts)
  home.signal.throwIfAborted()
  failing.signal.throwIfAborted() // throws the first failure
  const [worktree, server, session, facts] = await Promise.all(parts)
  // Later requests to the server must not be aborted by the signal of this step.
  return { worktree, server: { ...server, client: server.connect(home.signal) }, session, ...facts }
}

/**
 * The issue's session, or a new one. Not aborted when another part fails: a session made meanwhile would be left behind
 * unknown.
 */
async function sessionFor(home: Home, server: Server, request: Beginning, undo: Undo): Promise<Session> {
  request.used = server
  const client = server.connect(home.signal)
  const known = sessionOn(server.driver, request.existing)
  const directory = request.existing?.worktree_path
  if (known && directory && (await client.has(known, directory))) return { id: known, forked: false }
  const id = await client.fork(await baseOn(home, server), home.paths.base)
  undo.add('the opencode session', async () => {
    // The failure may be that the server has died.
    const living = isAlive(server.record)
      ? server
      : await agentServer({ ...home, signal: new AbortController().signal })
    await living.connect(undefined).remove(id, home.paths.base)
  })
  return { id, forked: true }
}

/**
 * opencode's facts about the worktree. Not aborted when another part fails either: opencode would still answer, and might
 * open the directory again after it was told to forget it.
 */
async function lookAt(
  home: Home,
  request: Beginning,
  { placed, found, ready }: { placed: Promise<ReadyWorktree>; found: Promise<Server>; ready: Promise<Session> },
): Promise<Facts> {
  const [{ path: directory }, server] = await Promise.all([placed, found])
  // If the issue had a session, it depends on whether opencode still has it.
  const forked = request.existing?.opencode_session_id ? (await ready).forked : true
  return factsOf(home, server.connect(home.signal), { ...request, directory, forked })
}

/** From here on an agent may be at work: the session file and the slot say so before the prompt goes out. */
async function beginRun(
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
  try {
    await server.client.prompt(session.id, worktree.path, prompt)
  } catch (error) {
    const arrived = await hasArrived(home, server, { id: session.id, directory: worktree.path, messageId })
    // Unknown is not "no": while a server is alive an agent may be at work, and the daemon will find out.
    if (arrived === false || (arrived === undefined && findServer(home) === undefined)) throw error
  }
  tellBegin(home, issueRef, run, request.message)
  const running = await changeSession(home, request.name, (current) => {
    if (current === undefined) return undefined
    rememberAsked(home, request.name, { record: current, slot, text: request.message, anew: request.fresh })
    const begun = current.run?.slot === slot && current.state === 'starting'
    return { ...current, briefed: true, ...(begun ? { state: 'running' } : {}) }
  })
  return running ?? written ?? { type: 'forked', state: 'running' }
}

/** What is kept of a session that begins anew. */
function anew(existing: SessionRecord | undefined): SessionRecord | undefined {
  return existing === undefined
    ? undefined
    : { ...existing, opencode_session_id: null, worktree_path: null, base_branch: null }
}

async function restore(home: Home, request: Beginning): Promise<void> {
  const before = request.existing
  if (before === undefined) await forgetSession(home, request.name)
  else await changeSession(home, request.name, () => ({ ...before, run: null }))
}
