import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/config-file.ts'

const valuesOf = (text: string, variables = {}) => Object.fromEntries(parseConfig(text, variables).values)

describe('parseConfig', () => {
  it.each([
    ['A=3', '3'],
    ['A=', ''],
    ['  A=3  ', '3'],
    ['export A=3', '3'],
    ['declare -x A=3', '3'],
    ['A="3 4"', '3 4'],
    ["A='3 $B'", '3 $B'],
    ['A="a\'b"', "a'b"],
    ['A=a"b c"\'d e\'', 'ab cd e'],
    ['A=3 # comment', '3'],
    ['A=3#4', '3#4'],
    ['A="3 # 4"', '3 # 4'],
    ['A=3;', '3'],
    ['A=a\\ b', 'a b'],
    ['A="a\\"b\\$c\\d"', 'a"b$c\\d'],
    ['A="two\nlines"', 'two\nlines'],
    ['\uFEFFA=3\r\n', '3'],
    ['A=$OUTER', 'out'],
    ['A=${OUTER}', 'out'],
    ['A="<$OUTER>"', '<out>'],
    ['A=$OUTER-x', 'out-x'],
    ['A=${NONE:-7}', '7'],
    ['A=${OUTER:-7}', 'out'],
    ['A=${EMPTY:-7}', '7'],
    ['A=${EMPTY-7}', ''],
    ['A="${NONE:-a b}"', 'a b'],
    ["A=${NONE:-'a}b'}", 'a}b'],
    ['A="${NONE:-it\'s}"', "it's"],
    ['A=${NONE:-${OTHER:-$OUTER}}', 'out'],
    ['A=${A:-5}', '5'],
    ['A=~/x', '/users/mika/x'],
    ['A="~/x"', '~/x'],
    ['A=100%', '100%'],
    ['A="5$"', '5$'],
  ])('reads %j', (text, value) => {
    const config = parseConfig(text, { OUTER: 'out', EMPTY: '', HOME: '/users/mika' })
    expect(config.warnings).toEqual([])
    expect(config.values.get('A')).toBe(value)
  })

  it('lets later lines use and replace earlier ones, before the given variables', () => {
    expect(valuesOf('A=1\nB=$A$A\nA=2\nC=$A D=$C', { A: 'x' })).toEqual({ A: '2', B: '11', C: '2', D: '2' })
  })

  it.each([
    ['LIST=(a b\n A=9\n)\n', 1],
    ['export LIST=(a \'b ) c\'\n A=9 # )\n "d )" e\\)#f\n)\n', 1],
    ['declare -A GIT_SERVERS=(\n wrong\n A=9\n)\n', 1],
  ])('takes no line of a list that it ignores for a setting: %j', (text, line) => {
    const config = parseConfig(`${text}B=2`)
    expect(Object.fromEntries(config.values)).toEqual({ B: '2' })
    expect(config.warnings.map((warning) => warning.line)).toEqual([line])
  })

  it('reads the lines after a list that no ) ends', () => {
    const config = parseConfig('LIST=(a\nLIST=(b\nB=2')
    expect(Object.fromEntries(config.values)).toEqual({ B: '2' })
    expect(config.warnings.map((warning) => warning.line)).toEqual([1, 2])
  })

  it('remembers the line of each value', () => {
    const { lines } = parseConfig('# one\n\nA=1\nB="x\ny"\nC=3\nA=4')
    expect(Object.fromEntries(lines)).toEqual({ A: 7, B: 4, C: 6 })
  })

  it('reads the table of git servers of the bash tool', () => {
    const config = parseConfig(
      [
        'DEFAULT_GIT_SERVER="github.com"',
        'declare -A GIT_SERVERS=(',
        '  # ours',
        '  ["github.com"]="https://github.com"   # a comment',
        '  [forge.test]=http://forge.test:3000',
        ')',
        'GIT_SERVERS["work"]="https://work.test"',
        "GIT_SERVERS[other]='https://other.test'",
        'MAX_CONCURRENT_AGENTS=5',
      ].join('\n'),
    )
    expect(config.warnings).toEqual([])
    expect(Object.fromEntries(config.servers)).toEqual({
      'github.com': 'https://github.com',
      'forge.test': 'http://forge.test:3000',
      work: 'https://work.test',
      other: 'https://other.test',
    })
    expect(Object.fromEntries(config.values)).toEqual({ DEFAULT_GIT_SERVER: 'github.com', MAX_CONCURRENT_AGENTS: '5' })
  })

  it.each([
    'declare -A GIT_SERVERS=(["a"]="https://a" ["b"]="https://b")',
    'GIT_SERVERS=( ["a"]="https://a" ["b"]=https://b )',
    'declare -A GIT_SERVERS\nGIT_SERVERS[a]=https://a; GIT_SERVERS[b]=https://b',
  ])('reads %j', (text) => {
    const config = parseConfig(text)
    expect(config.warnings).toEqual([])
    expect([...config.servers]).toEqual([
      ['a', 'https://a'],
      ['b', 'https://b'],
    ])
  })

  it.each([
    'echo hello',
    'if true; then',
    'A=$(touch x)',
    'A=`touch x`',
    'A="$(touch x)"',
    'A="`touch x`"',
    'A=$((1+1))',
    'A=1 touch x',
    'A=1 & B=2',
    'A=1 > file',
    'A=1 | cat',
    'A=(1 2)',
    'A+=1',
    'A =1',
    '1A=1',
    'A-B=1',
    'A="open',
    "A='open",
    'A=${open',
    'A=${NONE:=1}',
    'A=${NONE:?no}',
    'A=${NONE%x}',
    'A=${!NONE}',
    'A=${}',
    'A=$NONE',
    "A=$'x'",
    'A=$1',
    'A[x]=1',
    'declare -A OTHER=(["a"]="b")',
    'declare -A GIT_SERVERS=(["a"]="b"',
    'declare -A GIT_SERVERS=(a b)',
    'GIT_SERVERS[]=x',
    '. other-file',
    'source other-file',
    'unset A',
    'export',
    '\u0000',
  ])('warns of %j and does nothing', (text) => {
    const config = parseConfig(`# first\n${text}`)
    expect(config.warnings[0]).toMatchObject({ line: 2 })
    expect(config.warnings[0]?.text).toMatch(/; ignored$/)
    expect(config.values.has('A')).toBe(false)
    expect(config.servers.size).toBe(0)
  })

  it('goes on after what it does not understand', () => {
    const config = parseConfig('A=1\nif [ x ]; then\n  B=2\nfi\nC=3')
    expect(config.warnings.map(({ line }) => line)).toEqual([2, 4])
    expect(Object.fromEntries(config.values)).toEqual({ A: '1', B: '2', C: '3' })
  })

  it('does not repeat more than a word of a line that may hold a secret', () => {
    const [warning] = parseConfig('curl -H "Authorization: hunter2" https://x').warnings
    expect(warning?.text).toContain('curl')
    expect(warning?.text).not.toContain('hunter2')
  })

  it('survives names and values made to break it', () => {
    const nested = `A=${'${A:-'.repeat(50_000)}`
    const growing = ['A=xxxxxxxxxx', ...Array.from({ length: 60 }, () => 'A=$A$A$A$A')].join('\n')
    expect(parseConfig(nested).warnings).not.toEqual([])
    expect(parseConfig(growing).warnings).not.toEqual([])
    expect(valuesOf('__proto__=1\nconstructor=2')).toMatchObject({ constructor: '2' })
  })

  it('never throws, whatever the bytes', () => {
    const alphabet = 'A=$\'"{}()[]-:\\ \n;#~`&é\u0000'
    let seed = 1
    const next = (limit: number) => (seed = (seed * 48271) % 2147483647) % limit
    for (let round = 0; round < 3000; round++) {
      const text = Array.from({ length: next(40) }, () => alphabet[next(alphabet.length)]).join('')
      expect(() => parseConfig(text), JSON.stringify(text)).not.toThrow()
    }
  })
})
