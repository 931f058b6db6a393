import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NotUnderstood } from '../../src/core/shell-quotes.ts'
import { readCommand } from '../../src/core/shell-words.ts'

/** The calls of a command, without what stands between them. */
const callsOf = (text: string) => readCommand(text).flatMap(({ calls }) => calls)
const wordsOf = (text: string) => callsOf(text).map(({ words }) => words)

describe('the words of a command', () => {
  test.each<[string, string[][]]>([
    ['', []],
    ['# nothing', []],
    ['a b', [['a', 'b']]],
    [`a 'b  c' "d  e" f\\ g ''`, [['a', 'b  c', 'd  e', 'f g', '']]],
    [`a "it's" 'say "x"' "\\"\\\\\\$\\\`\\x"`, [['a', "it's", 'say "x"', '"\\$`\\x']]],
    ['a b\\\nc \\\n  "d\\\ne"', [['a', 'bc', 'de']]],
    ['a#b c # d', [['a#b', 'c']]],
    ['a HEAD@{1} HEAD~2 {} }{ x{a', [['a', 'HEAD@{1}', 'HEAD~2', '{}', '}{', 'x{a']]],
    [`a '{b,c}' {"b,c"} '*' \\? "[x]"`, [['a', '{b,c}', '{b,c}', '*', '?', '[x]']]],
    ['a |\n # then\n b;c &&\nd || e;', [['a'], ['b'], ['c'], ['d'], ['e']]],
  ])('%j: %j', (text, words) => expect(wordsOf(text)).toEqual(words))

  test('are told with what stands between them', () => {
    const read = readCommand('a|b&&c||d;e\nf').map(({ after, calls }) => [after, calls.map(({ words }) => words[0])])
    expect(read).toEqual([
      [';', ['a', 'b']],
      ['&&', ['c']],
      ['||', ['d']],
      [';', ['e']],
      [';', ['f']],
    ])
  })

  test.each([
    ['a 2>/dev/null', 'out', 'nowhere'],
    ['a >/dev/null b', 'nowhere', 'err'],
    ['a 2>&1', 'out', 'out'],
    ['a >&2', 'err', 'err'],
    ['a > /dev/null 2>&1', 'nowhere', 'nowhere'],
    ['a 2>&1 >/dev/null', 'nowhere', 'out'],
    ['2>> /dev/null a', 'out', 'nowhere'],
  ])('%j: output goes to %s, errors to %s', (text, out, err) => expect(callsOf(text)).toMatchObject([{ out, err }]))

  test.each<[string, string]>([
    ["a <<'END'\n$x `y` \\\n  'open\nEND\n", "$x `y` \\\n  'open\n"],
    ["a <<'END' 'b\nc'\ntext\nEND", 'text\n'],
    ["a <<'END'\nEND", ''],
    ['a <<E"N"D\nx\nEND', 'x\n'],
    ["a <<-'END'\n\tx\n\t y\n\tEND\nb", 'x\n y\n'],
    ["a <<'END'\n\tEND\nEND", '\tEND\n'],
    ['a <<END\nno "dollar"\nEND', 'no "dollar"\n'],
    ["a <<'END'x\nEND\nENDx", 'END\n'],
    ["a <<''\nx\n\nb", 'x\n'],
  ])('%j: reads %j', (text, input) => {
    expect(callsOf(text)[0]?.input).toBe(input)
  })

  test('here-documents of a line follow one another', () => {
    expect(callsOf("a <<'A'; b <<'B' | c\n1\nA\n2\nB\nd").map(({ words, input }) => [words[0], input])).toEqual([
      ['a', '1\n'],
      ['b', '2\n'],
      ['c', undefined],
      ['d', undefined],
    ])
  })
})

test.each([
  'a $x',
  'a "$x"',
  'a "`x`"',
  'a `x`',
  'a $(x)',
  "a $'x'",
  'a $"x"',
  'a $[1]',
  'a *',
  'a ?x',
  'a [x]',
  'a ~',
  'a ~/x',
  'a b=~',
  'a --b=~',
  'a {b,c}',
  'a {1..3}',
  'a b{},c}',
  'a > b',
  'a >| /dev/null',
  'a &> /dev/null',
  'a >/dev/nullx',
  'a b>/dev/null',
  'a 3>/dev/null',
  'a >&3',
  'a >&-',
  'a < b',
  'a <<< b',
  'a <(b)',
  'a <> b',
  'a <<END\n$x\nEND',
  'a <<\\END\n ENDx\nEND ',
  'a <<END\n\\x\nEND',
  "a <<'END'\nx",
  "a <<'END'",
  "a <<'A' <<'B'\nA\nB",
  'a &',
  'a & b',
  'a |& b',
  'a | | b',
  'a | ',
  'a && ',
  '; a',
  'a ;; b',
  'a\n; b',
  '&& a',
  '(a)',
  'a () { b; }',
  '{ a; }',
  '! a',
  'if a; then b; fi',
  'while a; do b; done',
  'time a',
  'function a',
  '[[ a ]]',
  'A=b',
  'A=b a',
  'A+=b a',
  '>/dev/null',
  'a "b',
  "a 'b",
  'a \\',
  'a \u0000',
  'a \u0001',
  'a \ud800',
])('%j is refused', (text) => expect(() => readCommand(text)).toThrow(NotUnderstood))

describe('bash', () => {
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
  // prettier-ignore
  const piece = fc.oneof(
    { weight: 6, arbitrary: fc.stringMatching(/^[a-z0-9./:=@^%+_-]{1,4}$/) },
    { weight: 3, arbitrary: fc.stringMatching(/^[ a-c"$`\\*{},~#;&|<>()é\n]{0,5}$/).map(quoted) },
    { weight: 3, arbitrary: fc.stringMatching(/^[ a-c'*{},.~#;&|<>()é\n]{0,5}$/).map((text) => `"${text}"`) },
    { weight: 2, arbitrary: fc.constantFrom('\\ ', '\\\n', '\\"', "\\'", '\\$', '\\*', '\\{', '\\~', '\\#', '\\\\', '"\\\\"', '"\\x"', '"\\$"') },
    { weight: 2, arbitrary: fc.constantFrom('{', '}', ',', '..', '~', '#', '!', '=', '{}', '{a', 'b}', ']', '^', '%1') },
    { weight: 1, arbitrary: fc.constantFrom('$', '$x', '*', '[', "$'x'", '`', '"$x"') },
  )
  const word = fc.oneof(
    { weight: 8, arbitrary: fc.array(piece, { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join('')) },
    // prettier-ignore
    { weight: 1, arbitrary: fc.constantFrom('2>/dev/null', '>/dev/null', '2>&1', '>& 2', '1>/dev/null', '# rest', '2 >/dev/null', 'a2>/dev/null', '{', '}', '!', 'if') },
  )
  const delimiter = fc.constantFrom(
    "'END'",
    '"END"',
    '\\END',
    'END',
    "E'N'D",
    "'END'x",
    "'E ND'",
    "''",
    "'\tEND'",
    'E\\\nND',
  )
  const line = fc.constantFrom(
    'END',
    '\tEND',
    'ENDx',
    ' END',
    'E ND',
    '',
    'x',
    '\t\tx',
    "it's",
    '"',
    '$x',
    '\\',
    'a\\',
    '`',
    '| (',
    '# y',
  )
  const text = fc.array(line, { maxLength: 4 }).map((lines) => lines.map((each) => `${each}\n`).join(''))
  const here = fc.tuple(
    fc.constantFrom('<<', '<<-', '<< '),
    delimiter,
    text,
    fc.constantFrom('', '\n', '\nEND', '\nENDx\n', '\tEND\nEND\n'),
  )
  const call = fc.tuple(
    fc.constantFrom('p', 'p', 'p', "'p'", 'p""', '\\p', '2>/dev/null p'),
    fc.array(word, { maxLength: 4 }),
    fc.option(here, { freq: 3 }),
  )
  // prettier-ignore
  const between = fc.constantFrom(' ', ';', '\n', ' && ', '||', ' | ', '|\n', ' &&\n', ';\n', ' # c\n', '\n# it\'s\n', ' \\\n', '\n\n', ' &', ';;')
  const command = fc.array(fc.tuple(call, between), { minLength: 1, maxLength: 3 }).map((all) => {
    let written = ''
    for (const [[program, words, document], then] of all) {
      const [operator, end, body, last] = document ?? []
      written += `${[program, ...words, ...(operator === undefined ? [] : [`${operator}${end ?? ''}`])].join(' ')}${then}`
      if (operator !== undefined) written += `${then.includes('\n') ? '' : '\n'}${body ?? ''}END${last ?? ''}`
    }
    return written
  })

  /**
   * What bash passes to `p` in each of `texts`: a record a call, with its words and what it reads. One bash for all.
   * Records of one text are sorted: those of a pipe come in any order.
   */
  function heardBy(texts: string[]): string[][] {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'words-'))
    try {
      fs.writeFileSync(path.join(directory, 'cases'), texts.map((each) => `${each}\0`).join(''))
      fs.mkdirSync(path.join(directory, 'empty'))
      const script = `
        p() { local body=; IFS= read -r -d '' body; printf '%s\\0' "($#" "$@" "$body" >&9; }
        cd empty; PATH=
        while IFS= read -r -d '' text <&8; do
          ( eval "$text" ) </dev/null >/dev/null 2>&1
          printf '=\\0' >&9
        done 8<../cases 9>>../heard`
      execFileSync('bash', ['--norc', '-c', script], {
        cwd: directory,
        env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' },
        timeout: 60_000,
      })
      expect(fs.readdirSync(path.join(directory, 'empty'))).toEqual([])
      return recordsIn(fs.readFileSync(path.join(directory, 'heard'), 'utf8'))
    } finally {
      fs.rmSync(directory, { recursive: true, force: true })
    }
  }

  function recordsIn(heard: string): string[][] {
    const fields = heard.split('\0')
    const all: string[][] = []
    let records: string[] = []
    for (let at = 0; at < fields.length - 1;) {
      const field = fields[at] ?? ''
      if (field === '=') {
        all.push(records.sort())
        records = []
        at += 1
      } else {
        const count = Number(field.slice(1)) + 2
        records.push(JSON.stringify(fields.slice(at + 1, at + count)))
        at += count
      }
    }
    return all
  }

  /** What the reader says of that: each call succeeds, so what is behind `||` is not run. */
  function foretold(text: string): string[] | undefined {
    try {
      const pipelines = readCommand(text)
      const run = pipelines.filter(({ after }) => after !== '||')
      const records = run.flatMap(({ calls }) =>
        calls.map(({ words: [program, ...words], input = '' }) => program === 'p' && JSON.stringify([...words, input])),
      )
      // A program that is not there fails; `%1`, `2` and such are none.
      return pipelines.some(({ calls }) => calls.some(({ words }) => words[0] !== 'p'))
        ? undefined
        : records.filter((each) => each !== false).sort()
    } catch (error) {
      if (error instanceof NotUnderstood) return undefined
      throw error
    }
  }

  test('passes on the same words and texts, wherever the reader gives any', () => {
    let compared = 0
    fc.assert(
      fc.property(fc.array(command, { minLength: 300, maxLength: 400, size: 'max' }), (texts) => {
        const read = texts.map((text) => ({ text, words: foretold(text) })).filter(({ words }) => words !== undefined)
        compared += read.length
        const heard = heardBy(read.map(({ text }) => text))
        expect(read.map(({ text }, index) => ({ text, words: heard[index] }))).toEqual(read)
      }),
      { numRuns: 5 },
    )
    expect(compared).toBeGreaterThan(100)
  })
})
