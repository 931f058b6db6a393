import { afterEach, beforeEach, expect, it } from 'vitest'
import * as fs from 'node:fs'
import { openQueue } from '../../../src/queue/file-queue.ts'
import { failed, begun } from '../../../src/queue/transitions.ts'
import { changeSession } from '../../../src/sessions/file/store.ts'
import { waitForRuns } from '../../../src/sessions/runs/wait.ts'
import { placesOf } from '../../../src/queue/places.ts'
import { noDaemon } from '../../helpers/bare-home.ts'
import { createServiceHome, type ServiceHome } from '../../helpers/service-home.ts'

const name = 'forge.test-me-app-1'
const issue_ref = 'forge.test/me/app#1'

let home: ServiceHome
beforeEach(async () => {
  home = createServiceHome()
  for (const directory of [home.paths.sessions, placesOf(home).items]) fs.mkdirSync(directory, { recursive: true })
  await changeSession(home, name, () => ({ type: 'forked', state: 'idle', issue_ref }))
})
afterEach(() => home.cleanup())

const wait = (takesTasks: () => Promise<boolean>, withTasks = true) =>
  waitForRuns({ ...home, daemon: { ...noDaemon, takesTasks } }, [name], { timeoutMs: undefined, withTasks })

it('a task that nothing takes from the queue is no reason to wait for ever, and none to say that all is done', async () => {
  await openQueue(home).add({ issue_ref, message: 'x', priority: 0 })
  await expect(wait(async () => false)).rejects.toMatchObject({ code: 'not_dispatching' })
  expect((await wait(async () => false, false)).sessions).toMatchObject([{ name, record: { state: 'idle' } }])
})

it('a task that ended as an error without an agent is told of', async () => {
  const queue = openQueue(home)
  const { id } = await queue.add({ issue_ref: issue_ref.toUpperCase(), message: 'x', priority: 0 })
  const takesTasks = async () => {
    await queue.change(id, (item) => begun(item, home.now()))
    await queue.change(id, (item) => failed(item, { reason: 'no such repository', hopeless: true }, home.now()))
    return true
  }
  expect((await wait(takesTasks)).failed).toMatchObject([{ id, error: 'no such repository' }])
})

it('a task that ends as an error while another agent works is told of, also one whose issue has no session', async () => {
  const queue = openQueue(home)
  const other = 'forge.test/me/app#2'
  const { id } = await queue.add({ issue_ref: other, message: 'x', priority: 0 })
  await changeSession(home, name, (current) => current && { ...current, state: 'starting' })
  const wake = async () => {
    await queue.change(id, (item) => begun(item, home.now()))
    await queue.change(id, (item) => failed(item, { reason: 'no such branch', hopeless: true }, home.now()))
    await changeSession(home, name, (current) => current && { ...current, state: 'idle' })
    return true
  }
  const names = [name, 'forge.test-me-app-2']
  const options = { timeoutMs: undefined, withTasks: true, queued: [other] }
  const waited = await waitForRuns({ ...home, daemon: { ...noDaemon, wake } }, names, options)
  expect(waited.failed).toMatchObject([{ id, error: 'no such branch' }])
  expect(waited.sessions).toMatchObject([{ name, record: { state: 'idle' } }, { record: undefined }])
})
