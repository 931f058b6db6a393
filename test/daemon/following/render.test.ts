import * as fs from 'node:fs'
import * as z from 'zod'
import { describe, expect, test } from 'vitest'
import { maskSecrets } from '../../../src/core/masking.ts'
import { message, type Part } from '../../../src/opencode/api/schemas.ts'
import * as render from '../../../src/daemon/following/render.ts'
import { entryOf } from '../../../src/opencode/entries.ts'

const { renderHeader, renderOutcome } = render
/** As the daemon shows a part of opencode 1. */
const renderPart = (one: Part, options: render.RenderOptions) => {
  const entry = entryOf(one)
  return entry && render.renderEntry(entry, options)
}
const isFinished = (one: Part, role: string) => {
  const entry = entryOf(one)
  return entry === undefined || render.isFinished(entry, role)
}

const directory = '/home/dev/.kugetsu/worktrees/github.com-shoko-kugetsu-14'
const time = new Date(2026, 4, 6, 7, 8, 9)

const fixture = new URL('../../fixtures/opencode/messages-1.18.json', import.meta.url)
const messages = z.array(message).parse(JSON.parse(fs.readFileSync(fixture, 'utf8')))

const part = (fields: object): Part => ({
  id: 'prt_1',
  messageID: 'msg_1',
  sessionID: 'ses_1',
  type: 'text',
  ...fields,
})
const tool = (name: string, state: object): Part =>
  part({ type: 'tool', tool: name, state: { status: 'completed', ...state } })
const rendered = (one: Part, options: object = {}) =>
  renderPart(one, { role: 'assistant', time, directory, ...options })

describe('a real session', () => {
  test('reads as task, command with its output cut, and answer', () => {
    const text = messages
      .flatMap(({ info, parts }) =>
        parts.map((one) => renderPart(one, { role: info.role, time, directory, task: true })),
      )
      .join('')
    const worker = (id: number) => `  ${String(id).padStart(5)}     1 worker ${id}`
    expect(text.split('\n')).toEqual([
      '',
      '07:08:09 ▶ task',
      '  prime',
      '',
      '07:08:09 ▶ task',
      '  BASH{{pwd; env | grep OPENCODE; ps -o pid,ppid,args}}',
      '07:08:09 $ pwd; env | grep OPENCODE; ps -o pid,ppid,args',
      `  ${directory}`,
      '  OPENCODE=1',
      '    PID  PPID COMMAND',
      ...Array.from({ length: 17 }, (_, index) => worker(index + 1)),
      '  … 43 lines left out …',
      ...Array.from({ length: 20 }, (_, index) => worker(index + 61)),
      '',
      '07:08:09 ● agent',
      '  Done.',
      '',
    ])
  })

  test('is finished in all its parts', () => {
    for (const { info, parts } of messages) for (const one of parts) expect(isFinished(one, info.role)).toBe(true)
  })
})

describe('a part is finished', () => {
  test('when the assistant has ended its text', () => {
    expect(isFinished(part({ text: 'I am', time: { start: 1 } }), 'assistant')).toBe(false)
    expect(isFinished(part({ text: 'I am', time: { start: 1, end: 2 } }), 'assistant')).toBe(true)
    expect(isFinished(part({ type: 'reasoning', text: 'hm', time: { start: 1 } }), 'assistant')).toBe(false)
  })

  test('at once when a person wrote it', () => {
    expect(isFinished(part({ text: 'do it' }), 'user')).toBe(true)
  })

  test.each([
    ['pending', false],
    ['running', false],
    ['completed', true],
    ['error', true],
  ])('when its tool call is not %s', (status, finished) => {
    expect(isFinished(tool('bash', { status }), 'assistant')).toBe(finished)
  })
})

describe('a command', () => {
  const command = (state: object) => rendered(tool('bash', { input: { command: 'npm test' }, ...state }))

  test('shows its exit code when it failed and its time when it took long', () => {
    expect(command({ output: 'ok\n', metadata: { exit: 0 }, time: { start: 0, end: 900 } })).toBe(
      '07:08:09 $ npm test\n  ok\n',
    )
    expect(command({ output: 'no\n', metadata: { exit: 2 }, time: { start: 0, end: 75_000 } })).toBe(
      '07:08:09 $ npm test\n  no\n  (exit code 2, took 1 min 15 s)\n',
    )
  })

  test('that was refused says why', () => {
    expect(command({ status: 'error', error: 'not allowed' })).toBe('07:08:09 $ npm test\n  failed: not allowed\n')
  })

  test('of several lines stays readable', () => {
    expect(rendered(tool('bash', { input: { command: 'a\nb' }, output: '' }))).toBe('07:08:09 $ a\n    b\n')
  })
})

describe('other tools take a line', () => {
  test.each<[string, object, string]>([
    [
      'edit',
      { input: { filePath: `${directory}/src/a.ts` }, metadata: { filediff: { additions: 3, deletions: 1 } } },
      '✎ edit src/a.ts (+3 -1)',
    ],
    [
      'write',
      { input: { filePath: '/etc/b', content: 'x\ny\n' }, metadata: { exists: false } },
      '✎ create /etc/b (2 lines)',
    ],
    [
      'apply_patch',
      {
        metadata: {
          files: [
            { relativePath: 'a', type: 'update', additions: 1, deletions: 0 },
            { filePath: `${directory}/b`, type: 'delete' },
          ],
        },
      },
      '✎ patch a (+1 -0), delete b',
    ],
    ['read', { input: { filePath: `${directory}/a`, offset: 10, limit: 5 } }, '· read a (5 lines from 10)'],
    ['grep', { input: { pattern: 'x.y', path: directory }, metadata: { matches: 4 } }, '· grep x.y in . (4 found)'],
    ['glob', { input: { pattern: '**/*.ts' }, metadata: { count: 0 } }, '· glob **/*.ts (0 found)'],
    ['list', { input: {} }, '· list .'],
    ['webfetch', { input: { url: 'https://forge.test/x' } }, '· fetch https://forge.test/x'],
    ['task', { input: { subagent_type: 'explore', description: 'find it' } }, '▷ sub-agent explore: find it'],
    [
      'todowrite',
      { input: { todos: [{ status: 'completed' }, { status: 'in_progress', content: 'test it' }] } },
      '☐ 1 of 2 done: test it',
    ],
    ['mcp_thing', { title: 'did\nthings' }, '· mcp_thing did things'],
    ['constructor', { input: null, metadata: [] }, '· constructor'],
  ])('%s', (name, state, line) => {
    expect(rendered(tool(name, state))).toBe(`07:08:09 ${line}\n`)
  })

  test('a path beside the worktree is not taken for one inside', () => {
    expect(rendered(tool('read', { input: { filePath: `${directory}-2/a` } }))).toContain(`${directory}-2/a`)
  })
})

describe('texts', () => {
  test('of the agent are wrapped at words, lists hanging, code as it is', () => {
    const long = 'word '.repeat(30).trim()
    const code = `\`\`\`\n${'x '.repeat(60)}\n\`\`\``
    const lines = rendered(part({ text: `${long}\n- ${long}\n${code}` }))?.split('\n') ?? []
    expect(lines.slice(0, 2)).toEqual(['', '07:08:09 ● agent'])
    expect(lines.filter((line) => line.includes('word')).every((line) => line.length <= 80)).toBe(true)
    expect(lines.find((line) => line.startsWith('    word'))).toBeDefined()
    expect(lines).toContain(`  ${'x '.repeat(60)}`)
  })

  test('to the agent are told apart', () => {
    expect(rendered(part({ text: 'go' }), { role: 'user', task: true })).toBe('\n07:08:09 ▶ task\n  go\n')
    expect(rendered(part({ text: 'left' }), { role: 'user' })).toBe('\n07:08:09 ▶ message\n  left\n')
  })

  test('of a sub-agent name it', () => {
    expect(rendered(part({ text: 'found' }), { subagent: 'explore' })).toBe('\n07:08:09 [explore] ● agent\n  found\n')
  })

  test('that are thoughts take a line', () => {
    expect(rendered(part({ type: 'reasoning', text: '\n**Planning**\nlong and winding' }))).toBe(
      '07:08:09 … Planning\n',
    )
  })

  test.each([
    { type: 'step-start' },
    { type: 'step-finish', reason: 'stop' },
    { type: 'snapshot' },
    { type: 'patch', files: ['a'] },
    { text: 'note to the model', synthetic: true },
    { text: 'note', ignored: true },
    { text: ' \n' },
    { type: 'reasoning', text: '' },
  ])('that nobody needs are left out: %j', (fields) => {
    expect(rendered(part(fields))).toBeUndefined()
  })
})

describe('hostile input', () => {
  const evil = '\x1b]52;c;aGk=\x07\x1b[2J\x1b[1;1Hhi\x07\x9b31m\r\u202eabc\0'
  const shapes = (text: string): Part[] => [
    part({ text }),
    part({ type: 'reasoning', text }),
    part({ type: 'retry', error: { data: { message: text } } }),
    part({ type: 'file', filename: text }),
    ...['bash', 'edit', 'write', 'apply_patch', 'read', 'grep', 'task', 'todowrite', 'question', text].map((name) =>
      tool(name, {
        title: text,
        error: text,
        output: text,
        input: {
          command: text,
          filePath: text,
          pattern: text,
          path: text,
          content: text,
          description: text,
          subagent_type: text,
          todos: [{ status: 'in_progress', content: text }],
          questions: [{ question: text }],
        },
        metadata: { files: [{ relativePath: text, type: text }] },
      }),
    ),
  ]

  test('cannot drive a terminal from any field', () => {
    for (const one of shapes(evil)) {
      for (const role of ['user', 'assistant']) {
        const text = rendered(one, { role, subagent: evil })
        // oxlint-disable-next-line no-control-regex
        expect(text).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/)
        expect(text?.endsWith('\n')).toBe(true)
      }
    }
    const around = [
      renderHeader({ issueRef: evil, sessionId: evil, worktree: evil, branch: evil, at: time }),
      renderOutcome({ state: 'error', at: time, durationMs: 1, error: evil }),
    ]
    // oxlint-disable-next-line no-control-regex
    for (const text of around) expect(text).not.toMatch(/[\x1b\x07\r]/)
  })

  test('of a megabyte becomes a short block', () => {
    for (const one of [
      ...shapes('x'.repeat(1_000_000)),
      ...shapes('line of text\n'.repeat(80_000)),
      ...shapes('\x1b['.repeat(500_000)),
    ]) {
      expect(rendered(one)?.length).toBeLessThan(30_000)
    }
  })

  test('of wrong types is survived', () => {
    for (const odd of [
      null,
      5,
      'text',
      [],
      {},
      { time: null },
      [null],
      { input: 5, metadata: 'x', output: {}, time: [] },
    ]) {
      expect(rendered(part({ type: 'tool', tool: odd, state: odd }))).toMatch(/\n$/)
      expect(rendered(part({ type: 'retry', error: odd, attempt: odd }))).toMatch(/\n$/)
      expect(rendered(part({ text: odd })) ?? '\n').toMatch(/\n$/)
      expect(isFinished(part({ type: 'tool', state: odd }), 'assistant')).toBe(false)
      expect(isFinished(part({ time: odd }), 'assistant')).toBe(false)
    }
  })

  test('secrets are hidden before anything is cut', () => {
    const secret = `key-${'s'.repeat(600)}`
    const mask = (text: string) => maskSecrets(text, [secret])
    for (const one of shapes(`see ${secret}`)) {
      for (const role of ['user', 'assistant']) expect(rendered(one, { role, mask })).not.toContain('sss')
    }
  })
})

describe('around a run', () => {
  test('the header says where it works', () => {
    const text = renderHeader({
      issueRef: 'forge.test/a/b#1',
      sessionId: 'ses_1',
      worktree: directory,
      branch: 'fix/issue-1',
      at: time,
    })
    for (const fact of ['forge.test/a/b#1', 'ses_1', directory, 'fix/issue-1', '2026-05-06 07:08:09'])
      expect(text).toContain(fact)
  })

  test('the end says how it went', () => {
    expect(
      renderOutcome({
        state: 'idle',
        at: time,
        durationMs: 3_723_000,
        cost: 0.4251,
        tokens: { input: 12_345, output: 800 },
        commits: 1,
      }),
    ).toBe('\n07:08:09 ■ finished after 1 h 2 min · 1 commit · $0.43 · tokens: 12.3k in, 800 out\n\n')
    expect(renderOutcome({ state: 'error', at: time, durationMs: 5000, error: 'no such model' })).toBe(
      '\n07:08:09 ■ failed after 5 s\n  no such model\n\n',
    )
    expect(renderOutcome({ state: 'timeout', at: time, durationMs: 0 })).toContain('timed out')
    expect(renderOutcome({ state: 'stopped', at: time, durationMs: 0, commits: 0 })).toContain(
      'stopped after 0 s · no commits',
    )
  })
})
