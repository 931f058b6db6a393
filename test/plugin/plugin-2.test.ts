/** Which call a command belongs to, and what an agent reads of a refusal, in the plugin for opencode 2. */
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hooksOf, type Hooks } from '../helpers/plugin-2.ts'

const before = { ...process.env }
const home = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'plugin-2-')))
const worktree = path.join(home, 'worktrees', 'one')
let hooks: Hooks
beforeAll(async () => {
  for (const name of ['sessions', 'worktrees/one']) fs.mkdirSync(path.join(home, name), { recursive: true })
  const record = { type: 'forked', issue_ref: 'forge.test/a/b#1', opencode_session_id: 'ses_one', run: {} }
  fs.writeFileSync(path.join(home, 'sessions', 'one.json'), JSON.stringify({ ...record, worktree_path: worktree }))
  process.env['KUGETSU_DIR'] = home
  hooks = await hooksOf(worktree)
})
afterAll(() => {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
  fs.rmSync(home, { recursive: true })
})

const call = (id: string, input: object, sessionID = 'ses_one') => ({ tool: 'shell', sessionID, id, input })
/** The variables that a command gets. */
const variables = (command: string, more: { cwd?: string; timeout?: number } = {}) => {
  const event = {
    command,
    cwd: worktree,
    timeout: 120_000,
    shell: '/bin/bash',
    env: {} as Record<string, string>,
    ...more,
  }
  hooks.shell(event)
  return event.env
}

test('a command has the variables of its call', () => {
  hooks.before(call('call_1', { command: 'ls' }))
  expect(variables('ls')).toMatchObject({ KUGETSU_CALL: 'call_1', KUGETSU_TERMINAL: '', KUGETSU_AGENT: 'dev' })
  // A person runs it there.
  expect(variables('ls')).toMatchObject({ KUGETSU_CALL: '', KUGETSU_TERMINAL: '1' })
})

test('equal commands at the same moment are told apart by their timeouts and directories, else by their order', () => {
  const [src, test] = [path.join(worktree, 'src'), path.join(worktree, 'test')]
  hooks.before(call('first', { command: 'make' }))
  hooks.before(call('long', { command: 'make', timeout: 600_000 }))
  hooks.before(call('short', { command: 'make', timeout: 5_000 }, 'ses_child'))
  hooks.before(call('in-src', { command: 'make', workdir: src }))
  hooks.before(call('in-test', { command: 'make', workdir: test }))
  hooks.before(call('second', { command: 'make' }, 'ses_child'))
  const given = [{ timeout: 5_000 }, { cwd: test }, {}, { timeout: 600_000 }, { cwd: src }, {}].map((more) =>
    variables('make', more),
  )
  expect(given.map((each) => each['KUGETSU_CALL'])).toEqual(['short', 'in-test', 'first', 'long', 'in-src', 'second'])
  for (const each of given) {
    expect(each).toMatchObject({ KUGETSU_AGENT: 'dev', KUGETSU_ISSUE_REF: 'forge.test/a/b#1', KUGETSU_TERMINAL: '' })
  }
})

test('a command that another plugin changes is still that of its call', () => {
  const changed = call('changed', { command: 'make' })
  hooks.before(changed)
  changed.input = { command: 'nice make' }
  expect(variables('nice make')).toMatchObject({ KUGETSU_CALL: 'changed' })
})

test('a call that came to no command leaves nothing for a later one', () => {
  hooks.before(call('refused', { command: 'make' }))
  hooks.after(call('refused', { command: 'make' }))
  expect(variables('make')).toMatchObject({ KUGETSU_CALL: '' })
})

test('an agent reads why it was refused, and not less where opencode tells it itself', () => {
  const refused = (id: string, error: object) => {
    const asked = {
      sessionID: 'ses_one',
      action: 'greet',
      resources: ['*'],
      effect: 'ask',
      source: { type: 'tool', id },
    }
    hooks.evaluate(asked)
    expect(asked).toMatchObject({ effect: 'deny', message: expect.stringContaining('by policy: greet (*)') })
    const event = { ...call(id, {}), status: 'error', error }
    hooks.after(event)
    return event.error
  }
  expect(refused('a', { message: 'Unable to execute greet' })).toMatchObject({
    message: expect.stringContaining('by policy: greet (*)'),
  })
  const own = { message: 'Unable to execute command', error: { reason: 'by policy' } }
  expect(refused('b', { ...own })).toEqual(own)
  const other = { ...call('c', {}), status: 'error', error: { message: 'it failed' } }
  hooks.after(other)
  expect(other.error.message).toBe('it failed')
})
