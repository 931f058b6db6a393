/** Takes a slot: the only place that enforces MAX_CONCURRENT_AGENTS. See slots.ts for the method and the files. */
import * as path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Home } from '../../config/home.ts'
import { createExclusive, ensureDirectory } from '../../platform/files.ts'
import { inOrder } from '../../platform/order.ts'
import type { ProcessIdentity } from '../../platform/processes.ts'
import { requireOpen } from './closing.ts'
import { releaseSlot, slotFile, slotHolders, type Holder } from './slots.ts'

const orderWaitMs = 2_000
const contentionMs = 15_000

export interface SlotRequest {
  issueRef: string
  /** The session file's name without `.json`. */
  session: string
  owner: ProcessIdentity
  /** How many may be held at once. */
  limit: number
  /** Whether there is room for one more agent beside the holders; callers ask one after the other. */
  hasRoom?: (holders: readonly Holder[]) => boolean
  /** False only in the test that shows that the limit holds without the lock. */
  order?: boolean
}

export type Admission =
  | { admitted: true; slot: string }
  /** `noRoom`: a slot was free, but `hasRoom` said no. */
  | { admitted: false; holders: Holder[]; noRoom?: true }

/**
 * Takes a slot for `owner`, or returns the holders of all slots. Concurrent callers are never admitted beyond the
 * limit. Throws KugetsuError when the home cannot be written, and `closing` while all agents are ended.
 */
export async function takeSlot(home: Home, request: SlotRequest): Promise<Admission> {
  ensureDirectory(home.paths.slots)
  const attempt = () => tryTake(home, request)
  const until = performance.now() + contentionMs
  for (let tries = 1; ; tries++) {
    const wait = { timeoutMs: orderWaitMs, signal: home.signal }
    const admission =
      request.order === false ? attempt() : await inOrder(path.join(home.paths.slots, 'admission'), wait, attempt)
    if (admission !== 'contended') return admission
    if (performance.now() > until) return { admitted: false, holders: slotHolders(home) }
    await sleep(Math.random() * Math.min(5 * 2 ** tries, 250))
  }
}

function tryTake(home: Home, request: SlotRequest): Admission | 'contended' {
  const before = slotHolders(home)
  if (before.length >= request.limit) return refusal(before, request.limit)
  if (request.hasRoom?.(before) === false) return { admitted: false, holders: before, noRoom: true }
  const slot = `${Date.now().toString(36)}-${process.pid}-${process.hrtime.bigint().toString(36)}`
  const content = {
    issue_ref: request.issueRef,
    session: request.session,
    owner: request.owner,
    taken_at: home.now().toISOString(),
  }
  createExclusive(slotFile(home, slot, 'slot'), JSON.stringify(content) + '\n')
  try {
    requireOpen(home)
  } catch (error) {
    releaseSlot(home, slot)
    throw error
  }
  const after = slotHolders(home)
  if (after.length > request.limit || !after.some(({ id }) => id === slot)) {
    releaseSlot(home, slot)
    return refusal(
      after.filter(({ id }) => id !== slot),
      request.limit,
    )
  }
  createExclusive(slotFile(home, slot, 'held'), '')
  return { admitted: true, slot }
}

function refusal(holders: Holder[], limit: number): Admission | 'contended' {
  const settled = holders.filter(({ phase }) => phase !== 'claimed')
  return settled.length >= limit ? { admitted: false, holders } : 'contended'
}
