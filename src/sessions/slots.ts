/**
 * The right to have an agent at work, and the one place that enforces MAX_CONCURRENT_AGENTS.
 *
 * Each holder has a reservation of its own, slots/<id>.slot, under a name that nobody else ever uses. It is created
 * once, complete, and is there until its right ends; it is never renamed or rewritten, because a directory scan may
 * miss a name that moves while it runs. To be admitted a process writes its reservation, then lists all of them: when
 * the living ones are more than the limit it withdraws. Of those that stay, the one that wrote last has seen all the
 * others, so they cannot be more than the limit, whether or not a lock was held. The lock only keeps callers from
 * getting in each other's way.
 *
 * Two files beside it say how far it has come:
 *   <id>.held  it was admitted. Before that it may still withdraw, so it is no reason to refuse anybody for good.
 *   <id>.run   its right no longer ends with the process that took it but with the agent's run, when the run is
 *              settled (settle.ts). Written before the prompt is sent, so no agent ever works without it. In it is a
 *              copy of the session file as it was then, should that be spoiled (rescue.ts).
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod/mini'
import type { Home } from '../config/home.ts'
import { once } from '../core/once.ts'
import {
  createExclusive,
  ensureDirectory,
  isNoText,
  listDirectory,
  readText,
  removeFile,
  setAside,
} from '../platform/files.ts'
import { isLitter } from '../platform/litter.ts'
import { inOrder } from '../platform/locks.ts'
import { isAlive, processIdentity, type ProcessIdentity } from '../platform/processes.ts'

const orderWaitMs = 2_000
const contentionMs = 15_000

const reservation = once(() =>
  z.looseObject({
    issue_ref: z.string(),
    /** The session file's name without `.json`. */
    session: z.string(),
    owner: processIdentity(),
    taken_at: z.string(),
  }),
)

export interface Holder {
  id: string
  issueRef: string
  session: string
  /** The process that took it; unknown when the reservation cannot be read. */
  owner: ProcessIdentity | undefined
  takenAt: string
  /** claimed: may still withdraw; held: admitted, its owner is setting up; run: an agent has it. */
  phase: 'claimed' | 'held' | 'run'
}

export interface SlotRequest {
  issueRef: string
  /** The session file's name without `.json`. */
  session: string
  owner: ProcessIdentity
  /** How many may be held at once. */
  limit: number
  /** Whether there is room for one more beside those that hold one; asked in order with the other callers. */
  hasRoom?: (holders: readonly Holder[]) => boolean
  /** False only in the test that shows that the limit holds without the lock. */
  order?: boolean
}

export type Admission =
  | { admitted: true; slot: string }
  /** `noRoom`: a slot would have been free. */
  | { admitted: false; holders: Holder[]; noRoom?: true }

/**
 * Takes a slot for `owner`, or says who holds them all. Callers at the same time are admitted up to the limit and no
 * further. Throws KugetsuError when the home cannot be written.
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

/** Ties the slot to the agent's run instead of to the process that took it; `session` is what the session's file says. */
export function handOver(home: Home, slot: string, session?: object): void {
  createExclusive(fileOf(home, slot, 'run'), session === undefined ? '' : `${JSON.stringify(session)}\n`)
}

/** What the session's file said when the slot was handed over to its run; undefined when that is not there to be read. */
export function handedOver(home: Home, slot: string): unknown {
  try {
    return JSON.parse(readText(fileOf(home, slot, 'run')) ?? '')
  } catch {
    return undefined
  }
}

/** Gives a slot back; nothing happens when it is free already. */
export function releaseSlot(home: Home, slot: string): void {
  for (const kind of ['slot', 'held', 'run'] as const) removeFile(fileOf(home, slot, kind))
}

/**
 * Frees what a spoiled reservation holds: one that was read and makes no sense, or is no file. It is kept under
 * another name. Nothing happens to one that only could not be read.
 */
export function setSlotAside(home: Home, slot: string): void {
  const file = fileOf(home, slot, 'slot')
  try {
    const text = readText(file)
    if (text === undefined || understood(text) !== undefined) return
  } catch (error) {
    if (!isNoText(error)) return
  }
  setAside(file, home.now())
}

/** Who holds a slot now, oldest first. Reservations of dead owners are removed on the way. */
export function slotHolders(home: Home): Holder[] {
  const names = listDirectory(home.paths.slots)
  for (const name of names) sweep(home, name)
  return reservations(home, names).flatMap((holder) => {
    if (holder.phase === 'run' || holder.owner === undefined || isAlive(holder.owner)) return [holder]
    // Dead, so it writes no more: what is there now is final. The name is nobody else's, so this can hit no other.
    if (fs.existsSync(fileOf(home, holder.id, 'run'))) return [{ ...holder, phase: 'run' as const }]
    releaseSlot(home, holder.id)
    return []
  })
}

/** What lies under slots/, reservations of dead owners among it; changes nothing. */
export function reservations(home: Home, names = listDirectory(home.paths.slots)): Holder[] {
  return names
    .filter((name) => name.endsWith('.slot') && !name.startsWith('.'))
    .flatMap((name) => readHolder(home, name.slice(0, -'.slot'.length)) ?? [])
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
  createExclusive(fileOf(home, slot, 'slot'), JSON.stringify(content) + '\n')
  const after = slotHolders(home)
  if (after.length > request.limit || !after.some(({ id }) => id === slot)) {
    releaseSlot(home, slot)
    return refusal(
      after.filter(({ id }) => id !== slot),
      request.limit,
    )
  }
  createExclusive(fileOf(home, slot, 'held'), '')
  return { admitted: true, slot }
}

function refusal(holders: Holder[], limit: number): Admission | 'contended' {
  const settled = holders.filter(({ phase }) => phase !== 'claimed')
  return settled.length >= limit ? { admitted: false, holders } : 'contended'
}

/** A reservation nobody can read counts as a run: settling frees it once no session names it. */
function readHolder(home: Home, id: string): Holder | undefined {
  const unreadable = { id, issueRef: '(unreadable)', session: '', owner: undefined, takenAt: '', phase: 'run' } as const
  let text: string | undefined
  try {
    text = readText(fileOf(home, id, 'slot'))
  } catch {
    return unreadable
  }
  if (text === undefined) return undefined
  const read = understood(text)
  if (read === undefined) return unreadable
  const has = (kind: 'held' | 'run') => fs.existsSync(fileOf(home, id, kind))
  return {
    id,
    issueRef: read.issue_ref,
    session: read.session,
    owner: read.owner,
    takenAt: read.taken_at,
    phase: has('run') ? 'run' : has('held') ? 'held' : 'claimed',
  }
}

function understood(text: string) {
  try {
    return reservation().parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** A marker whose reservation is gone is what an interrupted release left; a dead writer's temporary file is litter. */
function sweep(home: Home, name: string): void {
  const file = path.join(home.paths.slots, name)
  if (isLitter(home.paths.slots, name)) removeFile(file)
  const id = /^([^.].*)\.(?:held|run)$/.exec(name)?.[1]
  if (id !== undefined && !fs.existsSync(fileOf(home, id, 'slot'))) removeFile(file)
}

function fileOf(home: Home, id: string, kind: 'slot' | 'held' | 'run'): string {
  return path.join(home.paths.slots, `${id}.${kind}`)
}
