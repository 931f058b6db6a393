/** The errors of requests to a server, the same for all drivers. */
import { startOf } from '../core/columns.ts'
import { KugetsuError } from '../core/errors.ts'

/** The server's answer when it refuses a request. */
export class RequestFailure extends Error {
  readonly status: number
  constructor(status: number, body: string) {
    super(`status ${status}: ${startOf(body, 500)}`)
    this.status = status
  }
}

/** The error for a request without an answer, or with an answer in an unknown form. */
export function noAnswer(what: string, why: string, cause: unknown): KugetsuError {
  return new KugetsuError(`the opencode server did not do ${what}: ${why}`, {
    hint: 'Its log is logs/opencode-server.log in the kugetsu home.',
    code: 'opencode_request',
    cause,
  })
}
