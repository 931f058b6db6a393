import type { Home } from '../../config/home.ts'
import { exitCodes, KugetsuError } from '../../core/errors.ts'
import { currentProcess } from '../../platform/processes.ts'
import { note } from '../../activity/journal.ts'
import { memoryRoom, noMemory, type MemoryRoom } from '../slots/memory.ts'
import { settleKilledStarts, settleWhatEnded } from '../runs/settle.ts'
import type { Holder } from '../slots/slots.ts'
import { takeSlot } from '../slots/take-slot.ts'

/**
 * Takes a slot for the issue and returns its id. Throws KugetsuError `no_free_slot`, which names the holders, or
 * `no_memory` (both exit code 2). Without a `limit` there is always room: a person wants the start now. `isAgain`: the
 * caller asks again and again, so a refusal is not noted.
 */
export async function admit(
  home: Home,
  wanted: { issueRef: string; session: string; limit: number | undefined; isAgain?: boolean },
): Promise<string> {
  const { limit = Number.MAX_SAFE_INTEGER } = wanted
  let room: MemoryRoom | undefined
  const hasRoom = (holders: readonly Holder[]) => {
    room = memoryRoom(home, holders)
    return room.agents > 0
  }
  const request = { ...wanted, limit, owner: currentProcess(), ...(wanted.limit === undefined ? {} : { hasRoom }) }
  let admission = await takeSlot(home, request)
  if (!admission.admitted) {
    const supervised = await home.daemon.isRunning()
    // Without a daemon, runs that have ended may still hold their slots.
    if (!supervised) await settleWhatEnded(home)
    await settleKilledStarts(home)
    admission = await takeSlot(home, request)
    if (!admission.admitted && !supervised) await home.daemon.wake()
  }
  if (admission.admitted) return admission.slot
  const error =
    admission.noRoom === true && room !== undefined ? noMemory(home, room) : noFreeSlot(limit, admission.holders)
  if (wanted.isAgain !== true) note(home, 'refused', { issue_ref: wanted.issueRef, reason: error.message })
  throw error
}

function noFreeSlot(limit: number, holders: Holder[]): KugetsuError {
  const names = holders.map(({ issueRef }) => issueRef)
  const shown = names.length > 5 ? [...names.slice(0, 4), `${names.length - 4} more`] : names
  return new KugetsuError(`no free slot: ${holders.length} of ${limit} agents are at work (${shown.join(', ')})`, {
    hint: `Wait for one to end ("kugetsu wait ${names[0] ?? '<issue-ref>'}"), queue it (--queue), or raise MAX_CONCURRENT_AGENTS.`,
    code: 'no_free_slot',
    exitCode: exitCodes.noFreeSlot,
  })
}
