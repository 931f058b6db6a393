/**
 * Looks after the runs: asks the server how each stands, follows the server's events and acts on both. It remembers nothing
 * that the next daemon could not find out again.
 */
import * as fs from 'node:fs'
import { maskerOf } from '../../agents/known-secrets.ts'
import type { Home } from '../../config/home.ts'
import { messageOf } from '../../core/errors.ts'
import { sentAt } from '../../driver/message-id.ts'
import { findServer, type Server } from '../../server/server.ts'
import { renderOutcome } from './render.ts'
import { isAlive, isOutOfSight } from '../../platform/processes.ts'
import type { AtWork } from '../../sessions/runs/at-work.ts'
import type { Run, Ending } from '../../sessions/file/session-file.ts'
import { endOutputHolders } from '../../sessions/runs/held-output.ts'
import { note } from '../../activity/journal.ts'
import { promptAgain, withTrouble } from '../../sessions/runs/prompt-again.ts'
import { resumeRun } from '../../sessions/runs/resume.ts'
import { waitingForTheirTurn } from '../../sessions/runs/resume-turns.ts'
import { endingOf, lookAtRun, settleNeverSent, settleRun } from '../../sessions/runs/settle.ts'
import { changeSession } from '../../sessions/file/store.ts'
import { createDeadlines } from './deadlines.ts'
import { answerRequests } from './permissions.ts'
import { failedStart, hopeless, inCircles, timedOut, troubleOf, withoutDirectory } from './run-endings.ts'
import { startWatcher, type Watcher } from './watcher.ts'

/** When to look again: soon while it is unclear how a run stands; else seldom, as a fallback for lost events. */
const soonMs = 1_000
const fallbackMs = 60_000
const quietMs = 2_000
/** How long to wait after a failure of opencode itself, before each time that a run is told to go on. */
const troublePausesMs = [1_000, 10_000, 30_000]

export interface RunKeeper {
  /** One look at all runs; returns how soon to look again, in milliseconds. */
  look: (atWork: AtWork[]) => Promise<number>
  /** No run is left: stops following the server. */
  rest: () => void
}

/** `changed` is called when a look is worthwhile, `ended` once for each run that ended here. */
export function createRunKeeper(
  home: Home,
  changed: () => void,
  ended: (session: string, run: Run) => void,
): RunKeeper {
  let watcher: { for: string; at: Watcher } | undefined
  let lastConnection = 0
  const deadlines = createDeadlines(home.now)
  const idle = new Map<string, { state: string; since: number }>()
  /** By slot: when to look at a run again without news, by a clock that does not jump. Missing before the first look. */
  const lookAt = new Map<string, number>()
  /** The interrupted runs that wait for their turn to be resumed, by slot; each with the server it was looked at in. */
  let waiting = new Map<string, string | undefined>()

  async function look(atWork: AtWork[]): Promise<number> {
    const server = await serverFor(atWork)
    if (server === undefined) return soonMs
    const follower = follow(server)
    const followed = atWork.filter(({ record }) => record.run.server === server.record.marker)
    follower.watch(
      followed.flatMap(({ record }) =>
        record.opencode_session_id ? [{ id: record.opencode_session_id, record, run: record.run }] : [],
      ),
    )
    const connection = follower.connection()
    const missed = connection !== 0 && connection !== lastConnection
    lastConnection = connection || lastConnection
    const news = follower.takeNews()
    const waits = await Promise.all(
      followed.map(async (stored) => {
        const { slot } = stored.record.run
        const id = stored.record.opencode_session_id ?? ''
        const due = missed || news.has(id) || stored.record.run.stop_requested === true
        const at = lookAt.get(slot) ?? performance.now() + restUntilFirstLook(stored.record.run)
        if (!due && performance.now() < at) return at - performance.now()
        const isAnswered = news.get(id) === 'changed' || (await answer(server, follower, stored))
        const restMs = await lookAfter(server, follower, stored, missed || !lookAt.has(slot))
        const waitMs = isAnswered ? restMs : Math.min(soonMs, restMs)
        lookAt.set(slot, performance.now() + waitMs)
        return waitMs
      }),
    )
    for (const slot of lookAt.keys()) if (!atWork.some(({ record }) => record.run.slot === slot)) forget(slot)
    for (const { issueRef, callId } of follower.takeOverdue()) void unblock(issueRef, callId)
    const isUnclear = followed.length + waiting.size < atWork.length
    return Math.min(fallbackMs, follower.overdueInMs(), ...waits, ...(isUnclear ? [soonMs] : []))
  }

  /**
   * In how many milliseconds to look at a run for the first time: opencode takes a second to open the directory and begin,
   * and every request slows that down. If something happens earlier, an event tells.
   */
  function restUntilFirstLook(run: Run): number {
    const now = home.now()
    const rest = sentAt(run.message_ids.at(-1) ?? '', now).getTime() + quietMs - now.getTime()
    return rest <= quietMs ? rest : 0 // sent by a clock that was ahead of ours
  }

  /** The server of the runs. If it has died, a new one, in which the interrupted runs are resumed. */
  async function serverFor(atWork: AtWork[]): Promise<Server | undefined> {
    const server = findServer(home)
    // A restarted container cannot see that the server of the previous container died with it.
    const isLost = server !== undefined && isOutOfSight(server.record) && !(await server.client.isUp(quietMs))
    const interrupted = atWork.filter(({ record }) => isLost || record.run.server !== server?.record.marker)
    const runs = atWork.map(({ record }) => record.run)
    const later = waitingForTheirTurn(runs, isLost ? undefined : server?.record.marker)
    await Promise.all(
      interrupted.map(async ({ name, record: { run, issue_ref: ref } }) => {
        const isSeen = later.has(run.slot) && server !== undefined && waiting.get(run.slot) === server.record.marker
        if (isSeen && run.stop_requested !== true) return
        await resumeRun(home, name, later.has(run.slot) ? 'later' : 'now').catch((error) =>
          home.warn(`could not resume ${ref}: ${messageOf(error)}`),
        )
      }),
    )
    const now = interrupted.length === 0 ? server : findServer(home)
    waiting = new Map([...later].map((slot) => [slot, now?.record.marker]))
    return now
  }

  function follow(server: Server): Watcher {
    if (watcher?.for !== server.record.marker) unfollow()
    watcher ??= { for: server.record.marker, at: startWatcher(home, server, changed) }
    return watcher.at
  }

  function unfollow(): void {
    watcher?.at.close()
    watcher = undefined
    lastConnection = 0
  }

  /** Ends the processes that keep a command, and so its agent, waiting beyond its timeout; reports it. Never rejects. */
  async function unblock(issueRef: string, callId: string): Promise<void> {
    try {
      const ended = await endOutputHolders(home, issueRef, callId)
      if (ended.length === 0) return
      const reason = `${ended.join(', ')} held the output of a command that had timed out: ended`
      note(home, 'unblocked', { issue_ref: issueRef, reason })
      home.progress(`${issueRef}: ${reason}`)
    } catch (error) {
      home.warn(`cannot tell what keeps a command of ${issueRef} waiting: ${messageOf(error)}`)
    }
  }

  /**
   * Answers what the agents in a run's directory ask for. The session is `waiting` while something cannot be answered.
   * Returns false when opencode does not say what they ask for: to be tried again.
   */
  async function answer(server: Server, follower: Watcher, { name, record }: AtWork): Promise<boolean> {
    if (!record.worktree_path) return true
    const issueOf = (id: string) => (follower.rootOf(id) === undefined ? undefined : (record.issue_ref ?? name))
    const waiting = await answerRequests(home, server.client, record.worktree_path, issueOf).catch(() => undefined)
    if (waiting === undefined) return false
    const state = waiting > 0 ? 'waiting' : 'running'
    if (record.state === state || (record.state !== 'running' && record.state !== 'waiting')) return true
    await changeSession(home, name, (current) =>
      current?.run?.slot === record.run.slot ? { ...current, state } : undefined,
    )
    return true
  }

  /** One run: ends it if it has ended or must; returns how soon to look again, in milliseconds. */
  async function lookAfter(server: Server, follower: Watcher, stored: AtWork, catchUp: boolean): Promise<number> {
    const { run } = stored.record
    const id = stored.record.opencode_session_id ?? ''
    try {
      const error = follower.errorOf(id)
      const seen = await lookAtRun(server.client, stored.record, run)
      if (catchUp) await follower.readBack(id)
      const idleForMs = howLongIdle(seen.outcome.kind, run)
      const trouble = troubleOf(error, idleForMs)
      const look = withTrouble(seen, trouble)
      const unansweredFor = look.outcome.kind === 'unanswered' ? idleForMs : 0
      const restMs = deadlines.restMs(run)
      const ending =
        endingOf(look, run, unansweredFor) ??
        (restMs > 0 ? undefined : timedOut(run)) ??
        hopeless(look.observed?.retry) ??
        inCircles(look.outcome.kind, follower.stuckOf(id)) ??
        failedStart(look.outcome.kind, error?.text, unansweredFor) ??
        withoutDirectory(look, stored.record)
      if (ending !== undefined) return await end(server, follower, stored, ending, look.outcome.kind === 'working')
      if (look.outcome.kind === 'undelivered') {
        const ended = await settleNeverSent(home, server.client, stored.name, { soughtMs: idleForMs })
        if (ended !== undefined) tellEnd(follower, stored, ended)
      }
      if (look.outcome.kind === 'lacking' || look.outcome.kind === 'unread') {
        await promptAgain(home, server.client, stored.name)
      }
      if (look.outcome.kind === 'troubled')
        await goOnAfterTrouble(server, follower, stored, { ...look.outcome, trouble }, idleForMs)
      const unclear = look.outcome.kind !== 'working'
      return unclear ? soonMs : Math.min(fallbackMs, restMs + 1)
    } catch (error) {
      if (isAlive(server.record)) home.warn(`cannot tell how ${stored.record.issue_ref} stands: ${messageOf(error)}`)
      return soonMs
    }
  }

  /** Tells a run to go on after a failure of opencode itself, once the pause after that failure is over. */
  async function goOnAfterTrouble(
    server: Server,
    follower: Watcher,
    { record, name }: AtWork,
    { how, hasWorked, trouble }: { how: string; hasWorked: boolean; trouble: string | undefined },
    idleForMs: number,
  ): Promise<void> {
    if (idleForMs < (troublePausesMs[hasWorked ? 0 : (record.run.troubles ?? 0)] ?? 0)) return
    await reopen(server, record, how)
    const id = record.opencode_session_id ?? ''
    const error = follower.errorOf(id)
    if (!(await promptAgain(home, server.client, name, trouble))) return
    if (follower.errorOf(id) === error) follower.forgetError(id)
    home.warn(`${record.issue_ref}: opencode failed: ${how}; the agent is told to go on`)
  }

  /** How long the run has been in this state since its last prompt, in milliseconds, as far as this daemon has seen. */
  function howLongIdle(kind: string, run: Run): number {
    const state = `${kind} ${run.message_ids.at(-1) ?? ''}`
    const known = idle.get(run.slot)
    if (known?.state === state) return performance.now() - known.since
    idle.set(run.slot, { state, since: performance.now() })
    return 0
  }

  async function end(
    server: Server,
    follower: Watcher,
    stored: AtWork,
    ending: Ending,
    working: boolean,
  ): Promise<number> {
    const { record, name } = stored
    const id = record.opencode_session_id ?? ''
    if (working && record.worktree_path) await server.client.interrupt(id, record.worktree_path)
    await follower.readBack(id, true)
    await reopen(server, record, ending.error)
    if (await settleRun(home, name, record.run, ending, { isWritten: true })) {
      tellEnd(follower, stored, ending)
      ended(name, record.run)
    }
    return 0
  }

  /**
   * When a directory is missing while opencode opens it, as between a destroy and the next start of an issue, opencode
   * remembers that for good; so close it. Done before the run is settled, because the next run may begin at once then.
   */
  async function reopen(server: Server, record: AtWork['record'], error: string | undefined): Promise<void> {
    const directory = record.worktree_path
    const wasMissing = directory && error?.includes('NotFound') === true && error.includes(directory)
    if (!wasMissing || !fs.existsSync(directory)) return
    await server.client.close(directory).catch((error) => home.warn(messageOf(error)))
  }

  function tellEnd(follower: Watcher, { record }: AtWork, ending: Ending): void {
    const now = home.now()
    follower.tellEnd(
      record.opencode_session_id ?? '',
      record.run,
      renderOutcome({
        state: ending.stopped === true ? 'stopped' : ending.state,
        at: now,
        durationMs: now.getTime() - Date.parse(record.run.started_at),
        cost: ending.cost,
        error: ending.error === undefined ? undefined : maskerOf(home)(ending.error),
      }),
    )
    forget(record.run.slot)
  }

  function forget(slot: string): void {
    lookAt.delete(slot)
    idle.delete(slot)
    deadlines.forget(slot)
  }

  return { look, rest: unfollow }
}
