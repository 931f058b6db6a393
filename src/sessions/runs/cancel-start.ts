import type { Home } from '../../config/home.ts'
import { readText } from '../../platform/files.ts'
import { isOutOfSight, signalProcess, type ProcessIdentity } from '../../platform/processes.ts'
import { waitingStartOf } from '../file/waiting-starts.ts'
import { slotHolders } from '../slots/slots.ts'
import { pmAgentSession, readSession } from '../file/store.ts'

/**
 * Tells the process that starts an agent for a session to stop: the daemon, or another command (a signal as by Ctrl-C).
 * That process takes back what it made, under the issue's lock. False where no running start is known.
 */
export async function cancelStart(home: Home, name: string): Promise<boolean> {
  const record = readSession(home, name)
  const issue = name === pmAgentSession ? null : record?.issue_ref
  if (record?.run || issue === undefined) return false
  if (await home.daemon.cancelStart({ issue })) return true
  const holder = slotHolders(home).find(({ session, phase }) => session === name && phase !== 'run')
  const owner = holder?.owner ?? waitingStartOf(home, name)?.owner
  if (owner === undefined || isOutOfSight(owner) || isSpared(home, owner)) return false
  return signalProcess(owner, 'SIGTERM')
}

/** Whether it must not get the signal: this process, or a daemon, also one of an older version that cancels no start. */
function isSpared(home: Home, { pid }: ProcessIdentity): boolean {
  try {
    return pid === process.pid || readText(home.paths.daemonPid)?.trim() === String(pid)
  } catch {
    return true
  }
}
