import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inOrderOfNeed, issueTable, statusWords } from '../../../../src/cli/commands/agents/issue-table.ts'
import type { Context } from '../../../../src/cli/terminal/context.ts'
import { widthOf } from '../../../../src/core/columns.ts'
import type { Issue } from '../../../../src/tasks/issues.ts'
import { createFakeContext, type FakeContext } from '../../../helpers/fake-context.ts'

let context: FakeContext
beforeAll(() => (context = createFakeContext()))
afterAll(() => context.cleanup())

const at = (seconds: number) => new Date(Date.parse('2026-05-01T12:00:00Z') + seconds * 1000).toISOString()

function issue(number: number, more: Partial<Issue> = {}): Issue {
  return {
    issue_ref: `forge.test/me/app#${number}`,
    type: 'forked',
    state: 'idle',
    opencode_session_id: `ses_${number}`,
    worktree_path: `/w/${number}`,
    branch: `fix/issue-${number}`,
    base_branch: 'main',
    pr_url: null,
    created_at: at(0),
    updated_at: at(number),
    model: null,
    cost: null,
    tokens: null,
    last_error: null,
    status: 'done',
    ended: 'finished',
    task: `task ${number}`,
    last_event_at: at(number),
    ahead: null,
    ...more,
  }
}

/** The lines of the table on a terminal of that width. */
function shown(columns: number, issues: Issue[], { colour = false, known = issues } = {}): string[] {
  const io = { ...context.io, columns, terminal: true, colour }
  const about: Context = { ...context, io, now: () => new Date(at(3_600)) }
  return issueTable(about, issues, known).trimEnd().split('\n')
}

const hostile = [
  issue(1, {
    task: '日本語のタイトルはとても長いので切られる必要があります、たぶん二回',
    status: 'running',
    state: 'running',
  }),
  issue(2, { task: '🎉👩‍👩‍👧‍👦🇩🇪 emoji of several code points, some of them joined together by others', status: 'failed' }),
  issue(3, { task: 'é̀̂ combining marks\u001b[2J\u001b]0;title\u0007 and sequences \u202e of others' }),
  issue(4, { task: null, branch: 'a-branch-with-a-name-that-is-far-too-long-for-any-table-of-issues-on-a-terminal' }),
  issue(12345, {
    status: 'queued',
    ahead: 117,
    branch: null,
    cost: 1234.5,
    pr_url: 'https://forge.test/me/app/pull/99',
  }),
]

describe('the table of issues', () => {
  it.each([20, 40, 60, 80, 200])('fits a terminal of %i columns, whatever the titles are', (columns) => {
    const lines = shown(columns, hostile)
    expect(lines).toHaveLength(hostile.length + 1)
    for (const line of lines) expect(widthOf(line), line).toBeLessThanOrEqual(columns)
    for (const hidden of ['\u001b', '\u0007', '\u202e']) expect(lines.join('')).not.toContain(hidden)
    for (const [index, word] of ['running', 'failed', 'done', 'done', 'queued'].entries()) {
      expect(lines[index + 1]).toContain(word)
    }
  })

  it('cuts the task first, and never a number of a ref', () => {
    const [header = '', ...rows] = shown(80, hostile)
    expect(header.split(/ +/)).toEqual(['REF', 'STATUS', 'TASK', 'LAST', 'BRANCH', 'PR', 'COST'])
    expect(rows.map((row) => row.split(' ')[0])).toEqual(['app#1', 'app#2', 'app#3', 'app#4', 'app#12345'])
    expect(
      shown(20, hostile)
        .slice(1)
        .map((row) => row.split(' ')[0]?.endsWith('5')),
    ).toContain(true)
    expect(rows[4]).toMatch(/queued, 117 ahead .* #99 +\$1234\.50$/)
  })

  it('leaves out a column in which no issue has anything', () => {
    expect(shown(80, [issue(1, { branch: null })])[0]?.split(/ +/)).toEqual(['REF', 'STATUS', 'TASK', 'LAST'])
  })

  it('colours the status alone, and keeps the columns', () => {
    const plain = shown(80, hostile)
    const coloured = shown(80, hostile, { colour: true })
    const escape = new RegExp(`${String.fromCodePoint(27)}\\[\\d+m`, 'g')
    expect(coloured.map((line) => line.replace(escape, '').trimEnd())).toEqual(plain)
    expect(coloured[2]).toMatch(/31mfailed/)
    expect(coloured[2]?.match(escape)).toHaveLength(2)
  })

  it('names an issue as short as it is the only one of that name', () => {
    const issues = [
      'forge.test/me/app#1',
      'forge.test/you/app#1',
      'other.test/you/app#1',
      'forge.test/me/tool#1',
      'x.test/a/b/app#2',
    ]
    const rows = shown(
      100,
      issues.map((issue_ref, index) => issue(index, { issue_ref })),
    )
    expect(rows.slice(1).map((row) => row.split(' ')[0])).toEqual([
      'me/app#1',
      'forge.test/you/app#1',
      'other.test/you/app#1',
      'tool#1',
      'app#2',
    ])
  })

  it('names one of a choice so that it means none of those that were left out', () => {
    const known = ['forge.test/me/app#1', 'forge.test/you/app#1'].map((issue_ref, index) => issue(index, { issue_ref }))
    expect(shown(100, known.slice(0, 1), { known })[1]).toMatch(/^me\/app#1 /)
    expect(shown(100, known.slice(0, 1))[1]).toMatch(/^app#1 /)
  })

  it('has what needs a person first, then what runs, waits in the order of the queue, has ended; the newest event first', () => {
    const ordered = inOrderOfNeed([
      issue(1, { status: 'done', last_event_at: at(1) }),
      issue(2, { status: 'stopped', last_event_at: at(9) }),
      issue(3, { status: 'queued', ahead: 1, last_event_at: at(8) }),
      issue(4, { status: 'queued', ahead: 0, last_event_at: at(2) }),
      issue(5, { status: 'starting', last_event_at: at(5) }),
      issue(6, { status: 'running', last_event_at: at(6) }),
      issue(10, { status: 'failed', last_event_at: at(3) }),
      issue(9, { status: 'failed', last_event_at: at(3) }),
      issue(8, { status: 'waiting', last_event_at: at(4) }),
    ])
    expect(ordered.map(({ issue_ref: ref }) => Number(ref?.split('#')[1]))).toEqual([8, 9, 10, 6, 5, 4, 3, 2, 1])
  })

  it('says how many are ahead only where that is more than none', () => {
    expect(statusWords({ status: 'queued', ahead: 0 })).toBe('queued')
    expect(statusWords({ status: 'queued', ahead: 2 })).toBe('queued, 2 ahead')
    expect(statusWords({ status: 'running', ahead: null })).toBe('running')
  })
})
