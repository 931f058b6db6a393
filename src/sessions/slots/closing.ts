/**
 * While a process ends all agents of the home, no start gets a slot. closing.json names that process, and counts only as
 * long as it lives. The process writes the file and then lists the reservations. A start writes its reservation and then
 * looks for the file. So one of the two sees the other.
 */
import type { Home } from '../../config/home.ts'
import { KugetsuError } from '../../core/errors.ts'
import { readFields, required } from '../../core/fields.ts'
import { ensureDirectory, removeFile, writeJson } from '../../platform/files.ts'
import { anIdentity, currentProcess, isAlive } from '../../platform/processes.ts'
import { readState } from '../../platform/state-file.ts'

const fields = { owner: required(anIdentity) }

/** From now on no start gets a slot, until reopen() or the end of this process. */
export function close(home: Home): void {
  ensureDirectory(home.paths.home)
  writeJson(home.paths.closing, { owner: currentProcess() })
}

/** Starts get slots again. */
export function reopen(home: Home): void {
  removeFile(home.paths.closing)
}

/** Throws KugetsuError `closing` while another process ends the agents of the home. */
export function requireOpen(home: Home): void {
  const read = readState(home.paths.closing, (value) => readFields(fields, value), home.now())
  if (read.kind !== 'read') return
  const { owner } = read.value
  if (owner.pid === process.pid || !isAlive(owner)) return
  throw new KugetsuError(`"kugetsu down" ends the agents of this home now (pid ${owner.pid})`, {
    hint: 'Try again when it has ended.',
    code: 'closing',
  })
}
