import type { Home } from '../../config/home.ts'
import { KugetsuError } from '../../core/errors.ts'
import { pmAgentSession, readSession } from '../file/store.ts'

/** Throws KugetsuError `running` while the PM agent is at work on a message. */
export function requirePmAtRest(home: Home): void {
  if (!readSession(home, pmAgentSession)?.run) return
  throw new KugetsuError('the PM agent is at work', { hint: 'Stop it first: kugetsu stop pm-agent', code: 'running' })
}
