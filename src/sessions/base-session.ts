import type { Home } from '../config/home.ts'
import { KugetsuError } from '../core/errors.ts'
import { readIndex } from './store.ts'

/** The base session's id. Throws KugetsuError `not_initialised` when there is none. */
export function requireBase(home: Home): string {
  const base = readIndex(home)?.base
  if (base) return base
  throw new KugetsuError('kugetsu is not initialised', { hint: 'Run "kugetsu init" first.', code: 'not_initialised' })
}
