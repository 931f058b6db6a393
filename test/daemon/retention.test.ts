import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openQueue } from '../../src/queue/file-queue.ts'
import type { Queue } from '../../src/queue/queue.ts'
import { begun, finished, notified } from '../../src/queue/transitions.ts'
import { tryExclusive } from '../../src/platform/locks.ts'
import { readJournal } from '../../src/activity/journal.ts'
import { clearDelegations, clearFinished, clearLocks, clearTranscripts } from '../../src/daemon/retention.ts'
import { changeSession } from '../../src/sessions/file/store.ts'
import { createServiceHome, type ServiceHome } from '../helpers/service-home.ts'

const dayMs = 86_400_000

let home: ServiceHome
let queue: Queue
beforeEach(() => {
  home = createServiceHome()
  home.env['QUEUE_KEEP_FINISHED'] = '3'
  queue = openQueue(home)
})
afterEach(() => home.cleanup())

const ago = (days: number) => new Date(home.clock.now.getTime() - days * dayMs)
const ids = async () => (await queue.ids()).join()
/** A task of issue `number` that ended so many days ago, one that waits with -1, one that is at work with -2. */
async function task(number: number, days: number, session: string | null = null): Promise<string> {
  const { id } = await queue.add({ issue_ref: `forge.test/me/app#${number}`, message: 'do it' })
  if (days === -1) return id
  const agent = { at: ago(30).toISOString(), opencode_session_id: session, pid: null, run: null }
  const end = { state: 'idle', error: null, stopped: false, never_began: false, ended_at: ago(days).toISOString() }
  await queue.change(id, (item) => begun(item, ago(30)))
  await queue.change(id, (item) => notified(item, agent))
  if (days >= 0) await queue.change(id, (item) => finished(item, end, null))
  return id
}

function transcript(name: string, days: number): string {
  fs.mkdirSync(home.paths.logs, { recursive: true })
  const file = path.join(home.paths.logs, `${name}.log`)
  for (const each of [file, path.join(home.paths.logs, `.${name}.written`)]) fs.writeFileSync(each, 'x')
  fs.utimesSync(file, ago(days), ago(days))
  return file
}
const transcripts = () => fs.readdirSync(home.paths.logs).sort()

describe('finished tasks', () => {
  it('go when they are old, which is noted; what waits or is at work stays however old', async () => {
    const [old, young, waits, works] = [await task(1, 8), await task(2, 6), await task(3, -1), await task(4, -2)]
    expect(await clearFinished(home, queue)).toBe(1)
    expect(await ids()).toBe([young, waits, works].join())
    expect(readJournal(home, { issueRef: null, item: old })).toMatchObject([
      { decision: 'removed', issue_ref: 'forge.test/me/app#1', reason: expect.stringContaining('completed at') },
    ])
    expect(await clearFinished(home, queue)).toBe(0)
  })

  it('are kept up to a number, the newest', async () => {
    const all = [await task(1, 5), await task(2, 1), await task(3, 3), await task(4, 2), await task(5, -1)]
    expect(await clearFinished(home, queue)).toBe(1)
    expect(await ids()).toBe(all.slice(1).join())
  })

  it('are kept for ever, if that is wanted', async () => {
    home.env['QUEUE_CLEANUP_AGE_DAYS'] = '36500'
    await task(1, 3000)
    expect(await clearFinished(home, queue)).toBe(0)
  })
})

describe('transcripts', () => {
  const session = (name: string, id: string) =>
    changeSession(home, name, () => ({ type: 'forked', opencode_session_id: id, state: 'idle' }))

  it('go when nothing knows their session any more and they are old, with the list beside them', async () => {
    for (const name of ['dev-ses_live', 'dev-ses_task', 'dev-ses_dead', 'other']) transcript(name, 100)
    transcript('dev-ses_fresh', 2)
    await session('forge.test-me-app-1', 'ses_live')
    await task(2, -2, 'ses_task')
    expect(await clearTranscripts(home, queue)).toBe(1)
    expect(transcripts().filter((name) => name.includes('dead'))).toEqual([])
    expect(transcripts()).toHaveLength(8)
  })

  it('are kept up to a number, the newest, however young they are', async () => {
    for (const [index, name] of ['a', 'b', 'c', 'd', 'e'].entries()) transcript(`dev-ses_${name}`, index / 10)
    expect(await clearTranscripts(home, queue)).toBe(2)
    expect(transcripts().filter((name) => name.startsWith('dev'))).toEqual(
      ['a', 'b', 'c'].map((name) => `dev-ses_${name}.log`),
    )
  })

  it('all stay while it cannot be told which sessions there are', async () => {
    transcript('dev-ses_dead', 100)
    await session('forge.test-me-app-1', 'ses_live')
    fs.symlinkSync('forge.test-me-app-2.json', path.join(home.paths.sessions, 'forge.test-me-app-2.json')) // to itself
    expect(await clearTranscripts(home, queue)).toBe(0)
    fs.rmSync(path.join(home.paths.sessions, 'forge.test-me-app-2.json'))
    expect(await clearTranscripts(home, queue)).toBe(1)
  })
})

it('locks of issues go with their sessions, unless somebody holds them', async () => {
  await changeSession(home, 'forge.test-me-app-1', () => ({ type: 'forked', state: 'idle' }))
  const names = ['issue-forge.test-me-app-1', 'issue-forge.test-me-app-2', 'issue-forge.test-me-app-3', 'queue']
  const [, , held] = names
    .map((name) => tryExclusive(home.paths.lock(name)))
    .map((release, index) => {
      if (index !== 2) release?.()
      return release
    })
  expect(await clearLocks(home)).toBe(1)
  const left = fs.readdirSync(home.paths.locks).filter((name) => name !== 'sessions.lock')
  expect(left.sort()).toEqual([names[0], names[2], names[3]].map((name) => `${name}.lock`))
  held?.()
  expect(await clearLocks(home)).toBe(1)
})

it('logs of messages to the PM agent go after a week, unless it is still at work on them', async () => {
  const at = await task(1, -2)
  transcript('delegate-q_1', 8)
  transcript('delegate-q_2', 6)
  transcript(`delegate-${at}`, 8)
  expect(await clearDelegations(home, queue)).toBe(1)
  expect(transcripts().filter((name) => name.startsWith('delegate'))).toEqual(
    ['delegate-q_2.log', `delegate-${at}.log`].sort(),
  )
})
