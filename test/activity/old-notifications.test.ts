/** What kugetsu 0.1.0 and the bash tool keep, and go on writing while they run beside this version. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { countUnread, markAllRead, notify, readNotifications } from '../../src/activity/notifications.ts'
import { createServiceHome, type ServiceHome } from '../helpers/service-home.ts'

let home: ServiceHome
beforeEach(() => {
  home = createServiceHome()
})
afterEach(() => home.cleanup())

const file = () => home.paths.notifications
const write = (records: unknown) => fs.writeFileSync(file(), JSON.stringify(records))
const told = () => readNotifications(home)
const messages = () => told().map(({ message }) => message)
const tell = (message: string, id = `event_${message}`) =>
  notify(home, { id, type: 'task_completed', issue_ref: 'forge.test/me/app#1', message })
const setAside = () =>
  fs.readdirSync(home.paths.home).filter((name) => name.startsWith('notifications.json.unreadable'))

describe('notifications.json', () => {
  it('is read with the fields that are not known, also those of the bash tool, and not touched', async () => {
    const from = fileURLToPath(new URL('../fixtures/bash-home', import.meta.url))
    const [old] = JSON.parse(fs.readFileSync(path.join(from, 'notifications.json'), 'utf8')) as object[]
    write([{ ...old, colour: 'blue' }])
    const before = fs.readFileSync(file(), 'utf8')
    tell('new')
    expect(told()[0]).toEqual({ ...old, colour: 'blue' })
    expect(countUnread(home)).toBe(2)
    expect(await markAllRead(home)).toBe(2)
    expect(told()[0]).toEqual({ ...old, colour: 'blue', read: true })
    expect(countUnread(home)).toBe(0)
    expect(fs.readFileSync(file(), 'utf8')).toBe(before)
    expect(home.warnings).toEqual([])
  })

  it('is read again when an older process has written to it, and an event that both told is one', async () => {
    write([{ id: 'n_1', message: 'old', read: true }])
    tell('new')
    expect(messages()).toEqual(['old', 'new'])
    await markAllRead(home)
    const also = { id: 'event_new', message: 'new by the other', read: false }
    write([{ id: 'n_1', message: 'old', read: true }, also, { id: 'n_2', message: 'later', read: false }])
    expect(countUnread(home)).toBe(1)
    expect(told().map(({ id, read }) => [id, read])).toEqual([
      ['n_1', true],
      ['event_new', true],
      ['n_2', false],
    ])
    expect(await markAllRead(home)).toBe(1)
  })

  it('counts among the 500: the oldest that were read go first, then the oldest', () => {
    const old = Array.from({ length: 500 }, (_, number) => ({ message: `old ${number}`, read: number % 2 === 1 }))
    write(old)
    tell('new')
    tell('newer')
    const unread = old.filter(({ read }) => !read).map(({ message }) => message)
    expect(messages()).toHaveLength(500)
    expect(messages()).toEqual(expect.arrayContaining([...unread, 'new', 'newer']))
    expect(messages()).toEqual(expect.not.arrayContaining(['old 1']))
    expect(messages()).toEqual(expect.not.arrayContaining(['old 3']))
    expect(messages()).toContain('old 5')

    write(old.map((each) => ({ ...each, read: false })))
    fs.rmSync(home.paths.activity)
    tell('new')
    expect(messages().slice(0, 2)).toEqual(['old 1', 'old 2'])
    expect(messages().at(-1)).toBe('new')
    expect(messages()).toHaveLength(500)
  })

  it('brings nothing back that was read', async () => {
    write(Array.from({ length: 400 }, (_, number) => ({ message: `old ${number}`, read: false })))
    for (let number = 0; number < 300; number++) tell(`${number}`)
    expect(await markAllRead(home)).toBe(500)
    expect(countUnread(home)).toBe(0)
  })

  it.each([
    ['empty', ''],
    ['cut off', '[{"type":"task_qu'],
    ['no array', '{"type":"task_queued"}'],
    ['of other things', '[1, 2]'],
    ['far too large', `[${' '.repeat(6_000_000)}]`],
  ])('(%s) is set aside and named, and the next one gets in', (_, content) => {
    fs.writeFileSync(file(), content)
    expect(countUnread(home)).toBe(0)
    expect(setAside()).toEqual([])
    expect(tell('new')).toBe(true)
    expect(messages()).toEqual(['new'])
    const [kept = ''] = setAside()
    expect(fs.readFileSync(path.join(home.paths.home, kept), 'utf8') === content).toBe(true)
    expect(home.warnings).toEqual([expect.stringContaining(`${file()} cannot be understood and was kept as ${kept}`)])
  })

  it('(a directory) is set aside by who only wants to read or clear, too', async () => {
    for (const use of [readNotifications, markAllRead]) {
      fs.mkdirSync(file())
      await use(home)
      expect(fs.existsSync(file())).toBe(false)
    }
    expect(setAside()).toHaveLength(2)
    expect(home.warnings).toHaveLength(2)
  })
})

describe('notifications.new/', () => {
  const spool = () => home.paths.notificationSpool
  const spooled = () => (fs.existsSync(spool()) ? fs.readdirSync(spool()).sort() : undefined)
  const nameOf = (number: number) => `00177762960000${number}-task_queued_q_${number}_0.json`
  const one = (number: number) => ({
    id: `task_queued_q_${number}_0`,
    timestamp: `2026-05-01T10:00:00.00${number}Z`,
    type: 'task_queued',
    message: `task ${number}`,
    issue_ref: 'forge.test/me/app#1',
    queue_item: `q_${number}`,
    read: false,
    colour: 'blue',
  })
  /** As 0.1.0 tells of a task that it has queued. */
  function queue(...numbers: number[]): void {
    fs.mkdirSync(spool(), { recursive: true })
    for (const number of numbers) fs.writeFileSync(path.join(spool(), nameOf(number)), JSON.stringify(one(number)))
  }

  it('is counted where it is, moved into the log by who reads, and removed', async () => {
    tell('before')
    queue(3, 1, 2)
    expect(countUnread(home)).toBe(4)
    expect(spooled()).toHaveLength(3)
    expect(told().slice(1)).toEqual([one(1), one(2), one(3)])
    expect(spooled()).toBeUndefined()
    tell('after')
    expect(messages()).toEqual(['before', 'task 1', 'task 2', 'task 3', 'after'])
    queue(4)
    expect(await markAllRead(home)).toBe(6)
    expect(spooled()).toBeUndefined()
    expect(home.warnings).toEqual([])
  })

  it('has told nothing twice when a process was killed between storing and removing, also of what was read since', async () => {
    queue(1, 2)
    told()
    queue(1, 2)
    expect(countUnread(home)).toBe(2)
    queue(3)
    expect(messages()).toEqual(['task 1', 'task 2', 'task 3'])
    await markAllRead(home)
    queue(1, 2, 3)
    expect(countUnread(home)).toBe(0)
    expect(await markAllRead(home)).toBe(0)
    expect(spooled()).toBeUndefined()
  })

  it('is one with what 0.1.0 has moved into notifications.json meanwhile', () => {
    queue(1)
    write([one(1)])
    expect(countUnread(home)).toBe(1)
    expect(messages()).toEqual(['task 1'])
    expect(messages()).toEqual(['task 1'])
  })

  it('goes when it is empty', () => {
    queue()
    told()
    expect(spooled()).toBeUndefined()
  })

  it('is listed from where it is while the log cannot be written', () => {
    queue(1)
    const { activity } = home.paths
    home.paths = { ...home.paths, activity: path.join(home.paths.home, 'file', 'below') }
    fs.writeFileSync(path.join(home.paths.home, 'file'), '')
    expect(messages()).toEqual(['task 1'])
    expect(spooled()).toHaveLength(1)
    home.paths = { ...home.paths, activity }
    expect(messages()).toEqual(['task 1'])
    expect(spooled()).toBeUndefined()
  })

  const put = {
    empty: (file: string) => fs.writeFileSync(file, ''),
    'cut off': (file: string) => fs.writeFileSync(file, '{"id":"task_que'),
    'of another event': (file: string) => fs.writeFileSync(file, '{"id":"another"}'),
    'not text': (file: string) => fs.writeFileSync(file, Buffer.from([0xff, 0xfe, 0x00])),
    'a directory': (file: string) => fs.mkdirSync(file),
    'a link': (file: string) => fs.symlinkSync('/dev/zero', file),
    'a pipe': (file: string) => void execFileSync('mkfifo', [file]),
  }
  it.each(Object.entries(put))('(%s in it) is set aside and named once, and the others are told', async (_, make) => {
    queue(1, 3)
    make(path.join(spool(), nameOf(2)))
    for (const use of [readNotifications, markAllRead]) await use(home)
    expect(messages()).toEqual(['task 1', 'task 3'])
    const [kept = '', ...others] = spooled() ?? []
    expect(others).toEqual([])
    expect(kept).toContain(`${nameOf(2)}.unreadable-`)
    expect(home.warnings).toEqual([expect.stringMatching(`${nameOf(2)} cannot be understood and was kept as ${kept}`)])
    expect(countUnread(home)).toBe(0)
  })

  it('keeps what has another name', () => {
    queue(1)
    fs.writeFileSync(path.join(spool(), 'notes.txt'), 'mine')
    fs.mkdirSync(path.join(spool(), '1-x.json'))
    expect(countUnread(home)).toBe(1)
    expect(messages()).toEqual(['task 1'])
    expect(spooled()).toEqual(['1-x.json', 'notes.txt'])
    expect(home.warnings).toEqual([])
  })
})
