/** The form of a check. */
import type { Home } from '../config/home.ts'
import type { Subject } from './subject.ts'

type Status = 'pass' | 'warn' | 'fail'

/** The result of one check. */
export interface Found {
  status: Status
  /** One sentence, or a few words when all is well. */
  detail: string
  /** What to do about it, when the check did not pass. */
  hint?: string
  /** The name of the check that says the cause; set only when that one cannot have passed. */
  follows?: string
}

export interface Check {
  name: string
  /** Looks, and changes nothing. An error it throws fails only this check. */
  look: (subject: Subject) => Found | Promise<Found>
  /**
   * Repairs as much as can be repaired without loss, based on the state at that moment. Returns what it did, a sentence
   * each. Called only when the look did not pass.
   */
  fix?: (home: Home) => Promise<string[]>
}

export const byItself = 'kugetsu doctor --fix'

export function pass(detail: string): Found {
  return { status: 'pass', detail }
}

export function warn(detail: string, hint: string): Found {
  return { status: 'warn', detail, hint }
}

export function fail(detail: string, hint: string): Found {
  return { status: 'fail', detail, hint }
}

/** Names in one line; only the first few if there are many. */
export function some(names: readonly string[], most = 3): string {
  const shown = names.slice(0, most).join(', ')
  return names.length > most ? `${shown} and ${names.length - most} more` : shown
}
