import { setTimeout as sleep } from 'node:timers/promises'
import type { Home } from '../config/home.ts'
import { exitCodes, KugetsuError } from '../core/errors.ts'
import type { SessionRecord } from './record.ts'
import { readSession } from './store.ts'
import type { Supervision } from './supervision.ts'

const lookMs = 100
/** How often to see to it that a daemon is there: without one nobody would notice the end. */
const daemonLookMs = 5_000

/**
 * Waits until no agent is at work on any of the sessions. Returns them as they are then.
 * Throws KugetsuError `timed_out` (exit code 124) after `timeoutMs`.
 */
export async function waitForRuns(
  home: Home,
  supervision: Supervision,
  names: string[],
  options: { timeoutMs: number | undefined },
): Promise<{ name: string; record: SessionRecord | undefined }[]> {
  const from = performance.now()
  let daemonLooked = 0
  for (;;) {
    const sessions = names.map((name) => ({ name, record: readSession(home, name) }))
    const working = sessions.filter(({ record }) => record?.run || record?.state === 'starting')
    if (working.length === 0) return sessions
    const waited = performance.now() - from
    if (options.timeoutMs !== undefined && waited >= options.timeoutMs) {
      const refs = working.map(({ name, record }) => record?.issue_ref ?? name)
      throw new KugetsuError(`still at work after ${Math.round(waited / 1000)} s: ${refs.join(', ')}`, {
        hint: `Watch it with "kugetsu logs -f ${refs[0] ?? ''}".`,
        code: 'timed_out',
        exitCode: exitCodes.timedOut,
      })
    }
    if (performance.now() - daemonLooked > daemonLookMs) {
      await supervision.wake()
      daemonLooked = performance.now()
    }
    await sleep(lookMs, undefined, { signal: home.signal })
  }
}
