import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/config-file.ts'

const runs = { numRuns: 500 }

// prettier-ignore
const awkward = fc.constantFrom(
  '"', "'", '\\', '$', '`', '\n', '\r', '#', '=', ' ', '(', ')', '[', ']', '{', '}', ';', '~', ':-', 'é',
  'declare -A GIT_SERVERS=(', '["a"]="b"', '${A:-', 'export ', 'A=', '$(', '${A}', '\\\n', 'GIT_SERVERS[x]=',
)
const name = fc
  .stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,11}$/)
  .filter((name) => !['GIT_SERVERS', 'declare', 'typeset', 'export'].includes(name))
const value = fc
  .array(fc.oneof(awkward, fc.string({ unit: 'grapheme', maxLength: 5 })), { maxLength: 12 })
  .map((pieces) => pieces.join('').replace(/[\0\r]/g, '')) // line ends of Windows are read as \n

const doubleQuoted = (text: string) => `"${text.replace(/["\\$`]/g, '\\$&')}"`
const singleQuoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
const quoted = fc.constantFrom(doubleQuoted, singleQuoted)

describe('a config file', () => {
  it('of any content is read without an exception, and soon', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(awkward, { maxLength: 60 }).map((all) => all.join('')),
        ),
        (text) => {
          const config = parseConfig(text, { A: 'x', HOME: '/users/mika' })
          const lines = text.split(/\r\n?|\n/).length
          for (const warning of config.warnings) {
            expect(warning.line).toBeGreaterThan(0)
            expect(warning.line).toBeLessThanOrEqual(lines)
          }
          expect([...config.lines.keys()]).toEqual([...config.values.keys()])
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('gives back what was written into it in quotes, the last of a name', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, value, quoted, fc.constantFrom('', 'export ', 'declare -x ')), { maxLength: 12 }),
        (all) => {
          const text = all.map(([name, value, quote, before]) => `${before}${name}=${quote(value)} # why\n`).join('')
          const { values, warnings } = parseConfig(text)
          expect(warnings).toEqual([])
          expect(values).toEqual(new Map(all.map(([name, value]) => [name, value])))
        },
      ),
      runs,
    )
  })

  it('gives back the table of git servers', () => {
    const key = value.filter((text) => text !== '')
    fc.assert(
      fc.property(
        fc.array(fc.tuple(key, value, quoted), { maxLength: 8 }),
        fc.constantFrom(' ', '\n  ', ' # one\n  '),
        (all, between) => {
          const entries = all.map(([key, value, quote]) => `[${quote(key)}]=${quote(value)}`)
          const { servers, values, warnings } = parseConfig(
            `A=1\ndeclare -A GIT_SERVERS=(${between}${entries.join(between)}${between})\nB=2\n`,
          )
          expect(warnings).toEqual([])
          expect(servers).toEqual(new Map(all.map(([key, value]) => [key, value])))
          expect([...values]).toEqual([
            ['A', '1'],
            ['B', '2'],
          ])
        },
      ),
      runs,
    )
  })

  it('with a line that is not understood loses that line alone', () => {
    const nonsense = fc.constantFrom(
      'echo hello',
      'A =1',
      'if true; then',
      'X=$(id)',
      'Y=`id`',
      'Z=(1 2)',
      'U=$UNSET_VARIABLE',
      'a|b',
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 6 }), nonsense, fc.nat(6), (all, line, at) => {
        const lines = all.map(([name, value]) => `${name}=${doubleQuoted(value)}`)
        const text = lines.toSpliced(at, 0, line).join('\n')
        const config = parseConfig(text)
        expect(config.warnings).toHaveLength(1)
        expect(config.values).toEqual(parseConfig(lines.join('\n')).values)
      }),
      runs,
    )
  })
})
