import { setTimeout as sleep } from 'node:timers/promises'
import type { Home } from '../../config/home.ts'
import { KugetsuError } from '../../core/errors.ts'
import { findServer } from '../../server/server.ts'
import { exclusively } from '../../platform/locks.ts'
import { isDying } from './agent-server.ts'
import { stopWorkByHand } from './by-hand.ts'
import { cancelStart } from './cancel-start.ts'
import { endProcessesOf } from './left-running.ts'
import type { Run, SessionRecord } from '../file/session-file.ts'
import { settleRun } from './settle.ts'
import { changeSession, readSession } from '../file/store.ts'

const issueWaitMs = 10_000
/** How long a start that was told to stop may take to undo what it has made. */
const undoMs = 60_000
/** How long the daemon gets to write the end of the run into its transcript, before this command settles the run. */
const daemonMs = 5_000

export interface Stopped {
  /** An agent at work, an agent that was being started, or only processes that an agent had left running. */
  what: 'agent' | 'start' | 'left running'
  /** The session file afterwards; undefined where a start that was stopped had made it. */
  record: SessionRecord | undefined
}

/**
 * Stops the agent of an issue, the command it runs and what it left running; session and worktree stay. A start in
 * progress is stopped and undone. Throws KugetsuError `not_running` when neither an agent nor anything it started is
 * running, `opencode_request` when the server does not obey.
 */
export async function stopAgent(home: Home, name: string): Promise<Stopped> {
  const isCancelled = await cancelStart(home, name)
  const wait = { timeoutMs: isCancelled ? undoMs : issueWaitMs, signal: home.signal }
  return exclusively(home.paths.lock(`issue-${name}`), wait, async () => {
    const record = await changeSession(home, name, (current) =>
      current?.run ? { ...current, run: { ...current.run, stop_requested: true } } : undefined,
    )
    if (!record?.run) {
      const atRest = readSession(home, name)
      if (isCancelled) return { what: 'start', record: atRest }
      if (atRest !== undefined && (await stopWorkByHand(home, atRest))) {
        await endLeftRunning(home, atRest)
        return { what: 'agent', record: atRest }
      }
      if (atRest !== undefined && (await endLeftRunning(home, atRest))) return { what: 'left running', record: atRest }
      throw new KugetsuError(`no agent is at work on ${record?.issue_ref ?? name}`, {
        hint: 'See "kugetsu list".',
        code: 'not_running',
      })
    }
    const server = findServer(home)
    const { opencode_session_id: id, worktree_path: directory } = record
    if (server !== undefined && id && directory) {
      await server.client.interrupt(id, directory).catch(async (error: unknown) => {
        if (!(await isDying(server))) throw error
      })
    }
    const isFollowed = await home.daemon.wake()
    const after = await settled(home, name, record.run, isFollowed ? daemonMs : 0)
    await endLeftRunning(home, record)
    return { what: 'agent', record: after }
  })
}

/** Ends the processes that an issue's agent left in the background, and tells of them; false if there were none. */
async function endLeftRunning(home: Home, { issue_ref: issueRef }: SessionRecord): Promise<boolean> {
  const ended = issueRef ? await endProcessesOf(home, { issueRef }) : []
  for (const name of ended) home.progress(`ended ${name}, which the agent had left running`)
  return ended.length > 0
}

async function settled(home: Home, name: string, run: Run, waitMs: number): Promise<SessionRecord> {
  const until = performance.now() + waitMs
  for (;;) {
    const record = readSession(home, name)
    if (record !== undefined && record.run?.slot !== run.slot) return record
    if (performance.now() > until) break
    await sleep(20)
  }
  const last = readSession(home, name)
  if (last?.run) await settleRun(home, name, last.run, { state: 'idle', stopped: true })
  return readSession(home, name) ?? { type: 'forked', state: 'idle' }
}
