import { expect, it } from 'vitest'
import { risingClock } from '../../src/plugin/rising-clock.ts'

/** What such a clock says when the one on the wall says these, one after the other. */
const told = (times: number[]) => {
  const clock = risingClock(() => times.shift() ?? 0)
  return times.slice().map(() => clock())
}

it.each<[string, number[], number[]]>([
  ['says what the other says while that goes forward', [10, 11, 11, 500], [10, 11, 11, 500]],
  ['goes on from where it was when the other goes back', [100, 40, 43, 43, 50], [100, 100, 103, 103, 110]],
  ['does so again', [100, 40, 50, 20, 25], [100, 100, 110, 110, 115]],
  [
    'says what the other says again once that has come as far',
    [100, 40, 50, 110, 111, 300],
    [100, 100, 110, 110, 111, 300],
  ],
])('%s', (_, wall, expected) => {
  expect(told(wall)).toEqual(expected)
})
