import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tryExclusive } from '../../src/platform/locks.ts'
import type { Item } from '../../src/queue/item.ts'
import type { Notification } from '../../src/activity/notification.ts'
import { runJson } from '../helpers/kugetsu.ts'
import { killAndWait } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

const config = { MAX_CONCURRENT_AGENTS: 3 }
const token = 'tok_0123456789abcdef'

let stage: Stage
beforeAll(async () => {
  stage = await setStage({ config })
})
afterAll(() => stage.cleanup())

const all = async () => (await runJson<Notification[]>(stage.home, ['notify', 'list', '--all', '--json'])).json
const about = async (issue: string) => (await all()).filter(({ issue_ref: ref }) => ref === issue)
const types = (notifications: Notification[]) => notifications.map(({ type }) => type)
const unread = async () => (await runJson<Notification[]>(stage.home, ['notify', '--json'])).json
const countInStatus = async () =>
  (await runJson<{ notifications: { unread: number } }>(stage.home, ['status', '--json'])).json.notifications.unread
const enqueue = async (issue: string, message: string) =>
  (await runJson<Item>(stage.home, ['queue', 'enqueue', issue, message, '--json'])).json.id
const ended = (id: string) =>
  waitFor('the end of the task', async () => {
    const { json } = await runJson<Item>(stage.home, ['queue', 'show', id, '--json'])
    return (json.state === 'completed' || json.state === 'error') && json
  })

/** Kills the daemon and waits until it is gone. */
async function killDaemon(): Promise<void> {
  const pid = Number(fs.readFileSync(path.join(stage.home.kugetsuDir, 'queue', 'daemon.pid'), 'utf8'))
  await killAndWait(pid)
}

describe('a task of the queue', () => {
  let id: string

  it('is told of when it is queued, before anything takes it out', async () => {
    expect(await stage.ok(['notify'])).toBe('AGE  TYPE  ISSUE_REF  MESSAGE\n')
    expect(await stage.ok(['status'])).not.toContain('unread')
    id = await enqueue(ref(1), 'GATE=one SAY{{The task is done.}}')
    const [only, ...others] = await unread()
    expect(others).toEqual([])
    expect(only).toMatchObject({
      type: 'task_queued',
      issue_ref: ref(1),
      queue_item: id,
      message: 'GATE=one SAY{{The task is done.}}',
      read: false,
    })
    expect(await stage.ok(['status'])).toMatch(/^unread {2}1 notification: kugetsu notify$/m)
    expect(await countInStatus()).toBe(1)
  })

  it('when an agent has it', async () => {
    await stage.ok(['queue-daemon', 'start'])
    await stage.model.turn('GATE=one')
    const told = await waitFor('the beginning', async () => {
      const found = await about(ref(1))
      return found.length > 1 && found
    })
    expect(types(told)).toEqual(['task_queued', 'task_dequeued', 'task_started'])
    expect(told.every(({ queue_item: item }) => item === id)).toBe(true)
  })

  it('and when it is done, in the words of the agent, once, though daemons are killed in between', async () => {
    await killDaemon()
    stage.model.release('one')
    await stage.ok(['queue-daemon', 'start'])
    await ended(id)
    await killDaemon()
    await stage.ok(['queue-daemon', 'start'])
    const again = await enqueue(ref(1), 'SAY{{And this one.}}')
    await ended(again)
    const told = await about(ref(1))
    const first = told.filter(({ queue_item: item }) => item === id)
    expect(types(first)).toEqual(['task_queued', 'task_dequeued', 'task_started', 'task_completed'])
    expect(first[3]?.message).toBe('The task is done.')
    // Who queued it may be slower to tell than the daemon that has it done.
    const second = told.filter(({ queue_item: item }) => item === again)
    expect(types(second).toSorted()).toEqual(types(first).toSorted())
    expect(second.map(({ message }) => message)).toContain('And this one.')
    expect(told).toHaveLength(8)
  })

  it('whose repository does not exist is told of as an error, and again when it is tried again', async () => {
    const issue = 'forge.test/me/nowhere#1'
    const nowhere = await enqueue(issue, 'SAY{{never}}')
    await ended(nowhere)
    await stage.ok(['queue', 'retry', nowhere])
    const { error } = await ended(nowhere)
    const told = await waitFor('the second error', async () => {
      const found = await about(issue)
      return found.length > 3 && found
    })
    expect(types(told).toSorted()).toEqual(['task_error', 'task_error', 'task_queued', 'task_queued'])
    expect(error).toContain('repository not found')
    const errors = told.filter(({ type }) => type === 'task_error')
    for (const each of errors) expect(each).toMatchObject({ message: error, queue_item: nowhere })
  })
})

describe('the log of notifications', () => {
  const at = (...parts: string[]) => path.join(stage.home.kugetsuDir, ...parts)

  it('takes a task that is queued, whatever is locked, and no process is waited for', async () => {
    await stage.ok(['queue-daemon', 'stop'])
    const releases = ['activity', 'notifications'].map((name) => tryExclusive(at('locks', `${name}.lock`)))
    const { code, stderr } = await stage.kugetsu(['queue', 'enqueue', ref(5), 'SAY{{five}}'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(types(await about(ref(5)))).toEqual(['task_queued'])
    for (const release of releases) release?.()
    expect(types(await about(ref(5)))).toEqual(['task_queued'])
  })

  it('has what was told when no agent can be started', async () => {
    stage.configure({ ...config, MIN_FREE_MEMORY_MB: 90_000_000 })
    await stage.ok(['queue-daemon', 'start'])
    const id = await enqueue(ref(6), 'SAY{{six}}')
    expect(fs.readFileSync(at('activity.jsonl'), 'utf8')).toContain(id)
    await stage.ok(['queue', 'remove', id])
    stage.configure(config)
    await waitFor('the end of the fifth', async () => (await about(ref(5))).length === 4)
    expect(types(await about(ref(5)))).toEqual(['task_queued', 'task_dequeued', 'task_started', 'task_completed'])
  })

  it('has what kugetsu 0.1.0 tells beside it, in its file and in its spool', async () => {
    const other = { timestamp: '2026-05-01T10:00:00.000Z', type: 'task_completed', issue_ref: ref(7), read: false }
    fs.writeFileSync(at('notifications.json'), JSON.stringify([{ ...other, id: 'n_1', message: 'by its daemon' }]))
    const queued = { ...other, id: 'task_queued_q_1_0', type: 'task_queued', message: 'by its command' }
    fs.mkdirSync(at('notifications.new'))
    fs.writeFileSync(at('notifications.new', '001777629600003-task_queued_q_1_0.json'), JSON.stringify(queued))
    const before = await countInStatus()
    expect((await about(ref(7))).map(({ message }) => message)).toEqual(['by its daemon', 'by its command'])
    expect(await countInStatus()).toBe(before)
    expect(fs.existsSync(at('notifications.new'))).toBe(false)
  })
})

describe('a run that a person began', () => {
  it('is told of when it starts and when it is done, without what joined it and without secrets', async () => {
    fs.writeFileSync(path.join(stage.home.kugetsuDir, 'env', 'dev.env'), `export FORGE_TOKEN="${token}"\n`)
    await stage.ok(['start', ref(2), 'GATE=two SAY{{first}}'])
    await stage.model.turn('GATE=two')
    await stage.ok(['continue', ref(2), `SAY{{steered with ${token}}}`])
    stage.model.release('two')
    await stage.ok(['wait', ref(2)])
    // What is not told by the time that `wait` has returned is told by `notify list`.
    const told = await about(ref(2))
    expect(told.map(({ type, message }) => [type, message])).toEqual([
      ['task_started', 'GATE=two SAY{{first}}'],
      ['task_completed', 'steered with ***MASKED***'],
    ])
    expect(told.some((each) => 'queue_item' in each)).toBe(false)
  })

  it('is told of with the reason of the provider when it fails', async () => {
    expect((await stage.kugetsu(['continue', ref(2), 'FAIL=400', '--wait'])).code).toBe(1)
    const told = (await about(ref(2))).slice(2)
    expect(types(told)).toEqual(['task_started', 'task_error'])
    expect(told[1]?.message).toBe((await stage.session(2)).last_error)
  })

  it('is told of as a timeout', async () => {
    stage.configure({ ...config, TASK_TIMEOUT_HOURS: 0.001 })
    await stage.ok(['continue', ref(2), 'HANG!'])
    stage.configure(config)
    expect((await stage.kugetsu(['wait', ref(2)])).code).toBe(1)
    const told = (await about(ref(2))).slice(4)
    expect(types(told)).toEqual(['task_started', 'task_timeout'])
    expect(told[1]?.message).toContain('TASK_TIMEOUT_HOURS')
  })

  it('is not told of when a person stops it', async () => {
    await stage.ok(['start', ref(3), 'GATE=never SAY{{never}}'])
    await stage.model.turn('GATE=never')
    await stage.ok(['stop', ref(3)])
    await stage.ok(['continue', ref(3), 'SAY{{after}}', '--wait'])
    expect(types(await about(ref(3)))).toEqual(['task_started', 'task_started', 'task_completed'])
  })
})

describe('what was read', () => {
  it('is shown with --all only, and counted no more', async () => {
    const before = await all()
    expect(await unread()).toEqual(before)
    expect(await countInStatus()).toBe(before.length)
    const text = await stage.ok(['notify', 'list'])
    expect(text).toMatch(/^AGE +TYPE +ISSUE_REF +MESSAGE\n/)
    expect(text.trimEnd().split('\n')).toHaveLength(before.length + 1)
    expect(text).toMatch(/^\d+[smh] +task_completed +forge\.test\/me\/app#1 +The task is done\.$/m)

    expect(await stage.ok(['notify', 'clear'])).toBe(`Marked ${before.length} notifications as read\n`)
    expect(await unread()).toEqual([])
    expect(await all()).toEqual(before.map((each) => ({ ...each, read: true })))
    expect(await stage.ok(['status'])).not.toContain('unread')

    await stage.ok(['queue-daemon', 'stop'])
    const later = await enqueue(ref(4), 'later')
    expect((await unread()).map(({ queue_item: item }) => item)).toEqual([later])
    expect(await stage.ok(['notify', '--all'])).toMatch(/task_queued +forge\.test\/me\/app#4 +later\n$/)
  })
})
