import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  agentVariables,
  defaultEnvTemplate,
  devEnvTemplate,
  formatValue,
  parseEnv,
  pmAgentEnvTemplate,
  removeVariable,
  setVariable,
} from '../../src/agents/env-files.ts'
import { KugetsuError } from '../../src/core/errors.ts'

let directory: string
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'env-files-'))
})
afterEach(() => {
  fs.rmSync(directory, { recursive: true, force: true })
})

/** What bash has in these variables after sourcing the text. */
function sourced(text: string, names: string[]): string[] {
  const file = path.join(directory, 'sourced.env')
  fs.writeFileSync(file, text)
  const script = 'source "$1"; shift; for name in "$@"; do printf "%s\\0" "${!name}"; done'
  const output = execFileSync('bash', ['--norc', '-c', script, 'bash', file, ...names], {
    env: { PATH: process.env['PATH'] },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return output.split('\0').slice(0, -1)
}

function attempt(work: () => string): string | KugetsuError {
  try {
    return work()
  } catch (error) {
    if (error instanceof KugetsuError) return error
    throw error
  }
}

const values = [
  '',
  'plain',
  'two words',
  ' leading and trailing ',
  'say "hi"',
  "it's",
  '$HOME and ${HOME} and $(id) and `id`',
  'back\\slash \\n \\" \\$ \\\\',
  'ends in a backslash\\',
  'line one\nline two\n',
  'backslash before newline\\\nnext',
  'a # b',
  '#hash',
  '!history !!',
  '~/x',
  'a;b&c|d<e>f(g)',
  '\ttab\rreturn',
  'żółć 日本語 👩‍💻',
  '\'"$`\\\n\'"$`\\',
  '=x=y',
  '*?[a]{b,c}',
]

describe('a written value', () => {
  test.each(values)('%j comes back from parseEnv and from bash', (value) => {
    const text = `export VALUE=${formatValue(value)}\nexport AFTER="1"\n`
    const parsed = parseEnv(text)
    expect(parsed.warnings).toEqual([])
    expect([parsed.values.get('VALUE'), parsed.values.get('AFTER')]).toEqual([value, '1'])
    expect(sourced(text, ['VALUE', 'AFTER'])).toEqual([value, '1'])
  })

  test('any mixture of awkward characters comes back', () => {
    const alphabet = ['"', "'", '\\', '$', '`', '\n', ' ', '#', '=', 'a', '!', '{', '(', ';', 'é']
    let seed = 7
    const next = (limit: number) => (seed = (seed * 48271) % 2147483647) % limit
    const made = Array.from({ length: 200 }, () => Array.from({ length: next(12) }, () => alphabet[next(15)]).join(''))
    const text = made.map((value, index) => `export V${index}=${formatValue(value)}\n`).join('')
    const names = made.map((_, index) => `V${index}`)
    expect([...parseEnv(text).values.values()]).toEqual(made)
    expect(sourced(text, names)).toEqual(made)
  })

  test('a NUL is refused', () => {
    expect(() => formatValue('a\0b')).toThrow(/NUL/)
  })
})

describe('what people write by hand', () => {
  const text = [
    '# a comment',
    '',
    'export PLAIN=value # with a comment',
    'export SINGLE=\'a $b "c" \\n\'',
    'NOT_EXPORTED="yes"',
    '  export   INDENTED="x"',
    'export MIXED=a\'b c\'"d e"f\\ g',
    'export HASH=a#b',
    'export EMPTY=',
    'export ONE=1 TWO=2; THREE=3',
    'export LONG="one \\',
    'two"',
    'export AGAIN=first',
    'export AGAIN=second',
  ].join('\n')
  const names = [
    'PLAIN',
    'SINGLE',
    'NOT_EXPORTED',
    'INDENTED',
    'MIXED',
    'HASH',
    'EMPTY',
    'ONE',
    'TWO',
    'THREE',
    'LONG',
    'AGAIN',
  ]

  test('is read as bash reads it', () => {
    const parsed = parseEnv(text)
    expect(parsed.warnings).toEqual([])
    expect(names.map((name) => parsed.values.get(name))).toEqual(sourced(text, names))
    expect([...parsed.values.keys()]).toEqual(names)
  })

  test('with Windows line ends is read without them', () => {
    expect([...parseEnv('export A=1\r\n# c\r\nexport B="2"\r\n').values]).toEqual([
      ['A', '1'],
      ['B', '2'],
    ])
  })

  test('nothing is executed or expanded, and a warning says where that matters', () => {
    const file = path.join(directory, 'touched')
    const parsed = parseEnv(
      `export A="$(touch ${file})"\nexport B=\`id\`\nexport C=$HOME/x\ntouch ${file}\nexport D=1\n`,
    )
    expect(fs.existsSync(file)).toBe(false)
    expect(parsed.values.get('A')).toBe(`$(touch ${file})`)
    expect(parsed.values.get('C')).toBe('$HOME/x')
    expect(parsed.values.get('D')).toBe('1')
    expect(parsed.warnings.map((warning) => warning.split(':')[0])).toEqual(['line 1', 'line 2', 'line 3', 'line 4'])
  })

  test('a line that cannot be read costs only itself, and its value is not told', () => {
    const parsed = parseEnv("export A=\"hush-never-closed\nexport B=2\nC = 3\nexport D=$'hush'\nexport E=5")
    expect([...parsed.values]).toEqual([
      ['B', '2'],
      ['E', '5'],
    ])
    expect(parsed.warnings).toHaveLength(3)
    expect(parsed.warnings.join()).not.toContain('hush')
  })

  test('any bytes are survived', () => {
    const alphabet = ['export ', 'A', '=', '"', "'", '\\', '$', '\n', ' ', '#', ';', '\0', '\ud800', '(', '\r']
    let seed = 11
    const next = (limit: number) => (seed = (seed * 48271) % 2147483647) % limit
    let written = 0
    for (let round = 0; round < 2000; round++) {
      const made = Array.from({ length: next(30) }, () => alphabet[next(15)]).join('')
      const again = attempt(() => setVariable(made, 'ZZ', 'kept'))
      if (again instanceof KugetsuError) continue
      written++
      expect(parseEnv(again).values.get('ZZ')).toBe('kept')
      expect(parseEnv(removeVariable(again, 'ZZ')).values.has('ZZ')).toBe(false)
    }
    expect(written).toBeGreaterThan(1000)
  })
})

describe('changing one variable', () => {
  const text = '# tokens\nexport A="1"\n\n# the key\nexport KEY="line one\nline two" # why\nexport B="2"\n'

  test('keeps comments, order and everything else', () => {
    expect(setVariable(text, 'KEY', 'new')).toBe(
      '# tokens\nexport A="1"\n\n# the key\nexport KEY="new"\nexport B="2"\n',
    )
    expect(removeVariable(text, 'KEY')).toBe('# tokens\nexport A="1"\n\n# the key\nexport B="2"\n')
  })

  test('a new one goes to the end', () => {
    expect(setVariable('# only a comment', 'A', '1')).toBe('# only a comment\nexport A="1"\n')
  })

  test('is refused where an open quote would swallow it', () => {
    expect(attempt(() => setVariable('export A="open\n', 'NEW', ' # x'))).toMatchObject({ code: 'bad_env_file' })
  })

  test('the others of its line stay', () => {
    expect(parseEnv(setVariable('export A=1 B=2\n', 'A', '3')).values).toEqual(
      new Map([
        ['B', '2'],
        ['A', '3'],
      ]),
    )
    expect(parseEnv(removeVariable('export A=1 B=2\n', 'A')).values).toEqual(new Map([['B', '2']]))
  })

  test.each(['', '1A', 'A B', 'A=B', 'A\nB', 'A-B'])('%j is refused as a name', (name) => {
    expect(() => setVariable('', name, 'x')).toThrow(/name of a variable/)
  })
})

describe('the variables of an agent', () => {
  test("its own file wins over everybody's", () => {
    fs.writeFileSync(path.join(directory, 'default.env'), 'export TOKEN="all"\nexport COMMON="c"\n')
    fs.writeFileSync(path.join(directory, 'pm-agent.env'), 'export TOKEN="pm"\n')
    expect(agentVariables(directory, 'pm-agent')).toEqual({ TOKEN: 'pm', COMMON: 'c' })
    expect(agentVariables(directory, 'dev')).toEqual({ TOKEN: 'all', COMMON: 'c' })
  })

  test('missing files and a missing directory are empty', () => {
    expect(agentVariables(path.join(directory, 'none'), 'dev')).toEqual({})
  })
})

test.each([defaultEnvTemplate, pmAgentEnvTemplate, devEnvTemplate])('a template sets nothing', (template) => {
  expect(parseEnv(template)).toEqual({ values: new Map(), warnings: [] })
  expect(template.endsWith('\n')).toBe(true)
})
