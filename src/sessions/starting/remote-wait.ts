/**
 * Starts that wait for a git server. The server may never answer. So a start that has waited for a while records that
 * in a file (waiting-starts.ts) and gives its slot away meanwhile.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Home } from '../../config/home.ts'
import { exitCodes, KugetsuError, messageOf } from '../../core/errors.ts'
import { currentProcess } from '../../platform/processes.ts'
import { admit } from './admission.ts'
import { releaseSlot } from '../slots/slots.ts'
import { forgetWaiting, noteWaiting } from '../file/waiting-starts.ts'

/** How long a remote may take before its start counts as waiting for it, in milliseconds. */
const patienceMs = 5_000
/** How often a start looks for a free slot once its remote has answered, in milliseconds. */
const slotLookMs = 250

/** An admitted start that asks a remote. */
export interface AdmittedStart {
  /** The remote is being asked from now on. */
  asks: (remote: string) => void
  answered: () => void
  /**
   * The start's slot; waits for a free one if the start gave its own away. Throws what `admit` throws, except
   * `no_free_slot` and `no_memory`.
   */
  slot: () => Promise<string>
  /** The start has failed: it needs no slot any more. */
  release: () => void
}

interface Wanted {
  session: string
  issueRef: string
  /** How many agents may be at work; undefined where a person wants the start regardless. */
  limit: number | undefined
  /** Called when it begins to wait for the remote, and when it goes on. */
  onWait?: ((waits: boolean) => void) | undefined
}

/** Takes the slot for a start. Throws KugetsuError `no_free_slot` or `no_memory` as admit() does. */
export async function admitStart(home: Home, wanted: Wanted): Promise<AdmittedStart> {
  const { session, issueRef, onWait } = wanted
  let slot: string | undefined = await admit(home, wanted)
  let timer: NodeJS.Timeout | undefined
  let waits = false

  function wait(remote: string, since: string): void {
    try {
      noteWaiting(home, { session, issue_ref: issueRef, owner: currentProcess(), remote, since })
    } catch (error) {
      return home.warn(messageOf(error)) // it keeps its slot: without the file no other process would see this start
    }
    waits = true
    if (slot !== undefined) releaseSlot(home, slot)
    slot = undefined
    onWait?.(true)
  }

  function answered(): void {
    clearTimeout(timer)
    if (waits) onWait?.(false)
    waits = false
    // While it has no slot the file stays, so that other processes still see this start.
    if (slot !== undefined) forgetWaiting(home, session)
  }

  async function takeAgain(): Promise<string> {
    let isTold = false
    for (;;) {
      try {
        return await admit(home, { ...wanted, isAgain: true })
      } catch (error) {
        if (!(error instanceof KugetsuError) || error.exitCode !== exitCodes.noFreeSlot) throw error
      }
      if (!isTold) home.progress(`the git server has answered; ${issueRef} waits for a free slot`)
      isTold = true
      await sleep(slotLookMs, undefined, { signal: home.signal })
    }
  }

  return {
    asks: (remote) => {
      const since = home.now().toISOString()
      timer = setTimeout(() => wait(remote, since), patienceMs)
    },
    answered,
    slot: async () => {
      slot ??= await takeAgain()
      forgetWaiting(home, session)
      return slot
    },
    release: () => {
      answered()
      forgetWaiting(home, session)
      if (slot !== undefined) releaseSlot(home, slot)
    },
  }
}
