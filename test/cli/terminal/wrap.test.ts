import { expect, it } from 'vitest'
import { wrap } from '../../../src/cli/terminal/wrap.ts'

it('breaks lines at spaces, and leaves long words whole', () => {
  expect(wrap('one two three', 7, '  ')).toBe('one two\n  three')
  expect(wrap('a /very/long/path b', 5, '> ')).toBe('a\n> /very/long/path\n> b')
  expect(wrap('short', 80, '  ')).toBe('short')
  expect(wrap('', 80, '  ')).toBe('')
})
