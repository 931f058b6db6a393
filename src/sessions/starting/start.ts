/**
 * `start` and `continue`: one idempotent service that makes what is missing and leaves existing things untouched.
 * If a call fails, everything it made is undone.
 */
import type { Home } from '../../config/home.ts'
import { KugetsuError } from '../../core/errors.ts'
import { exclusively } from '../../platform/locks.ts'
import { note } from '../../activity/journal.ts'
import { nameOf } from '../file/session-name.ts'
import { readSession, requireBase } from '../file/store.ts'
import { isAtWorkByHand } from '../runs/by-hand.ts'
import { settleKilledStart } from '../runs/settle.ts'
import { begin } from './begin.ts'
import { checkMessage } from './message.ts'
import type { Started, StartRequest } from './request.ts'
import { steer } from './steer.ts'
import { refuseWithoutEffect } from './without-effect.ts'

/** Another command on the same issue may be cloning a large repository. */
const issueWaitMs = 30 * 60_000
/** Short, because the queue has other work meanwhile and tries again. */
const queueWaitMs = 1_000

/**
 * Starts an agent on an issue and returns once it works. Throws KugetsuError: `no_free_slot` or `no_memory` (exit code
 * 2) when there is no room (nothing was made), others when a step failed (what this call made was taken back).
 */
export async function startAgent(home: Home, request: StartRequest): Promise<Started> {
  checkMessage(request.message)
  requireBase(home)
  const name = nameOf(home, request.ref)
  const wait = { timeoutMs: request.queueItem === undefined ? issueWaitMs : queueWaitMs, signal: home.signal }
  const started = await exclusively(home.paths.lock(`issue-${name}`), wait, async () => {
    // Another ref that sanitises to the same name may have taken it while we waited.
    if (nameOf(home, request.ref) !== name) return undefined
    requireBase(home) // the home may have been removed while we waited
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
    return steered ?? begin(home, { ...request, name, existing: readSession(home, name) })
  })
  if (started === undefined) return startAgent(home, request)
  const reason = request.queueItem === undefined ? 'asked to by a command' : `queue item ${request.queueItem}`
  note(home, started.how, { issue_ref: started.record.issue_ref, reason })
  await home.daemon.wake()
  return started
}
