/** The slots and the locks. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { listDirectory, setAside } from '../../platform/files.ts'
import { isAlive } from '../../platform/processes.ts'
import { freeForgottenSlots } from '../../sessions/runs/at-work.ts'
import { reservations, type Holder } from '../../sessions/slots/slots.ts'
import { byItself, pass, some, warn, type Check } from '../check.ts'
import { subjectOf, type Subject } from '../subject.ts'

/** A process holds the lock that orders the admissions only for milliseconds. */
const longestHoldMs = 5_000

const slots: Check = {
  name: 'slots',
  look: (subject) => {
    const all = reservations(subject.home)
    const forgotten = forgottenOf(subject, all)
    if (forgotten.length > 0) {
      return warn(
        `without a process or a run: the slot of ${some(forgotten.map(({ issueRef }) => issueRef))}`,
        byItself,
      )
    }
    return pass(`${all.length} of ${subject.settings().maxConcurrentAgents} in use`)
  },
  fix: async (home) => {
    const subject = subjectOf(home)
    // A session that cannot be read may have an agent at work.
    if (subject.unreadable().some((file) => file.startsWith('sessions/'))) return []
    const before = forgottenOf(subject, reservations(home))
    freeForgottenSlots(home)
    const left = new Set(reservations(home).map(({ id }) => id))
    return before.filter(({ id }) => !left.has(id)).map(({ issueRef }) => `freed the slot of ${issueRef}`)
  },
}

/** Slots of agents that no session names, and slots of processes that died before there was an agent. */
function forgottenOf(subject: Subject, all: Holder[]): Holder[] {
  const named = new Set(subject.sessions().flatMap(({ record }) => record.run?.slot ?? []))
  return all.filter(({ id, phase, owner }) =>
    phase === 'run' ? !named.has(id) : owner !== undefined && !isAlive(owner),
  )
}

const locks: Check = {
  name: 'locks',
  look: ({ home }) => {
    const odd = listDirectory(home.paths.locks).filter((name) => {
      const stat = fs.lstatSync(path.join(home.paths.locks, name), { throwIfNoEntry: false })
      return name.endsWith('.lock') && stat !== undefined && !(stat.isFile() && stat.size === 0)
    })
    if (odd.length > 0) {
      return warn(
        `not empty, so not made by kugetsu: locks/${odd.join(', locks/')}`,
        'Check what it is. The next command that needs the lock renames it.',
      )
    }
    return isStuck(home)
      ? warn(`${path.relative(home.paths.home, orderLock(home))} was left by a process that died`, byItself)
      : pass('held by the kernel, so none can become stale')
  },
  fix: async (home) => {
    if (!isStuck(home)) return []
    const lock = orderLock(home)
    try {
      fs.rmdirSync(lock)
    } catch {
      if (setAside(lock, home.now()) === undefined) return []
    }
    return [`removed ${path.relative(home.paths.home, lock)}, left by a process that died`]
  },
}

/** The lock that orders the admissions: the only lock that the kernel does not release with its process. */
function orderLock({ paths }: Home): string {
  return path.join(paths.slots, 'admission.lock')
}

function isStuck(home: Home): boolean {
  const stat = fs.lstatSync(orderLock(home), { throwIfNoEntry: false })
  if (stat === undefined) return false
  const age = Date.now() - stat.mtimeMs
  return !stat.isDirectory() || age > longestHoldMs || age < -longestHoldMs
}

export const slotChecks = [slots, locks]
