import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openQueue } from '../../src/queue/file-queue.ts'
import { takeOverOldQueue } from '../../src/queue/old-queue.ts'
import { placesOf } from '../../src/queue/places.ts'
import { createServiceHome, type ServiceHome } from '../helpers/service-home.ts'

let home: ServiceHome
beforeEach(() => {
  home = createServiceHome({ from: fileURLToPath(new URL('../fixtures/bash-home-queue-json', import.meta.url)) })
})
afterEach(() => home.cleanup())

const old = () => path.join(home.paths.home, 'queue.json')
const items = async () => (await openQueue(home).list()).items
const file = (id: string) => path.join(placesOf(home).items, `${id}.json`)

it('becomes items of their own, with every field they had, and is kept under another name', async () => {
  const text = fs.readFileSync(old(), 'utf8')
  expect(await takeOverOldQueue(home)).toBe(4)
  expect(fs.existsSync(old())).toBe(false)
  expect(fs.readFileSync(`${old()}.taken-over`, 'utf8')).toBe(text)
  const [done, first, unnamed, odd] = await items()
  expect(done).toMatchObject({ id: 'q_1774850000', state: 'completed', issue_ref: 'github.com/shoko/kugetsu#20' })
  expect(first).toMatchObject({
    id: 'q_1774860000',
    kind: 'dev',
    state: 'pending',
    message: 'add tests',
    pending_since: '2026-03-30T08:40:00.000Z',
    priority_label: 'high',
  })
  expect(unnamed).toMatchObject({
    kind: 'pm',
    issue_ref: null,
    state: 'pending',
    message: 'review the open pull requests',
  })
  expect(odd).toMatchObject({
    state: 'error',
    error: 'taken over from queue.json, where it was "in_progress"',
    old_id: 'task 3',
    old_state: 'in_progress',
    fork_pid: 4242,
  })
  expect(home.warnings).toEqual([])
})

it('is taken over once, whenever a call is killed', async () => {
  const text = fs.readFileSync(old(), 'utf8')
  await takeOverOldQueue(home)
  const before = await items()
  // As if it had been killed before the file got its new name, with half of the items written.
  fs.rmSync(file(before[2]?.id ?? ''))
  fs.renameSync(`${old()}.taken-over`, old())
  expect(await takeOverOldQueue(home)).toBe(4)
  expect(await items()).toEqual(before)
  expect(await takeOverOldQueue(home)).toBe(0)
  fs.writeFileSync(old(), text)
  await Promise.all([takeOverOldQueue(home), takeOverOldQueue(home)])
  expect(await items()).toEqual(before)
})

it('leaves a task alone that has the id of another one', async () => {
  fs.mkdirSync(placesOf(home).items, { recursive: true })
  fs.writeFileSync(file('q_1774860000'), '{"id": "q_1774860000", "state": "completed", "message": "something else"}')
  await takeOverOldQueue(home)
  expect((await items()).map(({ id, message }) => [id, message])).toContainEqual(['q_1774860000', 'something else'])
  expect((await items()).map(({ id, message }) => [id, message])).toContainEqual(['q_1774860000_2', 'add tests'])
})

it.each([
  ['a list', '[{"message": "one"}, "two"]', ['one', 'two']],
  ['nothing', '', []],
  ['a task with fields of other kinds', '{"items": [{"message": "one", "attempts": "many", "pid": {}}]}', ['one']],
])('may be %s', async (_, content, messages) => {
  fs.writeFileSync(old(), content)
  await takeOverOldQueue(home)
  expect((await items()).map(({ message }) => message).sort()).toEqual(messages)
  expect(home.warnings).toEqual([])
})

it.each(['{"queue": 7}', 'not JSON', '[1]'])('is set aside when it cannot be understood: %s', async (content) => {
  fs.writeFileSync(old(), content)
  expect(await takeOverOldQueue(home)).toBe(0)
  const aside = fs.readdirSync(home.paths.home).find((name) => name.startsWith('queue.json.unreadable-'))
  expect(fs.readFileSync(path.join(home.paths.home, aside ?? ''), 'utf8')).toBe(content)
  expect(home.warnings).toEqual([expect.stringContaining(aside ?? '')])
})
