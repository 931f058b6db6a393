import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { tryExclusive } from '../../src/platform/locks.ts'
import { newItem, type Item } from '../../src/queue/item.ts'
import { spoolQueued } from '../../src/activity/notification-spool.ts'
import { countUnread, markAllRead, notify, readNotifications, takeOverSpool } from '../../src/activity/notifications.ts'
import { buildProgram, type Program } from '../helpers/programs.ts'
import { createServiceHome, type ServiceHome } from '../helpers/service-home.ts'
import { waitFor } from '../helpers/wait-for.ts'

let home: ServiceHome
beforeEach(() => {
  home = createServiceHome()
})
afterEach(() => home.cleanup())

const first = Date.parse('2026-05-01T12:00:00Z')
const item = (number: number, message = `task ${number}`): Item =>
  newItem(`q_${first + number}`, { issue_ref: 'forge.test/me/app#1', message }, new Date(first + number))
/** Tells of the task at its time. */
function queue(number: number, message?: string): void {
  home.clock.now = new Date(first + number)
  spoolQueued(home, item(number, message))
}
const spool = () => home.paths.notificationSpool
const spooled = () => (fs.existsSync(spool()) ? fs.readdirSync(spool()).sort() : [])
const nameOf = (number: number) => `00${first + number}-task_queued_q_${first + number}_0.json`
const stored = () => JSON.parse(fs.readFileSync(home.paths.notifications, 'utf8')) as Record<string, unknown>[]
const messages = (all: { message?: unknown }[] = stored()) => all.map(({ message }) => message)

describe('a task that is told to be queued', () => {
  it('has a file of its own for its owner alone, and no lock and no other file is needed', () => {
    queue(1)
    expect(fs.readdirSync(home.paths.home)).toEqual(['notifications.new'])
    expect(spooled()).toEqual([nameOf(1)])
    expect(fs.statSync(spool()).mode & 0o777).toBe(0o700)
    expect(fs.statSync(path.join(spool(), nameOf(1))).mode & 0o777).toBe(0o600)
    expect(countUnread(home)).toBe(1)
    expect(spooled()).toHaveLength(1)
  })

  it('is among the notifications for who reads them, and in their file from then on', async () => {
    queue(1)
    const told = await readNotifications(home)
    expect(told).toEqual([
      {
        id: `task_queued_q_${first + 1}_0`,
        timestamp: new Date(first + 1).toISOString(),
        type: 'task_queued',
        message: 'task 1',
        issue_ref: 'forge.test/me/app#1',
        queue_item: `q_${first + 1}`,
        read: false,
      },
    ])
    expect(stored()).toEqual(told)
    expect(spooled()).toEqual([])
    expect(countUnread(home)).toBe(1)
  })

  it('comes before what is told later of it, and after what was told before', async () => {
    await notify(home, { type: 'task_completed', issue_ref: null, message: 'before' })
    for (const number of [3, 1, 2]) queue(number)
    await notify(home, { type: 'task_dequeued', issue_ref: null, message: 'after' })
    expect(messages()).toEqual(['before', 'task 1', 'task 2', 'task 3', 'after'])
    expect(spooled()).toEqual([])
  })

  it('is told once each time that it is put back', async () => {
    queue(1)
    const attempt = { started_at: null, ended_at: null, outcome: 'error', reason: null }
    spoolQueued(home, { ...item(1), attempts: [attempt] })
    expect(messages(await readNotifications(home))).toEqual(['task 1', 'task 1'])
  })

  it('is marked as read with the others', async () => {
    await notify(home, { type: 'task_completed', issue_ref: null, message: 'one' })
    expect(await markAllRead(home)).toBe(1)
    queue(1)
    expect(await markAllRead(home)).toBe(1)
    expect(spooled()).toEqual([])
    expect(stored().map(({ read }) => read)).toEqual([true, true])
    expect(countUnread(home)).toBe(0)
  })

  it('is told without secrets, on one line', () => {
    fs.mkdirSync(home.paths.env)
    fs.writeFileSync(path.join(home.paths.env, 'dev.env'), 'export FORGE_TOKEN="tok_0123456789"\n')
    queue(1, 'use tok_0123456789\n\u001b[31mnow')
    const text = fs.readFileSync(path.join(spool(), nameOf(1)), 'utf8')
    expect(text).not.toContain('tok_')
    expect(JSON.parse(text)).toMatchObject({ message: 'use ***MASKED*** now' })
  })

  it('keeps what a later version may say more of it', async () => {
    queue(1)
    const file = path.join(spool(), nameOf(1))
    const said = { ...(JSON.parse(fs.readFileSync(file, 'utf8')) as object), colour: 'blue' }
    fs.writeFileSync(file, JSON.stringify(said))
    expect(await readNotifications(home)).toEqual([said])
  })
})

describe('whoever is killed between storing and clearing the spool', () => {
  it('has told nothing twice, also of what was read since', async () => {
    for (const number of [1, 2]) queue(number)
    const files = spooled().map((name) => [name, fs.readFileSync(path.join(spool(), name))] as const)
    const putBack = () => files.forEach(([name, content]) => fs.writeFileSync(path.join(spool(), name), content))
    await takeOverSpool(home)
    putBack()
    expect(countUnread(home)).toBe(2)
    queue(3)
    expect(messages(await readNotifications(home))).toEqual(['task 1', 'task 2', 'task 3'])
    expect(spooled()).toEqual([])
    await markAllRead(home)
    putBack()
    expect(countUnread(home)).toBe(0)
    expect(await markAllRead(home)).toBe(0)
    expect(messages()).toHaveLength(3)
    expect(spooled()).toEqual([])
  })
})

describe('as many as nobody has looked at', () => {
  it('are the newest 500, and leave nothing behind', async () => {
    for (let number = 0; number < 620; number++) queue(number)
    expect(countUnread(home)).toBe(500)
    expect(await takeOverSpool(home)).toHaveLength(500)
    expect(messages()[0]).toBe('task 120')
    expect(messages().at(-1)).toBe('task 619')
    expect(spooled()).toEqual([])
  })
})

describe('what lies in the spool and is no notification', () => {
  const put = {
    empty: (file: string) => fs.writeFileSync(file, ''),
    'cut off': (file: string) => fs.writeFileSync(file, '{"id":"task_que'),
    'of another event': (file: string) => fs.writeFileSync(file, '{"id":"another"}'),
    'not text': (file: string) => fs.writeFileSync(file, Buffer.from([0xff, 0xfe, 0x00])),
    'a directory': (file: string) => fs.mkdirSync(file),
    'a link': (file: string) => fs.symlinkSync('/dev/zero', file),
    'a pipe': (file: string) => void execFileSync('mkfifo', [file]),
  }
  it.each(Object.entries(put))('(%s) is set aside and named once, and the others are told', async (_, make) => {
    queue(1)
    make(path.join(spool(), nameOf(2)))
    queue(3)
    for (const use of [readNotifications, markAllRead]) await use(home)
    expect(messages()).toEqual(['task 1', 'task 3'])
    const [kept = '', ...others] = spooled()
    expect(others).toEqual([])
    expect(kept).toContain(`${nameOf(2)}.unreadable-`)
    expect(home.warnings).toEqual([expect.stringMatching(`${nameOf(2)} cannot be understood and was kept as ${kept}`)])
    expect(countUnread(home)).toBe(0)
  })

  it('is left alone when it has another name', async () => {
    queue(1)
    fs.writeFileSync(path.join(spool(), 'notes.txt'), 'mine')
    fs.mkdirSync(path.join(spool(), '1-x.json'))
    expect(countUnread(home)).toBe(1)
    expect(messages(await readNotifications(home))).toEqual(['task 1'])
    expect(spooled()).toEqual(['1-x.json', 'notes.txt'])
    expect(home.warnings).toEqual([])
  })

  it.each([
    ['a file', (place: string) => fs.writeFileSync(place, 'mine')],
    ['a link to nowhere', (place: string) => fs.symlinkSync('nowhere', place)],
    ['a link to itself', (place: string) => fs.symlinkSync('notifications.new', place)],
  ])('(%s in its place) is kept under another name', async (_, make) => {
    make(spool())
    expect(countUnread(home)).toBe(0)
    expect(await readNotifications(home)).toEqual([])
    queue(1)
    expect(messages(await readNotifications(home))).toEqual(['task 1'])
    expect(fs.readdirSync(home.paths.home).filter((name) => name.includes('.unreadable-'))).toHaveLength(1)
  })
})

describe('while notifications.json cannot be had', () => {
  it('because of another process, tasks are told of, counted and listed without waiting for it', async () => {
    await notify(home, { type: 'task_completed', issue_ref: null, message: 'before' })
    queue(1)
    const release = tryExclusive(home.paths.lock('notifications'))
    queue(2)
    expect(await takeOverSpool(home)).toBeUndefined()
    expect(countUnread(home)).toBe(3)
    expect(messages(await readNotifications(home))).toEqual(['before', 'task 1', 'task 2'])
    expect(spooled()).toHaveLength(2)
    release?.()
    expect(messages(await takeOverSpool(home))).toEqual(['before', 'task 1', 'task 2'])
    expect(home.warnings).toEqual([])
  })

  it('because nothing can be written, they are listed from where they are', async () => {
    queue(1)
    fs.writeFileSync(home.paths.locks, 'no directory')
    expect(messages(await readNotifications(home))).toEqual(['task 1'])
    expect(spooled()).toHaveLength(1)
    fs.rmSync(spool(), { recursive: true })
    home.paths = { ...home.paths, notificationSpool: path.join(home.paths.locks, 'below') }
    queue(2)
    expect(home.warnings).toEqual([expect.stringMatching(/^no notification of task_queued forge\.test\/me\/app#1: /)])
  })
})

describe('many writers', () => {
  let notifier: Program
  beforeAll(async () => {
    notifier = await buildProgram('notifier')
  })
  afterAll(() => notifier.remove())

  const start = (name: string, times: number, spool = true) =>
    notifier.start({ home: home.paths.home, name, times, spool })

  it('make the directory together', async () => {
    for (let round = 0; round < 5; round++) {
      fs.rmSync(spool(), { recursive: true, force: true })
      const ends = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => start(`${name}${round}`, 3).ended))
      expect(ends).toEqual([0, 0, 0, 0, 0, 0])
      expect(spooled()).toHaveLength(18)
    }
    expect(fs.readdirSync(home.paths.home)).toEqual(['notifications.new'])
  })

  it('lose nothing while several take over, add and clear', async () => {
    const runs = [
      ...['a', 'b', 'c'].map((name) => ({ name, run: start(name, 100) })),
      { name: 'd', run: start('d', 25, false) },
    ]
    let going = true
    const ended = Promise.all(runs.map(({ run }) => run.ended)).finally(() => (going = false))
    let cleared = 0
    while (going) {
      cleared += await markAllRead(home)
      await readNotifications(home)
      await turn()
    }
    expect(await ended).toEqual(runs.map(() => 0))
    cleared += await markAllRead(home)
    expect(cleared).toBe(325)
    expect(spooled()).toEqual([])
    for (const { name } of runs) {
      const own = messages().filter((message) => String(message).startsWith(`${name} `))
      expect(own).toEqual(Array.from({ length: name === 'd' ? 25 : 100 }, (_, number) => `${name} ${number}`))
    }
    expect(home.warnings).toEqual([])
  })

  it('that are killed leave all that they had told, and nothing half', async () => {
    const runs = ['a', 'b', 'c'].map((name) => start(name, 100_000))
    for (const run of runs) {
      await waitFor('a few to be told', () => run.said().split('\n').length > 10)
      run.child.kill('SIGKILL')
    }
    await Promise.all(runs.map(({ ended }) => ended))
    const said = runs.flatMap((run) => run.said().trim().split('\n'))
    const files = spooled().filter((name) => !name.startsWith('.'))
    const told = files.map((name) => JSON.parse(fs.readFileSync(path.join(spool(), name), 'utf8')) as object)
    expect(new Set(messages(told))).toEqual(new Set([...said, ...messages(told)]))
    expect(await takeOverSpool(home)).toHaveLength(Math.min(500, files.length))
    expect(home.warnings).toEqual([])
    expect(spooled().filter((name) => !name.startsWith('.'))).toEqual([])
  })
})
