/** Assembles the parts of a run: the worktree, the server, the session, and opencode's facts about the worktree. */
import type { Home } from '../../config/home.ts'
import { awaitedLater } from '../../core/awaited-later.ts'
import { isAlive } from '../../platform/processes.ts'
import type { Server } from '../../server/server.ts'
import { sessionOn } from '../file/session-of-kind.ts'
import { agentServer } from '../runs/agent-server.ts'
import { loadAhead, unload } from '../runs/loading.ts'
import { baseOn } from './base-session.ts'
import { ensureIssueWorktree, type ReadyWorktree } from './ensure-worktree.ts'
import type { Beginning } from './request.ts'
import type { Undo } from './undo.ts'
import { factsOf, type Facts } from './worktree-facts.ts'

export interface Made extends Facts {
  worktree: ReadyWorktree
  server: Server
  session: Session
}

interface Session {
  id: string
  forked: boolean
}

/** Gets worktree, session, and opencode's facts about the worktree at the same time: most of the time is waiting. */
export async function assemble(home: Home, request: Beginning, undo: Undo): Promise<Made> {
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
