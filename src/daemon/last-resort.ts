/**
 * What the daemon does with a failure that nobody waits for, a defect of kugetsu which would end the process: it is told,
 * ends the start under which it happened, and nothing else.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Home } from '../config/home.ts'
import { KugetsuError, messageOf } from '../core/errors.ts'

const startOf = new AsyncLocalStorage<AbortController>()

/** Runs the start of a task; `abort` is called with KugetsuError `unexpected` when something in it fails unheard. */
export function asStart<T>(abort: AbortController, work: () => T): T {
  return startOf.run(abort, work)
}

/** The handler for `unhandledRejection`, which Node calls in the context of the work that has failed. */
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
