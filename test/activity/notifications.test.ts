import * as fs from 'node:fs'
import * as path from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Notice } from '../../src/activity/notice.ts'
import { countUnread, markAllRead, notify, readNotifications } from '../../src/activity/notifications.ts'
import { buildProgram, type Program } from '../helpers/programs.ts'
import { createServiceHome, type ServiceHome } from '../helpers/service-home.ts'
import { waitFor } from '../helpers/wait-for.ts'

let home: ServiceHome
beforeEach(() => {
  home = createServiceHome()
})
afterEach(() => home.cleanup())

const notice = (message: string, more: Partial<Notice> = {}): Notice => ({
  type: 'task_completed',
  issue_ref: 'forge.test/me/app#1',
  message,
  ...more,
})
const file = () => home.paths.notifications
const stored = () => JSON.parse(fs.readFileSync(file(), 'utf8')) as Record<string, unknown>[]
const messages = () => stored().map(({ message }) => message)
const write = (records: unknown) => fs.writeFileSync(file(), JSON.stringify(records))
const setAside = () =>
  fs.readdirSync(home.paths.home).filter((name) => name.startsWith('notifications.json.unreadable'))

describe('notifications', () => {
  it('are stored newest last, for their owner alone', async () => {
    expect(await readNotifications(home)).toEqual([])
    expect(await notify(home, notice('first', { queue_item: 'q_1' }))).toBe(true)
    expect(await notify(home, notice('second', { issue_ref: null }), notice('third'))).toBe(true)
    const [first, second, third] = stored()
    expect(first).toEqual({
      id: `n_${home.clock.now.getTime()}`,
      timestamp: '2026-05-01T12:00:00.000Z',
      type: 'task_completed',
      message: 'first',
      issue_ref: 'forge.test/me/app#1',
      queue_item: 'q_1',
      read: false,
    })
    expect(second).toMatchObject({ message: 'second', issue_ref: null })
    expect(second).not.toHaveProperty('queue_item')
    expect(new Set([first?.['id'], second?.['id'], third?.['id']]).size).toBe(3)
    expect(await readNotifications(home)).toEqual(stored())
    expect(fs.statSync(file()).mode & 0o777).toBe(0o600)
  })

  it('of one event are one', async () => {
    for (const word of ['once', 'twice']) await notify(home, notice(word, { id: 'event' }), notice(`and ${word}`))
    expect(messages()).toEqual(['once', 'and once', 'and twice'])
  })

  it('are marked as read, those that come later are not', async () => {
    expect(await markAllRead(home)).toBe(0)
    expect(fs.existsSync(home.paths.locks)).toBe(false)
    await notify(home, notice('one'), notice('two'))
    expect(countUnread(home)).toBe(2)
    expect(await markAllRead(home)).toBe(2)
    expect(await markAllRead(home)).toBe(0)
    await notify(home, notice('three'))
    expect(countUnread(home)).toBe(1)
    expect(stored().map(({ read }) => read)).toEqual([true, true, false])
  })

  it('are no more than 500: the oldest that were read go first, then the oldest', async () => {
    const old = Array.from({ length: 500 }, (_, number) => ({ message: `old ${number}`, read: number % 2 === 1 }))
    write(old)
    await notify(home, notice('new'), notice('newer'))
    const unread = old.filter(({ read }) => !read).map(({ message }) => message)
    expect(messages()).toHaveLength(500)
    expect(messages()).toEqual(expect.arrayContaining([...unread, 'new', 'newer']))
    expect(messages()).toEqual(expect.not.arrayContaining(['old 1']))
    expect(messages()).toEqual(expect.not.arrayContaining(['old 3']))
    expect(messages()).toContain('old 5')

    write(old.map((each) => ({ ...each, read: false })))
    await notify(home, notice('new'))
    expect(messages().slice(0, 2)).toEqual(['old 1', 'old 2'])
    expect(messages().at(-1)).toBe('new')
    expect(messages()).toHaveLength(500)
  })

  it('keep the fields that are not known, also those of the bash tool', async () => {
    const from = fileURLToPath(new URL('../fixtures/bash-home', import.meta.url))
    fs.copyFileSync(path.join(from, 'notifications.json'), file())
    const [old] = stored()
    write([{ ...old, colour: 'blue' }])
    await notify(home, notice('new'))
    expect(stored()[0]).toEqual({ ...old, colour: 'blue' })
    expect(await markAllRead(home)).toBe(2)
    expect(stored()[0]).toEqual({ ...old, colour: 'blue', read: true })
    expect(home.warnings).toEqual([])
  })
})

describe('the text of a notification', () => {
  const token = 'tok_0123456789'
  beforeEach(() => {
    fs.mkdirSync(home.paths.env)
    fs.writeFileSync(path.join(home.paths.env, 'dev.env'), `export FORGE_TOKEN="${token}"\n`)
  })

  it('is one line of bounded length without secrets, not even the beginning of one', async () => {
    await notify(home, notice(`\u001b[31mdone\u001b[0m\n\n  pushed\twith ${token}\u0007`))
    await notify(home, notice(`${'x'.repeat(490)} ${token}`))
    const [first, second] = messages()
    expect(first).toBe('done pushed with ***MASKED***␇')
    expect(second).toHaveLength(500)
    expect(fs.readFileSync(file(), 'utf8')).not.toContain('tok_')
    await notify(home, notice('y'.repeat(1_000_000)))
    expect(messages()[2]).toHaveLength(500)
  })

  it('does not wait for env files that cannot be read', async () => {
    fs.mkdirSync(path.join(home.paths.env, 'default.env'))
    expect(await notify(home, notice(`with ${token}`))).toBe(true)
    expect(messages()).toEqual(['with ***MASKED***']) // by the other files
  })

  it('says so for a task that has none of its own', async () => {
    await notify(home, notice(' '))
    expect(messages()).toEqual(['(the standard message)'])
  })
})

describe('a file that cannot be understood', () => {
  it.each([
    ['empty', ''],
    ['cut off', '[{"type":"task_qu'],
    ['no array', '{"type":"task_queued"}'],
    ['of other things', '[1, 2]'],
    ['far too large', `[${' '.repeat(6_000_000)}]`],
  ])('(%s) is set aside and named, and the next one gets in', async (_, content) => {
    fs.writeFileSync(file(), content)
    expect(countUnread(home)).toBe(0)
    expect(setAside()).toEqual([])
    expect(await notify(home, notice('new'))).toBe(true)
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

it('a notification that cannot be written is warned of and no error', async () => {
  fs.writeFileSync(home.paths.locks, 'no directory')
  expect(await notify(home, notice('lost', { issue_ref: null }))).toBe(false)
  expect(home.warnings).toEqual([expect.stringMatching(/^no notification of task_completed pm-agent: cannot write /)])
})

describe('many writers', () => {
  let notifier: Program
  beforeAll(async () => {
    notifier = await buildProgram('notifier')
  })
  afterAll(() => notifier.remove())

  const start = (name: string, times: number) => notifier.start({ home: home.paths.home, name, times })

  it('lose nothing, also while somebody reads and clears', async () => {
    const runs = ['a', 'b', 'c', 'd'].map((name) => ({ name, run: start(name, 25) }))
    let going = true
    const ended = Promise.all(runs.map(({ run }) => run.ended)).finally(() => (going = false))
    let cleared = 0
    while (going) {
      cleared += await markAllRead(home)
      await readNotifications(home)
      await turn() // neither has to wait for anything when nothing is unread
    }
    expect(await ended).toEqual(runs.map(() => 0))
    cleared += await markAllRead(home)
    expect(cleared).toBe(100)
    for (const { name } of runs) {
      const own = messages().filter((message) => String(message).startsWith(`${name} `))
      expect(own).toEqual(Array.from({ length: 25 }, (_, number) => `${name} ${number}`))
    }
    expect(new Set(stored().map(({ id }) => id)).size).toBe(100)
    expect(home.warnings).toEqual([])
  })

  it('that are killed leave a whole file with all that they had told', async () => {
    const runs = ['a', 'b', 'c'].map((name) => start(name, 150))
    for (const run of runs) {
      await waitFor('a few to be told', () => run.said().split('\n').length > 10)
      run.child.kill('SIGKILL')
    }
    await Promise.all(runs.map(({ ended }) => ended))
    const said = runs.flatMap((run) => run.said().trim().split('\n'))
    expect(messages()).toEqual(expect.arrayContaining(said))
    expect(await notify(home, notice('after'))).toBe(true)
    expect(messages()).toHaveLength(new Set(messages()).size)
    expect(home.warnings).toEqual([])
  })
})
