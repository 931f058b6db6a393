/** What a check is. */
import type { Home } from '../config/home.ts'
import type { Subject } from './subject.ts'

type Status = 'pass' | 'warn' | 'fail'

/** What one look at one thing has found. */
export interface Found {
  status: Status
  /** One sentence, or a few words where all is well. */
  detail: string
  /** What to do about it, for everything that did not pass. */
  hint?: string
}

export interface Check {
  name: string
  /** Looks, and changes nothing. What it throws is a failure of this check alone. */
  look: (subject: Subject) => Found | Promise<Found>
  /**
   * Mends what can be mended without losing anything, on what is there at that moment, and returns what it did, a
   * sentence each. Called only when the look did not pass.
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

/** Names in one line, the first few of many. */
export function some(names: readonly string[], most = 3): string {
  const shown = names.slice(0, most).join(', ')
  return names.length > most ? `${shown} and ${names.length - most} more` : shown
}
