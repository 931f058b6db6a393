import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import * as fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Notice } from '../../src/activity/notification.ts'
import {
  addNotifications,
  countUnread,
  markAllRead,
  notify,
  notifyNew,
  readNotifications,
} from '../../src/activity/notifications.ts'
import { tryExclusive } from '../../src/platform/locks.ts'
import { buildProgram, type Program } from '../helpers/programs.ts'
import { createServiceHome, type ServiceHome } from '../helpers/service-home.ts'
import { waitFor } from '../helpers/wait-for.ts'

const canLimit = fs.existsSync('/usr/bin/prlimit')
let home: ServiceHome
beforeEach(() => {
  home = createServiceHome()
})
afterEach(() => home.cleanup())

const notice = (message: string, more: Partial<Notice> = {}): Notice => ({
  id: `event_${message.slice(0, 50)}`,
  type: 'task_completed',
  issue_ref: 'forge.test/me/app#1',
  message,
  ...more,
})
const log = () => home.paths.activity
/** Without empty ones: a writer that sees another's line half written begins a new line, which leaves one empty. */
const lines = () => fs.readFileSync(log(), 'utf8').split('\n').filter(Boolean)
const stored = () => lines().map((line) => JSON.parse(line) as Record<string, unknown>)
const told = () => readNotifications(home)
const messages = () => told().map(({ message }) => message)
const names = () => fs.readdirSync(home.paths.home).sort()
const setAside = () => names().filter((name) => name.includes('.unreadable-'))

describe('notifications', () => {
  it('are lines of the log, newest last, for their owner alone', () => {
    expect(told()).toEqual([])
    expect(names()).toEqual([])
    expect(notify(home, notice('first', { id: 'event', queue_item: 'q_1' }))).toBe(true)
    expect(notify(home, notice('second', { issue_ref: null }), notice('third'))).toBe(true)
    const [first, second, third] = stored()
    expect(first).toEqual({
      id: 'event',
      timestamp: '2026-05-01T12:00:00.000Z',
      type: 'task_completed',
      message: 'first',
      issue_ref: 'forge.test/me/app#1',
      queue_item: 'q_1',
      read: false,
    })
    expect(second).toMatchObject({ message: 'second', issue_ref: null })
    expect(second).not.toHaveProperty('queue_item')
    expect(third).toMatchObject({ message: 'third' })
    expect(told()).toEqual(stored())
    expect(fs.statSync(log()).mode & 0o777).toBe(0o600)
  })

  it('of one event are one, whoever tells it', () => {
    for (const word of ['once', 'twice']) notify(home, notice(word, { id: 'event' }), notice(`and ${word}`))
    expect(stored()).toHaveLength(3)
    notifyNew(home, notice('thrice', { id: 'event' }))
    expect(messages()).toEqual(['once', 'and once', 'and twice'])
  })

  it('need no lock and no other file', () => {
    const release = tryExclusive(home.paths.lock('activity'))
    expect(notifyNew(home, notice('one'))).toBe(true)
    expect(notify(home, notice('two'))).toBe(true)
    expect(messages()).toEqual(['one', 'two'])
    expect(countUnread(home)).toBe(2)
    release?.()
    expect(names()).toEqual(['activity.jsonl', 'locks'])
  })

  it('are marked as read, those that come later are not', async () => {
    expect(await markAllRead(home)).toBe(0)
    expect(fs.existsSync(home.paths.locks)).toBe(false)
    notify(home, notice('one'), notice('two'))
    expect(countUnread(home)).toBe(2)
    expect(await markAllRead(home)).toBe(2)
    expect(await markAllRead(home)).toBe(0)
    notify(home, notice('three'))
    expect(countUnread(home)).toBe(1)
    expect(told().map(({ read }) => read)).toEqual([true, true, false])
    expect(await markAllRead(home)).toBe(1)
    notify(home, notice('again', { id: 'event_one' }))
    notifyNew(home, notice('again', { id: 'event_two' }))
    expect(countUnread(home)).toBe(0)
  })

  it('are no more than 500, and reading of them never brings an older one back', async () => {
    for (let number = 0; number < 620; number++) notifyNew(home, notice(`${number}`))
    expect(countUnread(home)).toBe(500)
    expect(messages()).toHaveLength(500)
    expect(messages()[0]).toBe('120')
    expect(messages().at(-1)).toBe('619')
    expect(await markAllRead(home)).toBe(500)
    expect(countUnread(home)).toBe(0)
    expect(told().every(({ read }) => read)).toBe(true)
    notify(home, notice('new'))
    expect(messages()).toHaveLength(500)
    expect(countUnread(home)).toBe(1)
  })

  it('keep what a later version may say more of them', async () => {
    notify(home, notice('one'))
    const said = { ...stored()[0], colour: 'blue' }
    fs.writeFileSync(log(), `${JSON.stringify(said)}\n`)
    fs.writeFileSync(home.paths.activityRead, '{"read":[],"device":"phone"}')
    expect(told()).toEqual([said])
    await markAllRead(home)
    expect(told()).toEqual([{ ...said, read: true }])
    expect(JSON.parse(fs.readFileSync(home.paths.activityRead, 'utf8'))).toMatchObject({ device: 'phone' })
  })

  it('are, of any telling and reading, what a list in memory would say', async () => {
    const step = fc.oneof(
      fc.record({
        ids: fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 4 }),
        isNew: fc.boolean(),
      }),
      fc.constant('read' as const),
      fc.constant('rotate' as const),
      fc.constant('torn' as const),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        for (const name of names()) fs.rmSync(path.join(home.paths.home, name), { recursive: true })
        const wanted = new Map<string, boolean>()
        const unread = () => [...wanted.values()].filter((read) => !read).length
        const marked: number[][] = []
        let rotated = false
        for (const step of steps) {
          if (step === 'torn') fs.appendFileSync(log(), '{"id":"event_0","ty')
          else if (step === 'rotate') {
            // A second time would take what is in the older part.
            if (!rotated && fs.existsSync(log())) fs.renameSync(log(), `${log()}.1`)
            rotated = true
          } else if (step === 'read') {
            marked.push([await markAllRead(home), unread()])
            for (const id of wanted.keys()) wanted.set(id, true)
          } else {
            for (const id of step.ids) {
              if (!wanted.has(`event_${id}`)) wanted.set(`event_${id}`, false)
              if (step.isNew) notifyNew(home, notice(`${id}`))
            }
            if (!step.isNew) notify(home, ...step.ids.map((id) => notice(`${id}`)))
          }
          expect(countUnread(home)).toBe(unread())
        }
        expect(told().map(({ id, read }) => [id, read])).toEqual([...wanted])
        for (const [found, counted] of marked) expect(found).toBe(counted)
      }),
      { numRuns: 100 },
    )
  })
})

describe('the text of a notification', () => {
  const token = 'tok_0123456789'
  beforeEach(() => {
    fs.mkdirSync(home.paths.env)
    fs.writeFileSync(path.join(home.paths.env, 'dev.env'), `export FORGE_TOKEN="${token}"\n`)
  })

  it('is one line of bounded length without secrets, not even the beginning of one', () => {
    notify(home, notice(`\u001b[31mdone\u001b[0m\n\n  pushed\twith ${token}\u0007`, { id: 'one' }))
    notifyNew(home, notice(`${'x'.repeat(490)} ${token}`, { id: 'two' }))
    const [first, second] = messages()
    expect(first).toBe('done pushed with ***MASKED***␇')
    expect(second).toHaveLength(500)
    expect(fs.readFileSync(log(), 'utf8')).not.toContain('tok_')
    notify(home, notice('y'.repeat(1_000_000)))
    expect(messages()[2]).toHaveLength(500)
  })

  it('does not wait for env files that cannot be read', () => {
    fs.mkdirSync(path.join(home.paths.env, 'default.env'))
    expect(notify(home, notice(`with ${token}`))).toBe(true)
    expect(messages()).toEqual(['with ***MASKED***']) // by the other files
  })

  it('says so for a task that has none of its own', () => {
    notify(home, notice(' '))
    expect(messages()).toEqual(['(the standard message)'])
  })
})

describe('a log that is spoiled', () => {
  it('by a line that was cut off at any byte loses that line alone', () => {
    notify(home, notice('before "{"id":"x\\'))
    const before = fs.readFileSync(log())
    notify(home, notice('cut off'))
    const whole = fs.readFileSync(log())
    for (let length = before.length; length <= whole.length; length++) {
      fs.writeFileSync(log(), whole.subarray(0, length))
      const isWhole = length >= whole.length - 1
      expect(messages()).toEqual(isWhole ? ['before "{"id":"x\\', 'cut off'] : ['before "{"id":"x\\'])
      expect(notifyNew(home, notice('after'))).toBe(true)
      expect(notify(home, notice('told anew', { id: 'event_cut off' }))).toBe(true)
      const rest = isWhole ? ['cut off', 'after'] : ['after', 'told anew']
      expect(messages(), `cut at ${length}`).toEqual(['before "{"id":"x\\', ...rest])
    }
  })

  const put = {
    'half a line': Buffer.from('{"id":"x","ty'),
    zeros: Buffer.alloc(700),
    'bytes that are no text': Buffer.from([0xff, 0xfe, 0x00, 0x0d]),
    'JSON of another kind': Buffer.from('[1,2]\n{"type":"task_queued"}\n{"id":"a","message":7}'),
  }
  it.each(Object.entries(put))('(%s) is named until what is there is marked as read, and kept', async (_, bytes) => {
    notify(home, notice('before'))
    fs.appendFileSync(log(), bytes)
    notify(home, notice('after'))
    expect(countUnread(home)).toBe(2)
    expect(home.warnings).toEqual([])
    expect(messages()).toEqual(['before', 'after'])
    const found = bytes.toString().split('\n').length
    const named = `${found === 1 ? '1 line' : `${found} lines`} of ${log()} cannot be understood`
    expect(home.warnings).toEqual([named])
    await markAllRead(home)
    expect(home.warnings).toEqual([named, named])
    expect(messages()).toEqual(['before', 'after'])
    expect(home.warnings).toHaveLength(2)
    expect(fs.readFileSync(log()).includes(bytes)).toBe(true)
  })

  it.each([
    ['a directory', (file: string) => fs.mkdirSync(file)],
    ['a link to nowhere', (file: string) => fs.symlinkSync('nowhere', file)],
    ['a link to itself', (file: string) => fs.symlinkSync('activity.jsonl', file)],
  ])('(%s in its place) is set aside by who tells something', (_, make) => {
    make(log())
    expect(countUnread(home)).toBe(0)
    expect(told()).toEqual([])
    expect(notifyNew(home, notice('new'))).toBe(true)
    expect(messages()).toEqual(['new'])
    expect(setAside()).toHaveLength(1)
  })

  it('(far too large) is named and set aside', () => {
    fs.writeFileSync(log(), '')
    fs.truncateSync(log(), 100_000_000)
    expect(told()).toEqual([])
    expect(home.warnings).toEqual([`cannot understand ${log()}: it has 100 MB`])
    expect(notifyNew(home, notice('new'))).toBe(true)
    expect(messages()).toEqual(['new'])
    expect(setAside()).toHaveLength(1)
  })
})

describe('the marks of what was read', () => {
  it.each([
    ['empty', (file: string) => fs.writeFileSync(file, '')],
    ['cut off', (file: string) => fs.writeFileSync(file, '{"read":["event_o')],
    ['of another kind', (file: string) => fs.writeFileSync(file, '{"read":[1]}')],
    ['a directory', (file: string) => fs.mkdirSync(file)],
  ])('(%s) are set aside and named: all is unread then', async (_, make) => {
    notify(home, notice('one'))
    expect(await markAllRead(home)).toBe(1)
    fs.rmSync(home.paths.activityRead)
    make(home.paths.activityRead)
    expect(countUnread(home)).toBe(1)
    expect(setAside()).toEqual([])
    expect(await markAllRead(home)).toBe(1)
    expect(countUnread(home)).toBe(0)
    const [kept] = setAside()
    expect(home.warnings).toEqual([`${home.paths.activityRead} cannot be understood and was kept as ${kept}`])
  })

  it('are made once by several callers at once', async () => {
    notify(home, notice('one'), notice('two'))
    const counts = await Promise.all([1, 2, 3].map(() => markAllRead(home)))
    expect(counts.toSorted()).toEqual([0, 0, 2])
  })
})

it('a notification that cannot be written is warned of and no error', () => {
  home.paths = { ...home.paths, activity: path.join(home.paths.home, 'file', 'below') }
  fs.writeFileSync(path.join(home.paths.home, 'file'), '')
  expect(notify(home, notice('lost', { issue_ref: null }))).toBe(false)
  expect(notifyNew(home, notice('lost', { type: 'task_queued' }))).toBe(false)
  expect(home.warnings).toEqual([
    expect.stringMatching(/^no notification of task_completed pm-agent: cannot write /),
    expect.stringMatching(/^no notification of task_queued forge\.test\/me\/app#1: cannot write /),
  ])
  expect(() => addNotifications(home, [notice('lost')])).toThrow('cannot write')
})

describe('many writers', () => {
  let notifier: Program
  beforeAll(async () => {
    notifier = await buildProgram('notifier')
  })
  afterAll(() => notifier.remove())

  const start = (name: string, times: number, more: { isNew?: boolean; length?: number } = {}) =>
    notifier.start({ home: home.paths.home, name, times, ...more })
  const ownOf = (name: string, all = messages()) => all.filter((message) => message?.startsWith(`${name} `))

  it('lose nothing, also while somebody reads and clears', async () => {
    const runs = ['a', 'b', 'c', 'd'].map((name) => ({ name, run: start(name, 100, { isNew: name !== 'd' }) }))
    let going = true
    const ended = Promise.all(runs.map(({ run }) => run.ended)).finally(() => (going = false))
    let cleared = 0
    while (going) {
      cleared += await markAllRead(home)
      readNotifications(home)
      await turn() // neither has to wait for anything when nothing is unread
    }
    expect(await ended).toEqual(runs.map(() => 0))
    cleared += await markAllRead(home)
    expect(cleared).toBe(400)
    expect(stored()).toHaveLength(400)
    for (const { name } of runs) expect(ownOf(name)).toEqual(Array.from({ length: 100 }, (_, at) => `${name} ${at}`))
    expect(home.warnings).toEqual([])
  })

  it('lose nothing while the log is moved away for its size', async () => {
    const runs = ['a', 'b', 'c'].map((name) => start(name, 4000, { isNew: true, length: 500 }))
    let most = 0
    let going = true
    const ended = Promise.all(runs.map((run) => run.ended)).finally(() => (going = false))
    while (going) {
      const count = messages().length
      expect(count).toBeGreaterThanOrEqual(Math.min(most, 500))
      most = Math.max(most, count)
      await turn()
    }
    expect(await ended).toEqual([0, 0, 0])
    expect(names()).toEqual(['activity.jsonl', 'activity.jsonl.1', 'locks'])
    expect(fs.statSync(`${log()}.1`).size).toBeLessThan(1_600_000)
    const all = [`${log()}.1`, log()].flatMap((file) => fs.readFileSync(file, 'utf8').split('\n').filter(Boolean))
    const ids = all.map((line) => (JSON.parse(line) as { id: string }).id)
    expect(ids.length).toBeGreaterThan(2000)
    // Of each writer all from one number on, in their order.
    for (const name of ['a', 'b', 'c']) {
      const own = ids.filter((id) => id.startsWith(`${name}_`))
      expect(own).toEqual(Array.from({ length: own.length }, (_, at) => `${name}_${4000 - own.length + at}`))
    }
    expect(messages()).toHaveLength(500)
    expect(home.warnings).toEqual([])
  })

  it.skipIf(!canLimit)('that find the disk full in the middle of a line lose that line alone, and say so', async () => {
    for (const room of [1, 40, 80, 119, 120, 121, 122]) {
      const run = start(`w${room}`, 100_000, { isNew: room % 2 === 0 })
      await waitFor('a few to be told', () => run.said().split('\n').length > 10)
      const limit = fs.statSync(log()).size + 5_000 + room
      execFileSync('prlimit', ['--pid', String(run.pid), `--fsize=${limit}`])
      expect(await run.ended).toBe(1)
      expect(run.said()).toMatch(/EFBIG|only \d+ of \d+ bytes/)
      const said = run
        .said()
        .split('\n')
        .filter((line) => line.startsWith(`w${room} `))
      expect(notify(home, notice(`after ${room}`))).toBe(true)
      const found = new Set(messages())
      for (const message of said.slice(-100)) expect(found).toContain(message)
      expect(messages().at(-1)).toBe(`after ${room}`)
      // The one that was cut off can be told again.
      expect(notify(home, notice('again', { id: `w${room}_${said.length}` }))).toBe(true)
      expect(messages().at(-1)).toBe('again')
    }
  })

  it('that are killed leave all that they had told, and nothing half', async () => {
    const runs = ['a', 'b', 'c'].map((name) => start(name, 100_000, { isNew: name !== 'c' }))
    for (const run of runs) {
      await waitFor('a few to be told', () => run.said().split('\n').length > 10)
      run.child.kill('SIGKILL')
    }
    await Promise.all(runs.map(({ ended }) => ended))
    const all = [`${log()}.1`, log()]
      .filter((file) => fs.existsSync(file))
      .flatMap((file) => fs.readFileSync(file, 'utf8').split('\n').filter(Boolean))
    const found = new Set(all.map((line) => (JSON.parse(line) as { message: string }).message))
    for (const run of runs) for (const said of run.said().trim().split('\n')) expect(found).toContain(said)
    expect(notify(home, notice('after'))).toBe(true)
    expect(messages().at(-1)).toBe('after')
    expect(messages()).toHaveLength(new Set(messages()).size)
    expect(home.warnings).toEqual([])
  })
})
