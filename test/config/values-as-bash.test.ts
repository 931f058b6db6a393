/** What a settings file and an env file say is what bash would have read there. */
import { execFileSync } from 'node:child_process'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseEnv } from '../../src/agents/env-files.ts'
import { parseConfig } from '../../src/config/config-file.ts'

const piece = fc.oneof(
  fc.stringMatching(/^[a-z0-9./:=@^%+_-]{1,4}$/),
  fc.stringMatching(/^[ a-c"$`\\*{},~#;&|<>()é\n]{0,5}$/).map((text) => `'${text}'`),
  fc.stringMatching(/^[ a-c'*{},.~#;&|<>()é\n]{0,5}$/).map((text) => `"${text}"`),
  // prettier-ignore
  fc.constantFrom('\\ ', '\\\n', '\\"', "\\'", '\\$', '\\*', '\\{', '\\#', '\\\\', '"\\\\"', '"\\x"', '"\\$"', '"\\}"', '"\\\n"'),
)
const words = fc.array(
  fc.array(piece, { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join('')),
  { minLength: 50, maxLength: 50 },
)

it('of any quoting', () => {
  fc.assert(
    fc.property(words, (all) => {
      const text = all.map((word, index) => `export V${index}=${word}\n`).join('')
      const read = execFileSync(
        'bash',
        ['--norc', '-c', `${text}for name in \${!V@}; do printf '%s=%s\\0' "$name" "\${!name}"; done`],
        {
          env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' },
          encoding: 'utf8',
        },
      )
      const expected = Object.fromEntries(
        read
          .split('\0')
          .slice(0, -1)
          .map((each) => each.split(/=([^]*)/)),
      )
      expect(Object.fromEntries(parseEnv(text).values)).toEqual(expected)
      expect(Object.fromEntries(parseConfig(text).values)).toEqual(expected)
    }),
    { numRuns: 40 },
  )
})

it.each(['"', "'", '"a', "a'b", 'a"b'])('a quote that is not closed, %s, costs its line alone', (word) => {
  const text = `export A=1\nexport B=${word}`
  expect([...parseEnv(text).values]).toEqual([['A', '1']])
  expect([...parseConfig(text).values]).toEqual([['A', '1']])
  expect([parseEnv(text).warnings, parseConfig(text).warnings].map((warnings) => warnings.length)).toEqual([1, 1])
})

it('a backslash at the very end stands for itself', () => {
  expect(parseEnv('A=x\\').values.get('A')).toBe('x\\')
  expect(parseConfig('A=x\\').values.get('A')).toBe('x\\')
})
