import { describe, expect, it } from 'vitest'
import { newMessageId, sentAt } from '../../src/driver/message-id.ts'

const at = (time: string) => new Date(time)

describe('a message id', () => {
  it("has opencode's own form", () => {
    expect(newMessageId(at('2026-05-01T12:00:00Z'))).toMatch(/^msg_[0-9a-f]{12}[0-9A-Za-z]{14}$/)
  })

  it('carries the time in milliseconds times 4096, its lowest 48 bits', () => {
    const time = at('2030-01-02T03:04:05.678Z')
    const stamp = BigInt(`0x${newMessageId(time).slice(4, 16)}`)
    expect(stamp >> 12n).toBe(BigInt.asUintN(36, BigInt(time.getTime())))
  })

  it('sorts after all that were made before it, within one millisecond too', () => {
    const time = at('2031-01-01T00:00:00Z')
    const ids = Array.from({ length: 5000 }, () => newMessageId(time))
    expect(ids).toEqual([...ids].sort())
    expect(new Set(ids).size).toBe(5000)
    expect(newMessageId(at('2031-01-01T00:00:02Z')) > (ids.at(-1) ?? '')).toBe(true)
  })

  it('goes on rising when the clock is set back', () => {
    const before = newMessageId(at('2032-06-01T00:00:00Z'))
    expect(newMessageId(at('2031-06-01T00:00:00Z')) > before).toBe(true)
  })

  it('tells when it was made, up to two years later, and also when its maker’s clock was ahead', () => {
    const made = at('2033-03-03T03:03:03.003Z')
    const id = newMessageId(made)
    for (const later of ['2033-03-03T03:03:03.003Z', '2035-03-03T00:00:00Z', '2033-03-03T03:00:00Z']) {
      expect(sentAt(id, at(later)), later).toEqual(made)
    }
  })
})
