/**
 * A slot is the right to have an agent at work. Here are its files and its holders; take-slot.ts enforces
 * MAX_CONCURRENT_AGENTS with them.
 *
 * Each holder has its own reservation, slots/<id>.slot, under a name never used again. The file is created
 * once, complete, and stays until the slot is released. It is never renamed or rewritten, because a directory scan may
 * miss a name that moves during the scan. To be admitted, a process writes its reservation and then lists all of them.
 * If there are more living reservations than the limit, it withdraws. Of the processes that stay, the last writer has
 * seen all the others, so they never exceed the limit, with or without a lock. The lock only keeps callers from getting
 * in each other's way.
 *
 * Two files beside the reservation say how far it has come:
 *   <id>.held  the holder was admitted. Before that it may still withdraw, so it does not refuse others for good.
 *   <id>.run   the slot no longer ends with the process that took it, but when the agent's run is settled (settle.ts).
 *              Written before the prompt is sent, so no agent works without it. It contains a copy of the session file
 *              as it was then, in case that file becomes unreadable (put-back.ts).
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { aText, readFields, required } from '../../core/fields.ts'
import { createExclusive, isNoText, listDirectory, readText, removeFile, setAside } from '../../platform/files.ts'
import { isLitter } from '../../platform/litter.ts'
import { anIdentity, isAlive, type ProcessIdentity } from '../../platform/processes.ts'

const reservation = {
  issue_ref: required(aText),
  /** The session file's name without `.json`. */
  session: required(aText),
  owner: required(anIdentity),
  taken_at: required(aText),
}

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

/** Ties the slot to the agent's run instead of to the process that took it; `session` is the session file's content. */
export function handOver(home: Home, slot: string, session?: object): void {
  createExclusive(slotFile(home, slot, 'run'), session === undefined ? '' : `${JSON.stringify(session)}\n`)
}

/** The session file's content when the slot was handed over to its run; undefined when there is no readable copy. */
export function handedOver(home: Home, slot: string): unknown {
  try {
    return JSON.parse(readText(slotFile(home, slot, 'run')) ?? '')
  } catch {
    return undefined
  }
}

/** Releases a slot; does nothing when it is free already. */
export function releaseSlot(home: Home, slot: string): void {
  for (const kind of ['slot', 'held', 'run'] as const) removeFile(slotFile(home, slot, kind))
}

/**
 * Frees the slot of a spoiled reservation: its content is invalid, or it is not a file. It is kept under another name.
 * A reservation that merely could not be read now is left alone.
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

/** The holders of slots now, oldest first. Also removes reservations of dead owners. */
export function slotHolders(home: Home): Holder[] {
  const names = listDirectory(home.paths.slots)
  for (const name of names) sweep(home, name)
  return reservations(home, names).flatMap((holder) => {
    if (holder.phase === 'run' || holder.owner === undefined || isAlive(holder.owner)) return [holder]
    // The owner is dead and writes no more, so what is there now is final. Names are unique, so no other slot is hit.
    if (fs.existsSync(slotFile(home, holder.id, 'run'))) return [{ ...holder, phase: 'run' as const }]
    releaseSlot(home, holder.id)
    return []
  })
}

/** All reservations under slots/, including those of dead owners; changes nothing. */
export function reservations(home: Home, names = listDirectory(home.paths.slots)): Holder[] {
  return names
    .filter((name) => name.endsWith('.slot') && !name.startsWith('.'))
    .flatMap((name) => readHolder(home, name.slice(0, -'.slot'.length)) ?? [])
}

/** An unreadable reservation counts as a run: settling frees it once no session names it. */
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
    return readFields(reservation, JSON.parse(text))
  } catch {
    return undefined
  }
}

/** Removes markers without a reservation (an interrupted release left them) and temporary files of dead writers. */
function sweep(home: Home, name: string): void {
  const file = path.join(home.paths.slots, name)
  if (isLitter(home.paths.slots, name)) removeFile(file)
  const id = /^([^.].*)\.(?:held|run)$/.exec(name)?.[1]
  if (id !== undefined && !fs.existsSync(slotFile(home, id, 'slot'))) removeFile(file)
}

/** The file of a reservation, or one of the two files beside it. */
export function slotFile(home: Home, id: string, kind: 'slot' | 'held' | 'run'): string {
  return path.join(home.paths.slots, `${id}.${kind}`)
}
