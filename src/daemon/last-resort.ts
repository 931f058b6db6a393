/**
 * Handles a rejection that no code awaits. It is a defect of kugetsu, and would end the process. The daemon reports it
 * and ends only the start in which it happened.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Home } from '../config/home.ts'
import { KugetsuError, messageOf } from '../core/errors.ts'

const startOf = new AsyncLocalStorage<AbortController>()

/** Runs the start of a task; aborts `abort` with KugetsuError `unexpected` when a rejection in it is not handled. */
export function asStart<T>(abort: AbortController, work: () => T): T {
  return startOf.run(abort, work)
}

/** The handler for `unhandledRejection`; Node calls it in the async context of the work that failed. */
export function onUnhandled(home: Home): (reason: unknown) => void {
  return (reason) => {
    home.warn(`unexpected, and a defect of kugetsu: ${messageOf(reason)}`)
    const error = new KugetsuError(`unexpected: ${messageOf(reason)}`, {
      hint: 'This is a defect of kugetsu: please report it, with queue/daemon.log.',
      code: 'unexpected',
      cause: reason,
    })
    startOf.getStore()?.abort(error)
  }
}
