import * as fs from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { noteOn } from '../../../src/daemon/dispatching/outcomes.ts'
import { openQueue } from '../../../src/queue/file-queue.ts'
import { tellBegin, tellUntold } from '../../../src/sessions/runs/announce.ts'
import { readNotifications } from '../../../src/activity/notifications.ts'
import type { Run, SessionRecord, Ending } from '../../../src/sessions/file/session-file.ts'
import { settleRun } from '../../../src/sessions/runs/settle.ts'
import { changeSession, readSession, readSessions } from '../../../src/sessions/file/store.ts'
import { createServiceHome, type ServiceHome } from '../../helpers/service-home.ts'

let home: ServiceHome
beforeEach(() => {
  home = createServiceHome()
})
afterEach(() => home.cleanup())

const issue = 'forge.test/me/app#1'
const name = 'forge.test-me-app-1'
const run = (more: Partial<Run> = {}): Run => ({
  slot: 'nobodys',
  message_ids: ['msg_1'],
  started_at: '2026-05-01T12:00:00Z',
  deadline_at: '2026-05-01T13:00:00Z',
  interruptions: 0,
  server: 'marker',
  ...more,
})
const begin = (of: Run, more: Partial<SessionRecord> = {}) =>
  changeSession(home, name, (current) => ({
    ...(current ?? { type: 'forked', issue_ref: issue, branch_name: 'fix/issue-1' }),
    state: 'running',
    run: of,
    ...more,
  }))
const told = async () =>
  readNotifications(home).map(({ type, message, queue_item: item }) => [type, message, ...(item ? [item] : [])])
const untold = () => readSession(home, name)?.untold

/** Ends the run as it says; what is told of it. */
async function end(of: Run, ending: Ending, more: Partial<SessionRecord> = {}) {
  await begin(of, more)
  expect(await settleRun(home, name, of, ending)).toBe(true)
  expect(untold()).toBeUndefined()
  return told()
}

describe('the end of a run', () => {
  it('is the end of a briefing too, unless its agent was never told, whoever died before noting it', async () => {
    await end(run(), { state: 'error', error: 'no', undelivered: true }, { briefed: false })
    expect(readSession(home, name)?.briefed).toBe(false)
    await end(run(), { state: 'idle' }, { briefed: false })
    expect(readSession(home, name)?.briefed).toBe(true)
  })

  it('is told in the words of the agent, or by its branch', async () => {
    expect(await end(run(), { state: 'idle', answer: 'All\ndone.' })).toEqual([['task_completed', 'All done.']])
    const second = run({ message_ids: ['msg_2'], queue_item: 'q_2' })
    expect((await end(second, { state: 'idle' }))[1]).toEqual(['task_completed', 'on branch fix/issue-1', 'q_2'])
  })

  it('is told of the PM agent without an issue', async () => {
    const record = { type: 'pm_agent', issue_ref: null, branch_name: null }
    await end(run(), { state: 'idle', answer: 'Two are at work.' }, record)
    expect(readNotifications(home)).toMatchObject([{ issue_ref: null, message: 'Two are at work.' }])
  })

  it('is told with the reason when it was a bad one', async () => {
    await end(run(), { state: 'error', error: 'no credit', answer: 'I begin.' })
    expect(await end(run({ message_ids: ['msg_2'] }), { state: 'timeout', error: 'stopped after 1 h' })).toEqual([
      ['task_error', 'no credit'],
      ['task_timeout', 'stopped after 1 h'],
    ])
  })

  it('is not told when a person stopped it, or its task goes back into the queue', async () => {
    expect(await end(run(), { state: 'idle', stopped: true, answer: 'I was about to' })).toEqual([])
    const never: Ending = { state: 'error', error: 'never told', undelivered: true }
    expect(await end(run({ queue_item: 'q_1' }), never, { state: 'starting' })).toEqual([])
    expect(await end(run(), never, { state: 'starting' })).toEqual([['task_error', 'never told']])
  })

  it('is told after its beginning, which is told then when who began it was killed before he had', async () => {
    const of = run({ queue_item: 'q_1' })
    expect(await end(of, { state: 'idle', answer: 'Done.' }, { state: 'starting' })).toEqual([
      ['task_dequeued', 'on branch fix/issue-1', 'q_1'],
      ['task_started', 'on branch fix/issue-1', 'q_1'],
      ['task_completed', 'Done.', 'q_1'],
    ])
  })

  it('is told of a beginning once', async () => {
    const of = run({ queue_item: 'q_1' })
    for (const _ of [1, 2]) tellBegin(home, issue, of, 'do it')
    await end(of, { state: 'idle', answer: 'Done.' }, { state: 'starting' })
    expect((await told()).map(([type, message]) => [type, message])).toEqual([
      ['task_dequeued', 'do it'],
      ['task_started', 'do it'],
      ['task_completed', 'Done.'],
    ])
  })
})

describe('an end that could not be told', () => {
  /** No notification can be written until what this returns is called. */
  function lockOut(): () => void {
    const { activity } = home.paths
    fs.writeFileSync(`${home.paths.home}/no-directory`, '')
    home.paths.activity = `${home.paths.home}/no-directory/activity.jsonl`
    return () => (home.paths.activity = activity)
  }

  it('ends all the same, waits in the session file through its next run, and is told once', async () => {
    const letIn = lockOut()
    await begin(run())
    expect(await settleRun(home, name, run(), { state: 'idle', answer: 'First.' })).toBe(true)
    expect(readSession(home, name)).toMatchObject({ state: 'idle', run: null })
    expect(home.warnings).toEqual([expect.stringContaining(`the end of ${issue} is still to be told: cannot write`)])
    await tellUntold(home, readSessions(home), 'again')
    expect(home.warnings).toHaveLength(1)

    const second = run({ message_ids: ['msg_2'] })
    await begin(second)
    await settleRun(home, name, second, { state: 'error', error: 'second' })
    expect(untold()?.map(({ message }) => message)).toEqual(['First.', 'second'])
    letIn()
    const left = readSessions(home)
    // The second time as one who was killed after telling, before noting that in the session file.
    for (const _ of [1, 2]) await tellUntold(home, left, 'again')
    expect(await told()).toEqual([
      ['task_completed', 'First.'],
      ['task_error', 'second'],
    ])
    expect(untold()).toBeUndefined()
  })

  it('is told for a session that is gone', async () => {
    const letIn = lockOut()
    await begin(run())
    await settleRun(home, name, run(), { state: 'idle', answer: 'Last.' })
    const left = readSessions(home)
    fs.rmSync(`${home.paths.sessions}/${name}.json`)
    letIn()
    await tellUntold(home, left)
    expect(await told()).toEqual([['task_completed', 'Last.']])
    expect(readSessions(home)).toEqual([])
  })
})

it('a task that is given up is told of once, though who noted it was killed before he had', async () => {
  const queue = openQueue(home)
  const added = await queue.add({ issue_ref: issue, message: 'do it' })
  const item = await queue.change(added.id, (current) => ({ ...current, state: 'notified' }))
  for (const _ of [1, 2])
    await noteOn(home, queue, { do: 'give up', item: item ?? added, reason: 'its session is gone' })
  expect(await told()).toEqual([['task_error', 'its session is gone', added.id]])
  expect(await queue.get(added.id)).toMatchObject({ state: 'error' })
})
