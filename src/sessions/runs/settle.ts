/**
 * Ends runs: moves a session out of `running` and releases its slot, exactly once, by the first process that looks.
 *
 * The order keeps a crash harmless. Starting: the session file names the slot, then the slot becomes a run, then the
 * prompt goes out. Ending: the session file lets go of the slot, then the slot is removed. So a slot in phase `run`
 * that no session names is unused, and a session that names a slot may have an agent at work.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { maskerOf } from '../../agents/known-secrets.ts'
import type { Home } from '../../config/home.ts'
import { outcomeOf, type RunOutcome } from '../../core/run-outcome.ts'
import type { Client, ObservedSession } from '../../driver/client.ts'
import { sentAt } from '../../driver/message-id.ts'
import { findServer } from '../../server/server.ts'
import { unlessTaken } from '../../platform/locks.ts'
import { tellUntold, untoldOf } from './announce.ts'
import { freeForgottenSlots, sessionsAtWork } from './at-work.ts'
import { note } from '../../activity/journal.ts'
import { keepEnd, neverBegan } from './kept-ends.ts'
import type { Run, SessionRecord, Ending } from '../file/session-file.ts'
import { rememberAnswered } from './conversation.ts'
import { rescueSessions } from '../file/put-back.ts'
import { releaseSlot, slotHolders } from '../slots/slots.ts'
import { changeSession, readSession, readSessions } from '../file/store.ts'

/** How long a prompt may stay unanswered before that counts as a missed failure: opencode takes seconds. */
const unansweredMs = 30_000
/**
 * How long, in milliseconds, a prompt may take to appear in the session: opencode accepts it from a sender that then
 * dies, and was measured to show it in the session up to 0.8 s later. Counted from the first look, because the sender's
 * clock may differ from ours, and a server that hung may have had the prompt all the while.
 */
const onItsWayMs = 5_000
const lookMs = 100
/** How often in a row a run is told to go on after a failure of opencode itself, without progress in between. */
const mostTroubles = 3
/** How many ends a session keeps for the next daemon. Without a daemon for so long, the oldest ends matter least. */
const mostUnwritten = 10
const neverSent: Ending = {
  state: 'error',
  error: 'the message has not reached the agent: its sender died before, or opencode dropped it',
  undelivered: true,
}

/**
 * Ends the run `seen`, unless it has gone on since: a message may have joined it meanwhile.
 * Returns whether this call ended it; false as well when another process ended it first. Unless its transcript
 * `isWritten`, the next daemon completes the transcript.
 */
export async function settleRun(
  home: Home,
  name: string,
  seen: Run,
  given: Ending,
  { isWritten = false } = {},
): Promise<boolean> {
  const ending = withoutSecrets(home, given)
  const how = howItEnded(ending)
  let ended: SessionRecord | undefined
  await changeSession(home, name, (current) => {
    const run = current?.run
    if (!current || !run || run.slot !== seen.slot || run.message_ids.length !== seen.message_ids.length)
      return undefined
    // Written before the run is gone, so that a reader always finds the run or its end.
    keepEnd(home, name, current, run, ending)
    rememberAnswered(home, name, current, run, ending)
    ended = {
      ...current,
      state: ending.state,
      last_error: ending.error ?? null,
      ended: { how, at: home.now().toISOString() },
      run: null,
      // The sender of the prompt may have died before it noted this; the agent would be told about the issue once more.
      ...(current.briefed === false && !neverBegan(run, ending) ? { briefed: true } : {}),
      untold: untoldOf(home, current, run, ending),
      ...(isWritten ? {} : { unwritten: unwrittenOf(home, current, run, ending) }),
      ...(ending.cost === undefined ? {} : { cost: ending.cost }),
      ...(ending.tokens === undefined ? {} : { tokens: ending.tokens }),
    }
    return ended
  })
  if (ended === undefined) return false
  releaseSlot(home, seen.slot)
  note(home, how, { issue_ref: ended.issue_ref, reason: ending.error ?? 'the run ended' })
  await tellUntold(home, [{ name, record: ended }])
  return true
}

function howItEnded({ state, stopped }: Ending): 'finished' | 'failed' | 'timed_out' | 'stopped' {
  return stopped === true ? 'stopped' : ({ idle: 'finished', error: 'failed', timeout: 'timed_out' } as const)[state]
}

function unwrittenOf(home: Home, record: SessionRecord, run: Run, ending: Ending): SessionRecord['unwritten'] {
  const id = record.opencode_session_id
  if (!id || neverBegan(run, ending)) return record.unwritten
  const { state, error, cost } = ending
  const end = {
    run,
    opencode_session_id: id,
    state: ending.stopped === true ? ('stopped' as const) : state,
    ended_at: home.now().toISOString(),
    ...(error === undefined ? {} : { error }),
    ...(cost === undefined ? {} : { cost }),
  }
  return [...(record.unwritten ?? []), end].slice(-mostUnwritten)
}

/** A provider's error can quote a key, and an agent may say a secret. */
function withoutSecrets(home: Home, { error, answer, ...rest }: Ending): Ending {
  const mask = maskerOf(home)
  return {
    ...rest,
    ...(error === undefined ? {} : { error: mask(error) }),
    ...(answer === undefined ? {} : { answer: mask(answer) }),
  }
}

export interface Look {
  outcome: RunOutcome
  observed: ObservedSession | undefined
}

/** Asks the server how a session's run stands. Throws KugetsuError when it cannot tell. */
export async function lookAtRun(client: Client, record: SessionRecord, run: Run): Promise<Look> {
  const id = record.opencode_session_id
  const directory = record.worktree_path
  const observed = id && directory ? await client.observe(id, directory, run.message_ids) : undefined
  return { outcome: outcomeOf(run.message_ids, observed, run.repeats), observed }
}

/**
 * The ending that a look at a run implies; undefined while there is nothing to end. `unansweredFor` is how long, in
 * milliseconds, the last prompt has been unanswered: opencode says "idle" for a moment before its work begins, and at
 * the end for a moment before it reports a failure.
 */
export function endingOf(look: Look, run: Run, unansweredFor: number): Ending | undefined {
  const spent = { answer: look.observed?.answer, cost: look.observed?.cost, tokens: look.observed?.tokens }
  if (look.outcome.kind === 'working') return undefined
  if (run.stop_requested === true) return { state: 'idle', stopped: true, ...spent }
  switch (look.outcome.kind) {
    case 'lost':
      return { state: 'error', error: 'opencode does not know the session any more' }
    case 'done':
      if (look.outcome.aborted) return { state: 'idle', stopped: true, ...spent }
      return look.outcome.error === undefined
        ? { state: 'idle', ...spent }
        : { state: 'error', error: look.outcome.error, ...spent }
    case 'lacking':
      return isToldToGoOn(run)
        ? { state: 'error', error: `no answer: ${look.outcome.how}, even after it was told to go on`, ...spent }
        : undefined // promptAgain
    case 'troubled':
      return look.outcome.hasWorked || (run.troubles ?? 0) < mostTroubles
        ? undefined // promptAgain
        : { state: 'error', error: `opencode failed ${mostTroubles + 1} times in a row: ${look.outcome.how}`, ...spent }
    case 'unread':
      return undefined // promptAgain
    case 'undelivered':
      return undefined // settleNeverSent
    case 'unanswered':
      return unansweredFor < unansweredMs
        ? undefined
        : { state: 'error', error: 'opencode ended the run without an answer', ...spent }
  }
}

/** Whether the last prompt told the agent to go on, because it had ended without an answer. */
function isToldToGoOn(run: Run): boolean {
  return run.told_to_go_on_with !== undefined && run.told_to_go_on_with === run.message_ids.at(-1)
}

/**
 * Ends a run with a last prompt on file but not in the session, if no process can still send it: a sender holds the
 * issue's lock. While the prompt may be on its way the run does not end. With `wait` this call waits until the prompt
 * has come or cannot come any more; with `soughtMs`, how long it has been missing so far, it returns at once. A run
 * with earlier prompts goes on with those. Returns how the run ended, undefined when it did not.
 */
export async function settleNeverSent(
  home: Home,
  client: Client,
  name: string,
  sought: { soughtMs: number } | 'wait',
): Promise<Ending | undefined> {
  return unlessTaken(home.paths.lock(`issue-${name}`), () => endNeverSent(home, client, name, sought))
}

/** The same for a caller that holds the issue's lock, for the run of a start that was killed. */
export async function settleKilledStart(home: Home, name: string): Promise<void> {
  const record = readSession(home, name)
  if (!record?.run || record.state !== 'starting') return
  const server = findServer(home)
  if (wasNeverHandedOver(home, record, record.run)) await settleRun(home, name, record.run, neverSent)
  else if (server !== undefined && server.record.marker === record.run.server) {
    await endNeverSent(home, server.client, name, 'wait')
  }
}

async function endNeverSent(
  home: Home,
  client: Client,
  name: string,
  sought: { soughtMs: number } | 'wait',
): Promise<Ending | undefined> {
  const from = performance.now()
  for (;;) {
    // Look again, now that no other process can send the prompt: it may have been sent since.
    const record = readSession(home, name)
    if (!record?.run) return undefined
    if (!wasNeverHandedOver(home, record, record.run)) {
      const { outcome } = await lookAtRun(client, record, record.run)
      if (outcome.kind !== 'undelivered') return undefined
      if ((sought === 'wait' ? performance.now() - from : sought.soughtMs) <= onItsWayMs) {
        if (sought !== 'wait') return undefined
        await sleep(lookMs, undefined, { signal: home.signal })
        continue
      }
    }
    if (record.run.message_ids.length > 1) {
      await forgetPrompt(home, name, record.run)
      return undefined
    }
    return (await settleRun(home, name, record.run, neverSent)) ? neverSent : undefined
  }
}

/**
 * Removes the last prompt of a run, which has never reached the agent; the run keeps its earlier prompts. If the prompt
 * was to resume an interrupted run, the run counts as interrupted again and is resumed anew.
 */
export async function forgetPrompt(home: Home, name: string, seen: Run): Promise<void> {
  await changeSession(home, name, (current) => {
    const run = current?.run
    if (!current || !run || run.slot !== seen.slot || run.message_ids.at(-1) !== seen.message_ids.at(-1))
      return undefined
    const told = { ...run, message_ids: run.message_ids.slice(0, -1) }
    if (run.resumed_with !== run.message_ids.at(-1)) return { ...current, run: told }
    return { ...current, run: { ...told, server: '', interruptions: Math.max(0, run.interruptions - 1) } }
  })
}

/** Whether its slot never became a run: the starting process died before that, and so before it sent the prompt. */
function wasNeverHandedOver(home: Home, record: SessionRecord, run: Run): boolean {
  return record.state === 'starting' && !slotHolders(home).some(({ id, phase }) => id === run.slot && phase === 'run')
}

/** Ends the runs of commands that were killed before they sent the prompt; no daemon hears of such runs. */
export async function settleKilledStarts(home: Home): Promise<void> {
  const server = findServer(home)
  for (const { name, record } of sessionsAtWork(home)) {
    if (record.state !== 'starting' || server === undefined || server.record.marker !== record.run.server) continue
    // If the server cannot tell, no run is ended. Only the caller's signal ends the waiting.
    await settleNeverSent(home, server.client, name, 'wait').catch(() => home.signal.throwIfAborted())
  }
}

/**
 * Settles what has ended while no daemon watched, as far as that can be told at once: finished runs, and slots that no
 * session names. For callers that cannot wait for the daemon to do it.
 */
export async function settleWhatEnded(home: Home): Promise<void> {
  const server = findServer(home)
  for (const { name, record } of readSessions(home)) {
    if (!record.run || server === undefined || server.record.marker !== record.run.server) continue
    const look = await lookAtRun(server.client, record, record.run).catch(() => undefined)
    const ending = look && endingOf(look, record.run, sinceLastPrompt(record.run, home.now()))
    if (ending !== undefined) await settleRun(home, name, record.run, ending)
  }
  await rescueSessions(home)
  freeForgottenSlots(home)
}

function sinceLastPrompt(run: Run, now: Date): number {
  return now.getTime() - sentAt(run.message_ids.at(-1) ?? '', now).getTime()
}
