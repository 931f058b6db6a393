/** What any store of tasks has to do; later ones go through the same tests. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openQueue } from '../../src/queue/file-queue.ts'
import type { Limits, Queue } from '../../src/queue/queue.ts'
import { failed, finished, notified, released } from '../../src/queue/transitions.ts'
import { createServiceHome, type ServiceHome } from '../helpers/service-home.ts'
import { waitFor } from '../helpers/wait-for.ts'

let home: ServiceHome
let queue: Queue
beforeEach(() => {
  home = createServiceHome()
  queue = openQueue(home)
})
afterEach(() => home.cleanup())

const issue = (number: number, repository = 'me/app') => `forge.test/${repository}#${number}`
const add = (number: number, more: object = {}) =>
  queue.add({ issue_ref: issue(number), message: `do ${number}`, ...more })
const take = async (limits: Partial<Limits> = {}, from = queue) => {
  const { taken, next, dueInMs } = await from.take({ free: 9, busyIssues: new Set(), pm: true, ...limits })
  return { taken, messages: taken.map(({ item }) => item.message), next: next.map(({ message }) => message), dueInMs }
}
const end = { state: 'idle', error: null, stopped: false, never_began: false, ended_at: '2026-05-01T12:00:09.000Z' }
const result = { branch: null, commits: null, cost: null, pr_url: null, answer: null }

describe('taking tasks', () => {
  it('begins as many as are free, in order, and names those that come next', async () => {
    for (const number of [1, 2, 3, 4, 5]) await add(number)
    const { taken, messages, next } = await take({ free: 2, ahead: 2 })
    expect(messages).toEqual(['do 1', 'do 2'])
    expect(next).toEqual(['do 3', 'do 4'])
    for (const { item } of taken) {
      expect(item.attempts).toMatchObject([{ outcome: null, started_at: home.clock.now.toISOString() }])
      expect(await openQueue(home).get(item.id)).toEqual(item)
    }
    expect((await queue.list({ begun: true })).items).toEqual(taken.map(({ item }) => item))
  })

  it('gives each task to one of several that take at once', async () => {
    for (const number of [1, 2, 3, 4, 5, 6]) await add(number)
    const others = [openQueue(home), openQueue(home), openQueue(home)]
    const all = (await Promise.all(others.map((each) => take({ free: 2 }, each)))).flatMap(({ messages }) => messages)
    expect(all.toSorted()).toEqual(['do 1', 'do 2', 'do 3', 'do 4', 'do 5', 'do 6'])
  })

  it('leaves what was removed meanwhile, and takes the next', async () => {
    const [first] = [await add(1), await add(2)]
    const unwatch = await queue.watch(() => {})
    expect(await take({ free: 0, ahead: 1 })).toMatchObject({ messages: [], next: ['do 1'] })
    await openQueue(home).remove([first.id], () => true)
    expect((await take({ free: 1 })).messages).toEqual(['do 2'])
    unwatch()
  })

  it('leaves tasks of busy issues, of full repositories and for held providers', async () => {
    await add(1)
    await queue.add({ issue_ref: issue(2, 'Me/Full'), message: 'full' })
    await add(3, { model: 'slow/one', message: 'slow' })
    await add(4, { model: 'fast/one', message: 'fast' })
    const limits = { busyIssues: new Set([issue(1)]), fullRepositories: new Set(['forge.test/me/full']) }
    expect((await take({ ...limits, heldProviders: new Set(['slow', '']) })).messages).toEqual(['fast'])
    expect((await take({ ...limits, heldProviders: new Set(['']) })).messages).toEqual(['slow'])
    expect((await take({ heldProviders: new Set(['']) })).messages).toEqual([])
    expect((await take()).messages).toEqual(['do 1', 'full'])
  })

  it('takes one task of the PM agent at a time, and none while it can be told nothing', async () => {
    for (const message of ['one', 'two']) await queue.add({ issue_ref: null, message })
    expect((await take({ pm: false })).messages).toEqual([])
    const { taken, messages } = await take({ free: 0 })
    expect(messages).toEqual(['one'])
    expect((await take()).messages).toEqual([])
    const [{ item, fence } = { item: await add(1), fence: 0 }] = taken
    await queue.settle(item.id, fence, (current) => finished(current, end, result))
    expect((await take()).messages).toEqual(['two'])
  })

  it('says when a task that waits for its next try is due', async () => {
    const { id } = await add(1)
    const [grant] = (await take()).taken
    await queue.change(id, (item) => failed(item, { reason: 'x', hopeless: false }, home.now()), grant?.fence)
    expect(await take()).toMatchObject({ messages: [], dueInMs: 5_000 })
    home.clock.now = new Date(home.clock.now.getTime() + 5_000)
    expect((await take()).messages).toEqual(['do 1'])
  })
})

it('the order is by rank, which is after all others unless it is given', async () => {
  const [first, second] = [await add(1), await add(2)]
  await add(3, { rank: `${first.id.slice(2)}~` })
  await queue.add({ issue_ref: issue(4), message: 'do 4' }, { id: 'q_a', source: 'here' })
  await add(5)
  await queue.change(second.id, (item) => ({ ...item, rank: '0' }))
  expect((await take()).messages).toEqual(['do 2', 'do 1', 'do 3', 'do 4', 'do 5'])
})

describe('a task with an id of its own', () => {
  const added = (message: string, source: string) =>
    queue.add({ issue_ref: issue(1), message }, { id: 'q_comment-7', source })

  it('is added once, also by many at once and after it has ended', async () => {
    const several = await Promise.all(['a', 'b', 'c'].map((message) => added(message, 'comment 7')))
    expect(new Set(several.map(({ message }) => message)).size).toBe(1)
    await queue.change('q_comment-7', (item) => finished(item, end, result))
    expect(await added('again', 'comment 7')).toMatchObject({ state: 'completed', source: 'comment 7' })
    expect((await queue.counts()).total).toBe(1)
  })

  it('is refused when the id is of another source, or none', async () => {
    await added('one', 'comment 7')
    await expect(added('two', 'another')).rejects.toMatchObject({ code: 'usage' })
    await expect(queue.add({ issue_ref: null, message: 'x' }, { id: '../x' })).rejects.toMatchObject({ code: 'usage' })
  })
})

describe('a fence', () => {
  it('lets only the one that has the task now change and settle it', async () => {
    const { id } = await add(1)
    const [first] = (await take()).taken
    const again = { reason: 'x', hopeless: false }
    await queue.change(id, (item) => failed(item, again, home.now()), first?.fence)
    home.clock.now = new Date(home.clock.now.getTime() + 60_000)
    const [second] = (await take()).taken
    expect(second?.fence).not.toBe(first?.fence)
    const late = await queue.settle(id, first?.fence ?? -1, (item) => finished(item, end, result))
    expect(late).toBeUndefined()
    expect(await queue.change(id, (item) => released(item, null), first?.fence)).toBeUndefined()
    const agent = { at: end.ended_at, opencode_session_id: 'ses_1', pid: 7, run: 'slot' }
    expect(await queue.change(id, (item) => notified(item, agent), second?.fence)).toMatchObject({ state: 'notified' })
    const done = await queue.settle(id, second?.fence ?? -1, (item) => finished(item, end, result))
    expect(done).toMatchObject({ state: 'completed' })
    expect(await queue.settle(id, second?.fence ?? -1, () => undefined)).toBeUndefined()
  })
})

describe('a watched queue', () => {
  it('tells of what others change, and knows it at once', async () => {
    const { id } = await add(1)
    let told = 0
    const unwatch = await queue.watch(() => (told += 1))
    expect((await queue.counts()).pending).toBe(1)
    await openQueue(home).add({ issue_ref: issue(2), message: 'do 2' })
    await waitFor('word of it', () => told === 1)
    expect((await queue.counts()).pending).toBe(2)
    await openQueue(home).change(id, (item) => ({ ...item, state: 'error' }))
    await waitFor('word of the change', () => told === 2)
    expect((await queue.list({ states: ['error'] })).items.map((item) => item.id)).toEqual([id])
    await openQueue(home).remove([id], () => true)
    await waitFor('word of the removal', () => told === 3)
    expect(await queue.counts()).toMatchObject({ total: 1, pending: 1, error: 0 })
    unwatch()
  })

  it('sees what it changes itself without a word', async () => {
    let told = 0
    const unwatch = await queue.watch(() => (told += 1))
    const { id } = await add(1)
    expect(await queue.counts()).toMatchObject({ total: 1, pending: 1 })
    await queue.change(id, (item) => ({ ...item, state: 'error' }))
    expect(await queue.counts()).toMatchObject({ total: 1, error: 1 })
    await openQueue(home).add({ issue_ref: issue(2), message: 'do 2' })
    await waitFor('word of the other', () => told > 0)
    expect(told).toBe(1)
    unwatch()
  })
})

it('an inspection reads what is there and leaves it', async () => {
  const [one, two] = [await add(1), await add(2)]
  expect(await queue.inspect()).toEqual({ items: [one, two], damaged: [] })
  expect(await queue.inspect({ newest: 1 })).toEqual({ items: [two], damaged: [] })
})
