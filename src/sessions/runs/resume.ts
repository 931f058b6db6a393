import { resumeMessage } from '../../agents/dev-agent.ts'
import { pmResumeMessage } from '../../agents/pm-agent.ts'
import type { Home } from '../../config/home.ts'
import { newMessageId } from '../../opencode/api/message-id.ts'
import type { Server } from '../../opencode/server/server.ts'
import { unlessTaken } from '../../platform/locks.ts'
import { agentServer } from './agent-server.ts'
import { tellResumed } from './announce.ts'
import { deadline } from './deadline.ts'
import { whatDied } from './interrupted.ts'
import { note } from '../../activity/journal.ts'
import type { Run, SessionRecord } from '../file/session-file.ts'
import { deathsOf } from './resume-turns.ts'
import type { Ending } from './ending.ts'
import { endingOf, forgetPrompt, lookAtRun, settleRun, type Look } from './settle.ts'
import { clearDeadLocks } from '../../git/stale-locks.ts'
import { changeSession, pmAgentSession, readSession } from '../file/store.ts'

/** A task that takes the server with it this often is not started again. */
const mostInterruptions = 3

/**
 * `now`: it is told to go on. `later`: another that may be the death of the server goes first, see resume-turns.ts, and
 * this one is only ended when it has ended already. `asked for`: a person has something to tell it, so it does not
 * wait, and its count begins anew.
 */
export type Turn = 'now' | 'later' | 'asked for'

/**
 * Carries on a run whose server died, in its own session with its whole history; or ends it, when it had finished
 * before, cannot go on, or was interrupted too often. Left alone while another command is busy with the issue.
 */
export async function resumeRun(home: Home, name: string, turn: Turn): Promise<void> {
  // The server first: that ends what the dead one left running before it boots.
  await unlessTaken(home.paths.lock(`issue-${name}`), async () => carryOn(home, name, await agentServer(home), turn))
}

/** The same for one who holds the issue's lock; nothing happens to a run that is in this server, or when there is none. */
export async function carryOn(home: Home, name: string, server: Server, turn: Turn): Promise<void> {
  for (;;) {
    const record = readSession(home, name)
    const run = record?.run
    if (!record || !run || run.server === server.record.marker) return
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

/** It is at work in this server, or had ended before the other one died, with something left to tell it. */
function hasNothingCutOff({ outcome }: Look): boolean {
  return ['working', 'lacking', 'unread', 'troubled'].includes(outcome.kind)
}

/** Only its file says another server. */
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
  // First: whoever is killed after this leaves it told.
  await tellResumed(home, record.issue_ref ?? null, seen)
  const messageId = newMessageId(home.now())
  await changeRun(home, name, seen, (run) => ({
    ...run,
    message_ids: [...run.message_ids, messageId],
    interruptions: turn === 'asked for' ? Math.min(1, deathsOf(run, true)) : deathsOf(run, true),
    resumed_with: messageId,
    // The time that it lay still is not its own, and how long that was is not known.
    ...deadline(home),
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
