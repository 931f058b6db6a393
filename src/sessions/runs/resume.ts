import { resumeMessage } from '../../agents/dev-agent.ts'
import { pmResumeMessage } from '../../agents/pm-agent.ts'
import type { Home } from '../../config/home.ts'
import { newMessageId } from '../../driver/message-id.ts'
import type { Server } from '../../server/server.ts'
import { unlessTaken } from '../../platform/locks.ts'
import { agentServer } from './agent-server.ts'
import { tellResumed } from './announce.ts'
import { deadline } from './deadline.ts'
import { whatDied } from './interrupted.ts'
import { note } from '../../activity/journal.ts'
import type { Run, SessionRecord, Ending } from '../file/session-file.ts'
import { sessionOn } from '../file/session-of-kind.ts'
import { deathsOf } from './resume-turns.ts'
import { endingOf, forgetPrompt, lookAtRun, settleRun, type Look } from './settle.ts'
import { clearDeadLocks } from '../../git/stale-locks.ts'
import { changeSession, pmAgentSession, readSession } from '../file/store.ts'

/** A task during which the server dies this often is not resumed again. */
const mostInterruptions = 3

/**
 * `now`: the agent is told to go on. `later`: another run that may kill the server goes first, see resume-turns.ts; this
 * run is only settled if it has ended already. `asked for`: a person has a message for the agent, so the run does not
 * wait, and its count of interruptions begins anew.
 */
export type Turn = 'now' | 'later' | 'asked for'

/**
 * Carries on a run after its server died, in its own session with its whole history; or ends the run, if it had finished
 * before, cannot go on, or was interrupted too often. Does nothing while another command is busy with the issue.
 */
export async function resumeRun(home: Home, name: string, turn: Turn): Promise<void> {
  // Start the server first: before it boots, the processes that the dead server left running are ended.
  await unlessTaken(home.paths.lock(`issue-${name}`), async () => carryOn(home, name, await agentServer(home), turn))
}

/** The server that died was of another kind than the one that runs now, which does not know the session. */
const movedAway: Ending = {
  state: 'error',
  error: 'opencode was replaced by another version while the agent was at work',
  undelivered: true,
}

/** The same for a caller that holds the issue's lock. Does nothing without a run, or when the run is in this server. */
export async function carryOn(home: Home, name: string, server: Server, turn: Turn): Promise<void> {
  for (;;) {
    const record = readSession(home, name)
    const run = record?.run
    if (!record || !run || run.server === server.record.marker) return
    if (sessionOn(server.driver, record) === undefined) {
      await settleRun(home, name, run, movedAway)
      return
    }
    const look = await lookAtRun(server.client, record, run)
    if (look.outcome.kind === 'undelivered' && run.message_ids.length > 1) {
      await forgetPrompt(home, name, run)
      continue
    }
    const ending = endOf(look, run, turn)
    if (ending !== undefined) {
      await settleRun(home, name, run, ending)
      return
    }
    if (hasNothingCutOff(look)) return adopt(home, name, run, server)
    return turn === 'later' ? undefined : tell(home, name, record, run, server, turn)
  }
}

function endOf(look: Look, run: Run, turn: Turn): Ending | undefined {
  const ending = endingOf(look, run, 0)
  if (ending !== undefined || hasNothingCutOff(look)) return ending
  if (look.outcome.kind === 'undelivered') {
    return { state: 'error', error: 'the opencode server died before the agent got its task', undelivered: true }
  }
  if (turn === 'later' || deathsOf(run, true) < mostInterruptions) return undefined
  return { state: 'error', error: `the opencode server died ${mostInterruptions} times under this task` }
}

/** Whether it works in this server already, or had ended before the other server died and still needs a prompt. */
function hasNothingCutOff({ outcome }: Look): boolean {
  return ['working', 'lacking', 'unread', 'troubled'].includes(outcome.kind)
}

/** Notes the server that the run is in: only the session file still names another one. */
async function adopt(home: Home, name: string, seen: Run, server: Server): Promise<void> {
  await changeRun(home, name, seen, (run) => ({ ...run, server: server.record.marker }))
}

async function tell(
  home: Home,
  name: string,
  record: SessionRecord,
  seen: Run,
  server: Server,
  turn: Turn,
): Promise<void> {
  const [id, directory] = [record.opencode_session_id ?? '', record.worktree_path ?? '']
  for (const file of await clearDeadLocks(directory, home.signal)) {
    home.warn(`${record.issue_ref}: removed ${file}, which a git left that was killed`)
  }
  // Tell first: if this process is killed afterwards, the interruption is told already.
  tellResumed(home, record.issue_ref ?? null, seen)
  const messageId = newMessageId(home.now())
  await changeRun(home, name, seen, (run) => ({
    ...run,
    message_ids: [...run.message_ids, messageId],
    interruptions: turn === 'asked for' ? Math.min(1, deathsOf(run, true)) : deathsOf(run, true),
    resumed_with: messageId,
    // A new deadline: the time of the interruption does not count, and its length is not known.
    ...deadline(home, record.issue_ref),
    server: server.record.marker,
  }))
  const text = name === pmAgentSession ? pmResumeMessage : resumeMessage
  await server.client.prompt(id, directory, { messageId, text, agent: record.agent ?? undefined })
  note(home, 'resumed', { issue_ref: record.issue_ref, reason: whatDied(seen) })
}

async function changeRun(home: Home, name: string, seen: Run, change: (run: Run) => Run): Promise<void> {
  await changeSession(home, name, (current) =>
    current?.run?.slot === seen.slot ? { ...current, run: change(current.run) } : undefined,
  )
}
