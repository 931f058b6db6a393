import { expect, it } from 'vitest'
import type { Message } from '../../src/opencode2/api/schemas.ts'
import { toldBy } from '../../src/opencode2/entries.ts'

const call = (name: string, input: object, state: object = {}) => ({
  type: 'tool',
  id: 'call_1',
  name,
  state: { status: 'completed', input, content: [], metadata: {}, ...state },
  time: { created: 1, ran: 2, completed: 3 },
})

function lines(...content: NonNullable<Message['content']>): string[] {
  const told = toldBy({ id: 'm', type: 'assistant', time: { created: 1, completed: 5 }, content }, 's')
  return (told?.entries ?? []).map((entry) =>
    entry.kind === 'call' ? entry.call.show({ directory: '/w', mask: (text) => text.replaceAll('secret', '***') }) : '',
  )
}

it('shows the tools of opencode 2 as those of opencode 1', () => {
  const changed = { files: [{ file: 'a.ts', status: 'modified', additions: 2, deletions: 1 }] }
  const nothing = '{"exit":0,"truncated":false,"output":"","status":"completed"}'
  const printed = [{ type: 'text', text: 'a secret\nExited with code 3' }]
  expect(
    lines(
      call('shell', { command: 'cat it' }, { content: printed, metadata: { status: 'completed', exit: 3 } }),
      call('shell', { command: 'true' }, { content: [{ type: 'text', text: nothing }], metadata: { exit: 0 } }),
      call('edit', { path: '/w/a.ts' }, { metadata: changed }),
      call('write', { path: 'b.ts', content: 'x\n' }, { content: [{ type: 'text', text: 'Created file: b.ts' }] }),
      call('write', { path: 'b.ts', content: 'x\n' }, { content: [{ type: 'text', text: 'Wrote file: b.ts' }] }),
      call('patch', {}, { metadata: { files: [{ file: 'c.ts', status: 'added', additions: 1, deletions: 0 }] } }),
      call('read', { path: '/w/a.ts', offset: 5 }),
      call('subagent', { agent: 'explore', description: 'look' }),
      call('execute', { code: 'return 1\n' }),
      call('read', { path: '/etc/x' }, { status: 'error', error: { type: 'unknown', message: 'no secret' } }),
    ),
  ).toEqual([
    '$ cat it\n  a ***\n  (exit code 3)\n',
    '$ true\n',
    '✎ edit a.ts (+2 -1)\n',
    '✎ create b.ts (1 line)\n',
    '✎ write b.ts (1 line)\n',
    '✎ patch create c.ts (+1 -0)\n',
    '· read a.ts from line 5\n',
    '▷ sub-agent explore: look\n',
    '· execute return 1\n',
    '· read /etc/x\n  failed: no ***\n',
  ])
})

it('takes calls that opencode cannot make for the same, whatever their arguments', () => {
  const refused = (message: string) => {
    const state = { status: 'error', error: { type: 'tool.execution', message } }
    const told = toldBy({ id: 'm', type: 'assistant', content: [call('bash', { command: message }, state)] }, 's')
    const [entry] = told?.entries ?? []
    return entry?.kind === 'call' ? entry.call.ended?.input : undefined
  }
  expect(refused('No tool named "bash" is currently available.')).toBe('')
  expect(refused('Invalid arguments for tool "shell": …')).toBe('')
  expect(refused('Exit code 1')).toBe('{"command":"Exit code 1"}')
})

it('tells a command that runs, and a text once nothing is added to it', () => {
  const running = call('shell', { command: 'x', timeout: 5 }, { status: 'running' })
  const told = toldBy({ id: 'm', type: 'assistant', content: [{ type: 'text', text: 'a' }, running] }, 's')
  expect(told?.entries.map(({ id, isFinished }) => [id, isFinished])).toEqual([
    ['m/text-0', true],
    ['m/call_1', false],
  ])
  const [, entry] = told?.entries ?? []
  expect(entry?.kind === 'call' && entry.call.command).toEqual({ callId: 'call_1', timeoutMs: 5, startedAt: 2 })
  const growing = toldBy({ id: 'm', type: 'assistant', content: [{ type: 'text', text: 'a' }] }, 's')
  expect(growing?.entries[0]?.isFinished).toBe(false)
})

it('leaves out the bookkeeping of opencode, and tells that it summed up', () => {
  for (const type of ['idle', 'synthetic', 'system', 'agent-switched'])
    expect(toldBy({ id: 'm', type }, 's')).toBeUndefined()
  expect(toldBy({ id: 'm', type: 'compaction', status: 'running' }, 's')).toBeUndefined()
  expect(toldBy({ id: 'm', type: 'compaction', status: 'completed' }, 's')).toMatchObject({
    message: { isSummary: true, isOver: true },
    entries: [{ kind: 'summary' }],
  })
})
