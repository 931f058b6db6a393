import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatValue, parseEnv, removeVariable, setVariable } from '../../src/agents/env-files.ts'
import { KugetsuError } from '../../src/core/errors.ts'

const runs = { numRuns: 500 }

/** Any text that a variable can hold, with what shells care about in it more often than by chance. */
const awkward = fc.constantFrom(
  '"',
  "'",
  '\\',
  '$',
  '`',
  '\n',
  '\r',
  '#',
  '=',
  ' ',
  '\t',
  '!',
  '{',
  '(',
  ';',
  '~',
  '$(x)',
  'é',
  '日',
)
const value = fc
  .array(fc.oneof(awkward, fc.string({ unit: 'grapheme', maxLength: 5 })), { maxLength: 20 })
  .map((pieces) => pieces.join('').replaceAll('\0', ''))
const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,11}$/)

/** Lines of an env file of which none reaches into the next. */
const closedLine = fc.oneof(
  fc.tuple(name, value).map(([name, value]) => `export ${name}=${formatValue(value)}`),
  fc.tuple(name, fc.stringMatching(/^[\w./:@-]*$/)).map(([name, value]) => `${name}=${value} # by hand`),
  fc.string().map((text) => `# ${text.replace(/[\r\n]/g, ' ')}`),
  fc.constantFrom('', '   ', 'not an assignment', 'A = 1', 'if true; then', 'export', 'source other.env', 'X=(1 2)'),
)
const closedText = fc
  .tuple(fc.array(closedLine, { maxLength: 12 }), fc.boolean())
  .map(([lines, ended]) => lines.join('\n') + (ended && lines.length > 0 ? '\n' : ''))
/** Whatever somebody may have written. */
const anyText = fc.oneof(
  closedText,
  fc.string({ unit: 'binary' }),
  fc.array(fc.oneof(awkward, name)).map((all) => all.join('')),
)

function attempt(work: () => string): string | KugetsuError {
  try {
    return work()
  } catch (error) {
    if (error instanceof KugetsuError) return error
    throw error
  }
}

describe('any value', () => {
  it('comes back from the line that is written for it', () => {
    fc.assert(
      fc.property(name, value, (name, value) => {
        const { values, warnings } = parseEnv(`export ${name}=${formatValue(value)}\n`)
        expect([...values]).toEqual([[name, value]])
        expect(warnings).toEqual([])
      }),
      runs,
    )
  })

  it('comes back from a POSIX shell that sources the file', () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'env-properties-'))
    try {
      const file = path.join(directory, 'sourced.env')
      const script = '. "$1"; shift; for name in "$@"; do eval "printf \'%s\\\\0\' \\"\\$$name\\""; done'
      fc.assert(
        fc.property(fc.array(value, { minLength: 1, maxLength: 40 }), (values) => {
          const names = values.map((_, index) => `V${index}`)
          fs.writeFileSync(
            file,
            names.reduce((text, name, index) => setVariable(text, name, values[index] ?? ''), ''),
          )
          const output = execFileSync('sh', ['-c', script, 'sh', file, ...names], {
            env: { PATH: process.env['PATH'], LANG: 'C.UTF-8' },
            encoding: 'utf8',
            timeout: 60_000,
          })
          expect(output.split('\0').slice(0, -1)).toEqual(values)
        }),
        { numRuns: 25 }, // a shell each, a thousand values in all
      )
    } finally {
      fs.rmSync(directory, { recursive: true, force: true })
    }
  })
})

describe('a file of any content', () => {
  it('is read without an exception, the same each time, and no warning tells a value', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const read = parseEnv(text)
        expect(parseEnv(text)).toEqual(read)
        for (const warning of read.warnings) expect(warning).toMatch(/^line \d+: [^\n]{1,120}$/)
      }),
      runs,
    )
  })

  it('has a variable that was set, and all others as before, or says why it cannot', () => {
    let refused = 0
    fc.assert(
      fc.property(anyText, name, value, (text, name, value) => {
        const after = attempt(() => setVariable(text, name, value))
        if (after instanceof KugetsuError) {
          refused++
          return after.code === 'bad_env_file'
        }
        const expected = new Map(parseEnv(text).values).set(name, value)
        expect(parseEnv(after).values).toEqual(expected)
        return setVariable(after, name, value) === after
      }),
      { numRuns: 1000 },
    )
    expect(refused).toBeLessThan(100)
  })

  it('loses a variable that is removed, and nothing else', () => {
    fc.assert(
      fc.property(closedText, name, (text, name) => {
        const expected = new Map(parseEnv(text).values)
        const names = [...expected.keys(), name]
        for (const one of names) {
          const after = removeVariable(text, one)
          const rest = new Map(expected)
          rest.delete(one)
          expect(parseEnv(after).values).toEqual(rest)
        }
      }),
      runs,
    )
  })

  it('keeps every other line byte for byte', () => {
    fc.assert(
      fc.property(
        fc.array(closedLine, { maxLength: 8 }),
        fc.array(closedLine, { maxLength: 8 }),
        value,
        (before, after, value) => {
          // A name that the other lines do not have.
          const name = 'THE_ONE_THAT_CHANGES'
          const [head, tail] = [before, after].map((lines) => lines.map((line) => `${line}\n`).join('')) as [
            string,
            string,
          ]
          const line = `export ${name}=${formatValue(value)}\n`
          expect(setVariable(`${head}${tail}`, name, value)).toBe(`${head}${tail}${line}`)
          expect(setVariable(`${head}${name}=old # remark\n${tail}`, name, value)).toBe(`${head}${line}${tail}`)
          expect(removeVariable(`${head}${line}${tail}`, name)).toBe(`${head}${tail}`)
          expect(removeVariable(`${head}${tail}`, name)).toBe(`${head}${tail}`)
        },
      ),
      runs,
    )
  })
})
