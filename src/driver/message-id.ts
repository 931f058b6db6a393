import { randomBytes } from 'node:crypto'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** How far the clock that an id was made by may have been ahead of ours. */
const clockSlackMs = 24 * 3_600_000
const roundMs = 2 ** 36
let last = 0n

/**
 * A message id in opencode's own form: `msg_`, 12 hex digits that rise with time (milliseconds × 4096 + a counter, the
 * lowest 48 bits), 14 random characters. It must sort after the ids before it: opencode decides by that order whether
 * a prompt has been answered.
 */
export function newMessageId(now: Date): string {
  const stamp = BigInt(now.getTime()) * 4096n
  last = stamp > last ? stamp + 1n : last + 1n
  const rising = BigInt.asUintN(48, last).toString(16).padStart(12, '0')
  const random = Array.from(randomBytes(14), (byte) => alphabet[byte % alphabet.length]).join('')
  return `msg_${rising}${random}`
}

/** When a message id was made, given that it was no more than two years before `now`: its 36 bits of milliseconds wrap. */
export function sentAt(id: string, now: Date): Date {
  const latest = now.getTime() + clockSlackMs
  const stamp = Number(BigInt(`0x${/^msg_([0-9a-f]{12})/.exec(id)?.[1] ?? 0}`) >> 12n)
  return new Date(latest - ((((latest - stamp) % roundMs) + roundMs) % roundMs))
}
