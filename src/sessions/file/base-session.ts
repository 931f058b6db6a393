import type { Home } from '../../config/home.ts'
import { KugetsuError } from '../../core/errors.ts'
import type { SessionRecord } from './session-file.ts'
import { requireOpen } from '../slots/closing.ts'
import { pmAgentSession, readIndex, readSession } from './store.ts'

/**
 * The base session's id, for what begins something new. Throws KugetsuError `not_initialised` when there is none, `closing`
 * while all agents of the home are ended.
 */
export function requireBase(home: Home): string {
  requireOpen(home)
  const base = readIndex(home)?.base
  if (base) return base
  throw new KugetsuError('kugetsu is not initialised', { hint: 'Run "kugetsu init" first.', code: 'not_initialised' })
}

/** The PM agent's session. Throws KugetsuError `not_initialised`, or `pm_agent_missing` when there is none. */
export function requirePmAgent(home: Home): SessionRecord {
  requireBase(home)
  const record = readSession(home, pmAgentSession)
  if (record !== undefined) return record
  throw new KugetsuError('there is no PM agent', { hint: 'Make one: kugetsu doctor --fix', code: 'pm_agent_missing' })
}
