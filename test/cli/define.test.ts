import { expect, it } from 'vitest'
import { seconds } from '../../src/cli/define.ts'

it.each([
  ['600', 600],
  ['0.1', 0.1],
  ['0', 0],
  ['30s', 30],
  ['10m', 600],
  ['1.5h', 5_400],
  ['1d', 86_400],
])('%s is so many seconds: %d', (text, value) => expect(seconds(text)).toBe(value))

it.each(['', ' ', 'soon', '-1', '-1m', 'm', '10 m', '1w', 'NaN', 'Infinity', '1e999'])('%j is no time', (text) =>
  expect(() => seconds(text)).toThrow('not a number of seconds'),
)
