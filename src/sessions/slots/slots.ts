/**
 * The right to have an agent at work: the files, and who holds it. take-slot.ts enforces MAX_CONCURRENT_AGENTS with them.
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
 *              copy of the session file as it was then, should that be spoiled (put-back.ts).
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import * as z from 'zod/mini'
import type { Home } from '../../config/home.ts'
import { lazy } from '../../core/lazy.ts'
import { createExclusive, isNoText, listDirectory, readText, removeFile, setAside } from '../../platform/files.ts'
import { isLitter } from '../../platform/litter.ts'
import { isAlive, processIdentity, type ProcessIdentity } from '../../platform/processes.ts'

const reservation = lazy(() =>
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

/** Ties the slot to the agent's run instead of to the process that took it; `session` is what the session's file says. */
export function handOver(home: Home, slot: string, session?: object): void {
  createExclusive(slotFile(home, slot, 'run'), session === undefined ? '' : `${JSON.stringify(session)}\n`)
}

/** What the session's file said when the slot was handed over to its run; undefined when that is not there to be read. */
export function handedOver(home: Home, slot: string): unknown {
  try {
    return JSON.parse(readText(slotFile(home, slot, 'run')) ?? '')
  } catch {
    return undefined
  }
}

/** Gives a slot back; nothing happens when it is free already. */
export function releaseSlot(home: Home, slot: string): void {
  for (const kind of ['slot', 'held', 'run'] as const) removeFile(slotFile(home, slot, kind))
}

/**
 * Frees what a spoiled reservation holds: one that was read and makes no sense, or is no file. It is kept under
 * another name. Nothing happens to one that only could not be read.
 */
export function setSlotAside(home: Home, slot: string): void {
  const file = slotFile(home, slot, 'slot')
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
    if (fs.existsSync(slotFile(home, holder.id, 'run'))) return [{ ...holder, phase: 'run' as const }]
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

/** A reservation nobody can read counts as a run: settling frees it once no session names it. */
function readHolder(home: Home, id: string): Holder | undefined {
  const unreadable = { id, issueRef: '(unreadable)', session: '', owner: undefined, takenAt: '', phase: 'run' } as const
  let text: string | undefined
  try {
    text = readText(slotFile(home, id, 'slot'))
  } catch {
    return unreadable
  }
  if (text === undefined) return undefined
  const read = understood(text)
  if (read === undefined) return unreadable
  const has = (kind: 'held' | 'run') => fs.existsSync(slotFile(home, id, kind))
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
  if (id !== undefined && !fs.existsSync(slotFile(home, id, 'slot'))) removeFile(file)
}

/** The file of a reservation, or one of the two beside it. */
export function slotFile(home: Home, id: string, kind: 'slot' | 'held' | 'run'): string {
  return path.join(home.paths.slots, `${id}.${kind}`)
}
