import { inspect } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'

const pollMs = 25

/**
 * Polls a condition until it gives something truthy, and returns that. A condition that throws is not met yet.
 * Throws after `timeoutMs` (120000) with the description and the last value or error.
 */
export async function waitFor<T>(
  description: string,
  condition: () => T | Promise<T>,
  options: { timeoutMs?: number } = {},
): Promise<Exclude<Awaited<T>, false | 0 | '' | null | undefined>> {
  const { timeoutMs = 120_000 } = options
  const until = Date.now() + timeoutMs
  let last: unknown
  let cause: unknown
  do {
    try {
      const value = await condition()
      if (value) return value as Exclude<Awaited<T>, false | 0 | '' | null | undefined>
      last = `last value: ${inspect(value)}`
      cause = undefined
    } catch (error) {
      last = `last error: ${error instanceof Error ? error.message : inspect(error)}`
      cause = error
    }
    await sleep(pollMs)
  } while (Date.now() < until)
  throw new Error(`waited ${timeoutMs} ms in vain for: ${description} (${String(last)})`, { cause })
}
