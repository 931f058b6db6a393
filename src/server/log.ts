/** Reads the log of an opencode server. */
import * as fs from 'node:fs'
import type { Home } from '../config/home.ts'
import { KugetsuError } from '../core/errors.ts'
import { plainText } from '../core/plain-text.ts'
import type { Driver } from '../driver/driver.ts'

/** The text of the log from `offset`, in bytes, on. */
export function logSince(home: Home, offset: number): string {
  return fs.readFileSync(home.paths.serverLog).subarray(offset).toString('utf8')
}

/** The error of a server that did not start: why, and the line of its log that tells most. */
export function bootFailed(home: Home, driver: Driver, offset: number, why: string): KugetsuError {
  const log = plainText(logSince(home, offset)).trim()
  const lines = log.split('\n')
  // The last line often only closes what the line with the error began.
  const told = [/\berror\b/i, /Error:/].flatMap((sign) => lines.find((each) => sign.test(each)) ?? [])
  const line = (told[0] ?? lines.at(-1))?.trim().slice(0, 200)
  return new KugetsuError(`opencode serve did not start: ${why}${line ? ` (${line})` : ''}`, {
    hint: driver.bootHint(home, log) ?? `See ${home.paths.serverLog}; "opencode serve" by hand shows the same.`,
    code: 'server_failed',
  })
}
