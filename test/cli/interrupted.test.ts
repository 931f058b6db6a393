/** What commands say of agents whose server, or whose machine, went down with no daemon to resume them. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { runExplain } from '../../src/cli/commands/agents/explain.ts'
import { runList } from '../../src/cli/commands/agents/list.ts'
import { runNotifyList } from '../../src/cli/commands/queue/notify.ts'
import { runStatus } from '../../src/cli/commands/queue/status.ts'
import { currentProcess, uptime } from '../../src/platform/processes.ts'
import { changeSession } from '../../src/sessions/file/store.ts'
import { placesOf } from '../../src/queue/places.ts'
import { collectingIo, createFakeContext, type FakeContext } from '../helpers/fake-context.ts'

const [ref, name] = ['forge.test/me/app#1', 'forge.test-me-app-1']
const at = '2026-05-01T11:00:00Z'
const earlier = { ...currentProcess(), boot_id: 'the boot before' }

let context: FakeContext
const write = (file: string, value: unknown) => {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, JSON.stringify(value))
}
const slot = (phase: string, issue = ref, session = name) => {
  write(path.join(context.paths.slots, `${session}.slot`), { issue_ref: issue, session, owner: earlier, taken_at: at })
  write(path.join(context.paths.slots, `${session}.${phase}`), {})
}
const run = (more: object = {}) => ({
  slot: name,
  message_ids: ['msg_1'],
  started_at: at,
  deadline_at: '2026-05-01T13:00:00Z',
  deadline_uptime: { boot_id: earlier.boot_id, ms: 1 },
  interruptions: 0,
  server: 'the one before',
  ...more,
})
const session = (state: string, more: object = {}) =>
  changeSession(context, name, () => ({ type: 'forked', issue_ref: ref, state, created_at: at, ...more }))
/** What a command prints, on both streams. */
const said = async (command: (on: FakeContext) => Promise<void>) => {
  const written = { out: '', err: '' }
  await command({ ...context, io: collectingIo(written) })
  return written.out + written.err
}
const list = () => said((on) => runList(on, {}))
const status = () => said((on) => runStatus(on, {}))
const explain = () => said((on) => runExplain(on, { what: ref }))
const told = async () =>
  JSON.parse(await said((on) => runNotifyList(on, { json: true }))) as { type: string; message: string }[]

beforeEach(() => {
  context = createFakeContext()
  write(context.paths.index, { base: 'b', pm_agent: 'p', issues: { [ref]: `${name}.json` } })
})
afterEach(() => context.cleanup())

it('list, status and explain say the same after the machine went down, and each of them tells of it, once', async () => {
  write(context.paths.server, {
    ...earlier,
    port: 1,
    password: 'x',
    version: '1.18.33',
    program: 'x',
    marker: 'the one before',
    started_at: at,
  })
  slot('run')
  await session('running', { run: run() })
  for (const look of [list, status, explain]) {
    fs.rmSync(context.paths.activity, { force: true })
    const text = await look()
    expect(text).toContain('interrupted')
    expect(text).toContain(`kugetsu wait ${ref}`)
    expect(text).not.toMatch(/#1 (\(at work|\S+ +running|working)/)
    expect(fs.readFileSync(context.paths.activity, 'utf8')).toContain('task_interrupted')
  }
  expect(await explain()).toContain('when the machine went down')
  expect(await told()).toEqual([
    expect.objectContaining({ type: 'task_interrupted', message: expect.stringContaining(`kugetsu wait ${ref}`) }),
  ])
})

it('each death is told for itself, by its cause, and one whose word to the agent was lost is not told again', async () => {
  const boot = uptime()
  for (const server of ['one', 'two', '']) {
    await session('running', { run: run({ server, deadline_uptime: boot }) })
    await told()
  }
  const all = await told()
  expect(all.map(({ type }) => type)).toEqual(['task_interrupted', 'task_interrupted'])
  expect(all[0]?.message).toMatch(/^the opencode server died; /)
})

it('a start that was cut off is no agent at work: its slot is free, and what waits in the queue is named', async () => {
  slot('held')
  await session('starting')
  expect(await status()).toMatch(/slots +0 of/)
  expect(await list()).toMatch(
    /interrupted[^]*The process that was starting an agent has died. See: kugetsu explain \S+#1\n$/,
  )
  expect(await explain()).toContain(`kugetsu continue ${ref}`)
  write(path.join(placesOf(context).items, 'q_1777629600000.json'), {
    id: 'q_1777629600000',
    kind: 'dev',
    issue_ref: ref,
    message: 'do it',
    state: 'pending',
    pending_since: at,
    attempts: [{ started_at: at, ended_at: null, outcome: null, reason: null }],
  })
  const text = await explain()
  expect(text).toMatch(/No daemon\s+takes\s+tasks from the queue/)
  expect(text).toContain('kugetsu queue-daemon start')
  expect(await told()).toEqual([])
})
