import { KugetsuError } from '../core/errors.ts'

/** Throws KugetsuError `usage` for a flag that means nothing without another one. */
export function requireWith(flag: string, isGiven: boolean, needed: string, hasNeeded: boolean): void {
  if (!isGiven || hasNeeded) return
  throw new KugetsuError(`${flag} has no effect without ${needed}`, {
    hint: `Add ${needed}, or leave ${flag} out.`,
    code: 'usage',
  })
}
