import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  chosen,
  forPerson,
  lastLines,
  lastLinesSaid,
  partsOf,
  timeOf,
} from '../../../../src/cli/commands/agents/transcript.ts'
import { widthOf } from '../../../../src/core/columns.ts'
import { buildDevMessage } from '../../../../src/agents/dev-agent.ts'
import { renderEntry, renderHeader, renderOutcome } from '../../../../src/daemon/following/render.ts'

const time = (hours: number, minutes: number, day = 20) => new Date(2026, 10, day, hours, minutes, 7)
const say = (text: string, at: Date, more: { role?: string; task?: boolean } = {}) =>
  renderEntry(
    { kind: 'text', text, id: 'p', messageId: 'm', sessionId: 's', isFinished: true },
    { role: 'assistant', time: at, ...more },
  ) ?? ''

const task = (message: string) =>
  buildDevMessage({
    ref: { host: 'forge.test', owner: 'me', repo: 'app', id: '14' },
    forge: 'unknown',
    branch: 'fix/issue-14',
    baseBranch: 'main',
    workExists: false,
    message,
  })

const head = renderHeader({
  issueRef: 'forge.test/me/app#14',
  sessionId: 'ses_1',
  worktree: '/w',
  branch: 'b',
  at: time(23, 50),
})
const transcript = [
  head,
  say(task('fix the login bug'), time(23, 50), { role: 'user', task: true }),
  say('I look.', time(23, 55)),
  '23:56:07 $ npm test\n  11:00:00 is a line of its output\n',
  say('Which one?', time(0, 5, 21)),
  say('the second', time(0, 6, 21), { role: 'user' }),
  say('It is done now.', time(1, 30, 21)),
  renderOutcome({ state: 'idle', at: time(1, 31, 21), durationMs: 6_000_000 }),
].join('')

describe('a transcript', () => {
  it('is read back into its parts, with their times over midnight', () => {
    const parts = partsOf(transcript)
    expect(parts.map(({ text }) => text).join('')).toBe(transcript)
    expect(parts.map(({ kind, at }) => [kind, at])).toEqual([
      ['head', null],
      ['task', time(23, 50).toISOString()],
      ['agent', time(23, 55).toISOString()],
      ['step', time(23, 56).toISOString()],
      ['agent', time(0, 5, 21).toISOString()],
      ['message', time(0, 6, 21).toISOString()],
      ['agent', time(1, 30, 21).toISOString()],
      ['end', time(1, 31, 21).toISOString()],
    ])
  })

  it('loses nothing, whatever it holds', () => {
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom('─'.repeat(78), '00:00:00 ▶ task', '  started   2026-13-99 99:99:99', '25:61:99 ■'),
    )
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const text = lines.join('\n')
        expect(
          partsOf(text)
            .map((part) => part.text)
            .join(''),
        ).toBe(text)
        for (const part of partsOf(text)) forPerson(part, 40)
      }),
    )
  })

  it('can be asked for its last answer, from a time on, and by a text', () => {
    const parts = partsOf(transcript)
    expect(chosen(parts, { last: true }).map(({ text }) => text.trim())).toEqual([
      '01:30:07 ● agent\n  It is done now.',
    ])
    expect(chosen(parts, { since: time(0, 6, 21) })).toHaveLength(3)
    expect(chosen(parts, { since: time(9, 0, 22) })).toEqual([])
    expect(chosen(parts, { grep: 'NPM' })).toEqual([])
    expect(chosen(parts, { grep: 'npm' }).map(({ kind }) => kind)).toEqual(['step'])
    expect(chosen(parts, { grep: 'which', since: time(0, 0, 21) }).map(({ kind }) => kind)).toEqual(['agent'])
    expect(lastLines('a\nb\nc\n', 2)).toBe('b\nc\n')
    expect(lastLines('a', 5)).toBe('a')
    expect(lastLines('a\nb\n\n', 1)).toBe('\n')
    expect(lastLinesSaid('a\nb\n\n', 1)).toBe('b\n\n')
    expect(lastLinesSaid('', 1)).toBe('')
  })

  it("begins with the person's words: the instructions of every agent are one line", () => {
    const [, first] = partsOf(transcript)
    expect(first && forPerson(first, 80).trimEnd()).toBe(
      '23:50:07 ▶ task\n  (standing instructions)\n  fix the login bug',
    )
    const long = Array.from({ length: 60 }, (_, index) => `line ${index}`).join('\n')
    const [cut] = partsOf(say(task(long), time(9, 0), { role: 'user', task: true })).filter(
      ({ kind }) => kind === 'task',
    )
    expect(cut && forPerson(cut, 80)).toMatch(
      /^09:00:07 ▶ task\n {2}\(standing instructions\)\n {2}… \d+ lines left out …\n {2}line 30\n/,
    )
    const [own] = partsOf(say('my own words', time(9, 0), { role: 'user', task: true })).filter(
      ({ kind }) => kind === 'task',
    )
    expect(own && forPerson(own, 80)).toContain('  my own words\n')
  })

  it.each([20, 40, 80])('is broken at words on a terminal of %i columns', (columns) => {
    const words = Array.from({ length: 30 }, (_, index) => `word${index}`).join(' ')
    const parts = partsOf(
      `${'─'.repeat(78)}\napp#1\n${'─'.repeat(78)}\n\n09:00:00 $ ${words}\n  - ${words}\n    ${words}\n`,
    )
    const lines = parts
      .map((part) => forPerson(part, columns))
      .join('')
      .split('\n')
    for (const line of lines) expect(widthOf(line), line).toBeLessThanOrEqual(columns)
    expect(
      lines
        .join(' ')
        .split(/ +/)
        .filter((word) => word.startsWith('word')),
    ).toHaveLength(90)
  })
})

describe('a time that a person gives', () => {
  const now = new Date(2026, 10, 20, 12, 0, 0)
  it.each([
    ['90s', new Date(now.getTime() - 90_000)],
    ['10m', new Date(now.getTime() - 600_000)],
    ['2h', new Date(now.getTime() - 7_200_000)],
    ['3d', new Date(now.getTime() - 3 * 86_400_000)],
    ['11:30', new Date(2026, 10, 20, 11, 30)],
    ['23:30', new Date(2026, 10, 19, 23, 30)],
    ['2026-11-01', new Date(2026, 10, 1)],
    ['2026-11-01 08:15', new Date(2026, 10, 1, 8, 15)],
    ['2026-11-01T08:15:00Z', new Date('2026-11-01T08:15:00Z')],
  ])('%s', (text, expected) => expect(timeOf(text, now)).toEqual(expected))

  it.each(['', 'yesterday', '10', '10 m', '25:00', '12:60', '2026-99-99', '-5m', '5m5'])('%j is none', (text) =>
    expect(timeOf(text, now)).toBeUndefined(),
  )
})
