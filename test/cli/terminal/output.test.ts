import { afterEach, describe, expect, it } from 'vitest'
import { age, firstLines, printJson, styled, table, tilde } from '../../../src/cli/terminal/output.ts'
import { createFakeContext, type FakeContext } from '../../helpers/fake-context.ts'

const made: FakeContext[] = []
const context = (io: Parameters<typeof createFakeContext>[0] = {}) => {
  const one = createFakeContext(io)
  made.push(one)
  return one
}
afterEach(() => made.splice(0).forEach(({ cleanup }) => cleanup()))

it('cuts a text to the lines of a screen, and says how many are missing', () => {
  expect(firstLines('a\nb\nc\n', 3)).toBe('a\nb\nc\n')
  expect(firstLines('a\nb\nc\nd\n', 3)).toBe('a\nb\n… and 2 more\n')
  expect(firstLines('a\nb\nc\n', 0)).toBe('a\n… and 2 more\n')
})

describe('a table', () => {
  it('aligns its columns and ends no line in spaces', () => {
    expect(
      table(
        ['A', 'LONGER', 'C'],
        [
          ['wide cell', 'b', ''],
          ['', 'x', 'end'],
        ],
      ),
    ).toBe('A          LONGER  C\nwide cell  b\n           x       end\n')
  })

  it('has a header even without rows', () => {
    expect(table(['ONE', 'TWO'], [])).toBe('ONE  TWO\n')
  })

  it('cuts the widest cells until the lines fit a terminal', () => {
    const lines = table(['REF', 'WORKTREE'], [['short', 'x'.repeat(200)]], { columns: 40 }).split('\n')
    expect(lines[1]).toHaveLength(40)
    expect(lines[1]).toMatch(/^short +x+…$/)
  })

  it('cuts first what matters least, and at the beginning where the end tells more', () => {
    const cells = [['forge.test/me/app#14', 'w'.repeat(30), 's'.repeat(30)]]
    const fit = { columns: 44, cutFirst: ['SESSION', 'PLACE'], keepEnd: ['REF'] }
    expect(table(['REF', 'PLACE', 'SESSION'], cells, fit).split('\n')[1]).toBe(
      'forge.test/me/app#14  wwwwwwwwwww…  sssssss…',
    )
    const narrow = table(['REF', 'PLACE', 'SESSION'], cells, { ...fit, columns: 34 }).split('\n')[1]
    expect(narrow).toBe('…est/me/app#14  wwwwwww…  sssssss…')
  })

  it('leaves out what may be, before it cuts what matters, and no more than it must', () => {
    const cells = [['forge.test/me/app#14', 'w'.repeat(30), 's'.repeat(30)]]
    const fit = { cutFirst: ['SESSION', 'PLACE'], leaveOut: ['SESSION', 'PLACE'], keepEnd: ['REF'] }
    const at = (columns: number) => table(['REF', 'PLACE', 'SESSION'], cells, { ...fit, columns }).split('\n')
    expect(at(44)[0]).toMatch(/^REF +PLACE +SESSION$/)
    expect(at(34)).toEqual(['REF                   PLACE', 'forge.test/me/app#14  wwwwwwwwwww…', ''])
    expect(at(24)).toEqual(['REF', 'forge.test/me/app#14', ''])
    expect(at(12)).toEqual(['REF', '…t/me/app#14', ''])
  })

  it('stays whole in a pipe, and where no cell can be cut any more', () => {
    expect(table(['REF'], [['x'.repeat(200)]])).toContain('x'.repeat(200))
    expect(table(['AAAAAAAAAA', 'BBBBBBBBBB'], [['1', '2']], { columns: 10 })).toBe(
      'AAAAAAAAAA  BBBBBBBBBB\n1           2\n',
    )
  })
})

describe('a table of text that is not one column a code unit', () => {
  it('is aligned as a terminal shows it', () => {
    const lines = table(
      ['a', 'b'],
      [
        ['日本語', 'x'],
        ['👩‍💻', 'y'],
        ['plain', 'z'],
      ],
    ).split('\n')
    expect(lines).toEqual(['a       b', '日本語  x', '👩‍💻      y', 'plain   z', ''])
  })
})

describe('an age', () => {
  const now = new Date('2026-05-10T12:00:00Z')
  it.each([
    ['2026-05-10T11:59:57Z', '3s'],
    ['2026-05-10T11:59:00Z', '1m'],
    ['2026-05-10T07:00:01Z', '4h'],
    ['2026-05-08T12:00:00Z', '2d'],
    ['2026-05-10T14:00:00+02:00', '0s'],
    ['2026-05-10T12:00:09Z', '0s'],
    ['not a time', ''],
    [null, ''],
  ])('since %s is %j', (since, expected) => {
    expect(age(since, now)).toBe(expected)
  })
})

describe('output', () => {
  it('is one JSON document where asked for', () => {
    const one = context()
    printJson(one, { a: [1] })
    expect(JSON.parse(one.out())).toEqual({ a: [1] })
    expect(one.out().endsWith('\n')).toBe(true)
  })

  it('is JSON for strict readers, whatever is in it', () => {
    const one = context()
    printJson(one, { message: 'half \ud83d of one', whole: '👍' })
    expect(JSON.parse(one.out())).toEqual({ message: 'half \ufffd of one', whole: '👍' })
    expect(one.out()).not.toMatch(/\\ud/)
  })

  it('has colours only where they may be used', () => {
    expect(styled(context(), 'red', 'text')).toBe('text')
    expect(styled(context({ colour: true }), 'red', 'text')).toBe('\u001b[31mtext\u001b[0m')
  })

  it('shortens the user’s home and nothing that only begins like it', () => {
    const one = context()
    expect(tilde(one, `${one.userHome}/x/y`)).toBe('~/x/y')
    expect(tilde(one, `${one.userHome}-other/x`)).toBe(`${one.userHome}-other/x`)
  })
})
