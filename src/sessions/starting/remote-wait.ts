/**
 * Starts that wait for a git server. Whether it answers is not known before it has, so a start that has waited for a
 * while says so on file (waiting-starts.ts), and one from the queue gives its slot to the next task meanwhile.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Home } from '../../config/home.ts'
import { exitCodes, KugetsuError, messageOf } from '../../core/errors.ts'
import { currentProcess } from '../../platform/processes.ts'
import { admit } from './admission.ts'
import { releaseSlot } from '../slots/slots.ts'
import type { Supervision } from '../runs/supervision.ts'
import { forgetWaiting, noteWaiting } from '../file/waiting-starts.ts'

/** How long a remote may take before its start counts as waiting for it, in milliseconds. */
const patienceMs = 5_000
/** How often a start whose remote has answered looks for a free slot, in milliseconds. */
const slotLookMs = 250

/** A start that was admitted, and asks a remote. */
export interface AdmittedStart {
  /** The remote is being asked from now on. */
  asks: (remote: string) => void
  answered: () => void
  /** The slot that the start has; waits for a free one where it gave its own away. Throws what `admit` throws but that none is free. */
  slot: () => Promise<string>
  /** The start has failed: it needs no slot any more. */
  release: () => void
}

interface Wanted {
  session: string
  issueRef: string
  /** How many may be at work; undefined where a person wants it whatever there is. */
  limit: number | undefined
  /** It gives its slot away while it waits for the remote. */
  givesAway: boolean
  /** Called when it begins to wait for the remote, and when it goes on. */
  onWait?: ((waits: boolean) => void) | undefined
}

/** Takes the slot for a start. Throws KugetsuError `no_free_slot` or `no_memory` as admit() does. */
export async function admitStart(home: Home, supervision: Supervision, wanted: Wanted): Promise<AdmittedStart> {
  const { session, issueRef, givesAway, onWait } = wanted
  let slot: string | undefined = await admit(home, supervision, wanted)
  let timer: NodeJS.Timeout | undefined
  let waits = false

  function wait(remote: string, since: string): void {
    try {
      noteWaiting(home, { session, issue_ref: issueRef, owner: currentProcess(), remote, since })
    } catch (error) {
      return home.warn(messageOf(error)) // without it nobody would see that its process is at it: it keeps its slot
    }
    waits = true
    if (givesAway && slot !== undefined) {
      releaseSlot(home, slot)
      slot = undefined
    }
    onWait?.(true)
  }

  function answered(): void {
    clearTimeout(timer)
    if (waits) onWait?.(false)
    waits = false
    // Kept while it has no slot: by this the others see that its process is at it.
    if (slot !== undefined) forgetWaiting(home, session)
  }

  async function takeAgain(): Promise<string> {
    for (;;) {
      try {
        return await admit(home, supervision, { ...wanted, isAgain: true })
      } catch (error) {
        if (!(error instanceof KugetsuError) || error.exitCode !== exitCodes.noFreeSlot) throw error
      }
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
