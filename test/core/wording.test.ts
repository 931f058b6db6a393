import { expect, it } from 'vitest'
import { ago, clock, counted, lasting, times } from '../../src/core/wording.ts'

const now = new Date('2026-05-03T12:00:00Z')

it.each([
  ['2026-05-03T12:00:00Z', '0 s'],
  ['2026-05-03T11:58:01Z', '119 s'],
  ['2026-05-03T11:58:00Z', '2 min'],
  ['2026-05-03T10:00:01Z', '119 min'],
  ['2026-05-03T10:00:00Z', '2 h'],
  ['2026-05-01T12:00:00Z', '2 days'],
  ['2026-05-03T13:00:00Z', '0 s'], // a clock that was put back
])('tells how long it is since %s', (at, span) => {
  expect(lasting(at, now)).toBe(`for ${span}`)
  expect(ago(at, now)).toBe(`${span} ago`)
})

it('says when a time is not known, and counts', () => {
  expect(ago(null, now)).toBe('at an unknown time')
  expect(lasting('yesterday', now)).toBe('since an unknown time')
  expect(clock('nonsense')).toBe('nonsense')
  expect(clock(now.toISOString())).toMatch(/^2026-05-0\d \d\d:\d\d:00$/)
  expect([1, 2, 3].map(times)).toEqual(['once', 'twice', '3 times'])
  expect([counted(1, 'task'), counted(2, 'task')]).toEqual(['1 task', '2 tasks'])
})
