import * as fs from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { withoutSetting, withSetting } from '../../src/config/config-edit.ts'
import { parseConfig } from '../../src/config/config-file.ts'
import { defaultConfigText, settingNames } from '../../src/config/settings.ts'

const bash = fs.readFileSync(new URL('../fixtures/bash-home/config', import.meta.url), 'utf8')
const limit = 'MAX_CONCURRENT_AGENTS'

describe('withSetting', () => {
  it.each([
    ['A=1\nMAX_CONCURRENT_AGENTS=2 # for the build\nB=3\n', 'A=1\nMAX_CONCURRENT_AGENTS=7 # for the build\nB=3\n'],
    ['MAX_CONCURRENT_AGENTS=2\nMAX_CONCURRENT_AGENTS=3\n', 'MAX_CONCURRENT_AGENTS=2\nMAX_CONCURRENT_AGENTS=7\n'],
    ['export A=1 MAX_CONCURRENT_AGENTS="2" B=3\n', 'export A=1 MAX_CONCURRENT_AGENTS=7 B=3\n'],
    ['MAX_CONCURRENT_AGENTS=\n', 'MAX_CONCURRENT_AGENTS=7\n'],
    ['MAX_CONCURRENT_AGENTS=2', 'MAX_CONCURRENT_AGENTS=7'],
    ['A=1', 'A=1\nMAX_CONCURRENT_AGENTS=7\n'],
    ['', 'MAX_CONCURRENT_AGENTS=7\n'],
    ['\uFEFFA=1\r\nMAX_CONCURRENT_AGENTS=2\r\nB=3\r\n', '\uFEFFA=1\r\nMAX_CONCURRENT_AGENTS=7\r\nB=3\r\n'],
    ['# MAX_CONCURRENT_AGENTS=3\r\n\r\nA=1\r\n', '# MAX_CONCURRENT_AGENTS=3\r\nMAX_CONCURRENT_AGENTS=7\r\n\r\nA=1\r\n'],
    // That comment is a part of a value.
    ["A='\n# MAX_CONCURRENT_AGENTS=3\n'\n", "A='\n# MAX_CONCURRENT_AGENTS=3\n'\nMAX_CONCURRENT_AGENTS=7\n"],
  ])('changes %j alone', (before, after) => {
    expect(withSetting(before, limit, '7')).toBe(after)
  })

  it('keeps the comments, the order and the table of the bash tool', () => {
    const after = withSetting(bash, limit, '9')
    expect(after).toBe(bash.replace('"${MAX_CONCURRENT_AGENTS:-4}"', '9'))
    expect(parseConfig(after).servers.size).toBe(2)
  })

  it('puts each setting of a new file after its own comment', () => {
    for (const name of settingNames) {
      const lines = withSetting(defaultConfigText, name, 'x').split('\n')
      expect(lines[lines.indexOf(`${name}=x`) - 1]).toMatch(new RegExp(`^# ${name}=`))
    }
  })

  it('changes nothing else in any file that is understood', () => {
    fc.assert(
      fc.property(files, fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), (text, given) => {
        const value = given.replace(/\p{Cc}/gu, '_')
        const [before, after] = [parseConfig(text), parseConfig(withSetting(text, limit, value))]
        expect(after.values).toEqual(new Map(before.values).set(limit, value))
        expect(after.servers).toEqual(before.servers)
        expect(after.warnings).toEqual([])
      }),
      { numRuns: 500 },
    )
  })
})

describe('withoutSetting', () => {
  it.each([
    ['A=1\nMAX_CONCURRENT_AGENTS=2\nB=3\n', 'A=1\nB=3\n'],
    ['MAX_CONCURRENT_AGENTS=2\nA=1\nMAX_CONCURRENT_AGENTS=3', 'A=1\n'],
    ['  MAX_CONCURRENT_AGENTS=2 # for the build\n', '  # for the build\n'],
    ['export A=1 MAX_CONCURRENT_AGENTS=2 B=3\n', 'export A=1 B=3\n'],
    ['export A=1 MAX_CONCURRENT_AGENTS=2\n', 'export A=1\n'],
    ['A=1; MAX_CONCURRENT_AGENTS=2; B=3\n', 'A=1; B=3\n'],
    ['A=1; MAX_CONCURRENT_AGENTS=2\n', 'A=1;\n'],
    ["MAX_CONCURRENT_AGENTS='2\n3'\r\nA=1\r\n", 'A=1\r\n'],
    ['# MAX_CONCURRENT_AGENTS=2\n', '# MAX_CONCURRENT_AGENTS=2\n'],
  ])('removes it from %j alone', (before, after) => {
    expect(withoutSetting(before, limit)).toBe(after)
  })

  it('changes nothing else in any file that is understood', () => {
    fc.assert(
      fc.property(files, (text) => {
        const [before, after] = [parseConfig(text), parseConfig(withoutSetting(text, limit))]
        before.values.delete(limit)
        expect(after.values).toEqual(before.values)
        expect(after.servers).toEqual(before.servers)
        expect(after.warnings).toEqual([])
      }),
      { numRuns: 500 },
    )
  })
})

/** Config files of parts that are understood, in any order. */
const files = fc
  .tuple(
    fc.array(
      fc.constantFrom(
        '# a comment',
        '# MAX_CONCURRENT_AGENTS=3',
        '',
        'A=1',
        'export B="two words" # why',
        "C='# no comment\nMAX_CONCURRENT_AGENTS=4'",
        'MAX_CONCURRENT_AGENTS=5',
        'export MAX_CONCURRENT_AGENTS="${UNSET:-6}"; D=4',
        'E=5 MAX_CONCURRENT_AGENTS=7 F=6',
        '  MAX_CONCURRENT_AGENTS=8  # indented',
        'declare -A GIT_SERVERS=(\n  ["a"]="https://a.test" # MAX_CONCURRENT_AGENTS=9\n)',
        'GIT_SERVERS["b"]=https://b.test',
      ),
      { maxLength: 12 },
    ),
    fc.constantFrom('\n', '\r\n'),
    fc.boolean(),
  )
  .map(([parts, end, ended]) => parts.join('\n').replaceAll('\n', end) + (ended ? end : ''))
