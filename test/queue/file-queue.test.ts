import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openQueue } from '../../src/queue/file-queue.ts'
import { placesOf } from '../../src/queue/places.ts'
import { createServiceHome, type ServiceHome } from '../helpers/service-home.ts'

let home: ServiceHome
beforeEach(() => {
  home = createServiceHome()
})
afterEach(() => home.cleanup())

const task = (message = 'do it') => ({ issue_ref: 'forge.test/me/app#1', message })
const place = (name: string) => path.join(placesOf(home).items, name)

describe('the queue of files', () => {
  it('keeps what was put in, in order, also when the clock is put back', async () => {
    const queue = openQueue(home)
    const first = await queue.add(task('first'))
    home.clock.now = new Date(home.clock.now.getTime() - 3_600_000)
    const second = await openQueue(home).add(task('second'))
    fs.rmSync(placesOf(home).numbers, { recursive: true })
    const third = await openQueue(home).add(task('third'))
    const { items } = await queue.list()
    expect(items.map(({ message }) => message)).toEqual(['first', 'second', 'third'])
    expect(items).toEqual([first, second, third])
    expect(fs.statSync(place(`${first.id}.json`)).mode & 0o777).toBe(0o600)
  })

  it.each(['never', '-1', '999999999999999', '9999999999999999999', '{}'])(
    'gives ids that rise, whatever the newest number is said to be: %j',
    async (said) => {
      const queue = openQueue(home)
      const first = await queue.add(task('first'))
      fs.writeFileSync(path.join(placesOf(home).numbers, said), '')
      fs.writeFileSync(place('q_999999999999998.json'), '{"state":"pending"}')
      const more = [await queue.add(task()), await queue.add(task()), await queue.add(task())]
      const numbers = [first, ...more].map(({ id }) => Number(id.slice(2)))
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
    },
  )

  it('gives each of many at once an id of its own', async () => {
    const queues = Array.from({ length: 8 }, () => openQueue(home))
    const added = await Promise.all(queues.flatMap((queue) => [1, 2, 3].map(() => queue.add(task()))))
    expect(new Set(added.map(({ id }) => id)).size).toBe(24)
    expect((await openQueue(home).list()).items).toHaveLength(24)
  })

  it('sorts those of the bash tool, whose ids are seconds, among its own', async () => {
    const { id } = await openQueue(home).add(task('new'))
    const seconds = Math.floor(home.clock.now.getTime() / 1000)
    for (const [old, at] of [
      ['older', seconds - 5],
      ['newer', seconds + 5],
    ] as const) {
      fs.writeFileSync(place(`q_${at}.json`), JSON.stringify({ id: `q_${at}`, ...task(old), state: 'pending' }))
    }
    const ids = (await openQueue(home).list()).items.map((item) => item.id)
    expect(ids).toEqual([`q_${seconds - 5}`, id, `q_${seconds + 5}`])
  })

  it('sees what others change, and lets each change see the one before', async () => {
    const [one, other] = [openQueue(home), openQueue(home)]
    const { id } = await one.add(task())
    const more = (queue: typeof one) => queue.change(id, (item) => ({ ...item, priority: item.priority + 1 }))
    await Promise.all([more(one), more(other), more(one), more(other)])
    expect((await one.get(id))?.priority).toBe(4)
    expect((await other.list()).items[0]?.priority).toBe(4)
    expect(await one.change(id, () => undefined)).toMatchObject({ priority: 4 })
    expect(await one.change('q_1', (item) => item)).toBeUndefined()
    expect(await one.change('../../index', (item) => item)).toBeUndefined()
  })

  it('sees a change however often it has looked, also one that leaves time and size alone', async () => {
    const queue = openQueue(home)
    const { id } = await queue.add(task('one'))
    const long = new Date(Date.now() - 60_000)
    fs.utimesSync(place(`${id}.json`), long, long)
    const messages = async () => (await queue.list()).items.map(({ message }) => message)
    for (let look = 0; look < 4; look++) expect(await messages()).toEqual(['one'])
    await openQueue(home).change(id, (item) => ({ ...item, message: 'two' }))
    fs.utimesSync(place(`${id}.json`), long, long)
    expect(await messages()).toEqual(['two'])
    expect((await queue.each(({ message }) => message)).shown).toEqual(['two'])
    fs.rmSync(place(`${id}.json`))
    expect(await messages()).toEqual([])
  })

  it('keeps fields that it does not know', async () => {
    const queue = openQueue(home)
    const { id } = await queue.add(task())
    const file = place(`${id}.json`)
    fs.writeFileSync(file, JSON.stringify({ ...JSON.parse(fs.readFileSync(file, 'utf8')), colour: 'blue' }))
    await queue.change(id, (item) => ({ ...item, state: 'error' }))
    expect(JSON.parse(fs.readFileSync(file, 'utf8'))).toMatchObject({ colour: 'blue', state: 'error' })
  })

  it('removes what may go, and nothing else', async () => {
    const queue = openQueue(home)
    const [one, two] = [await queue.add(task()), await queue.add(task('stay'))]
    expect(await queue.remove([one.id, two.id, 'q_0'], ({ message }) => message !== 'stay')).toEqual([one.id])
    expect((await queue.list()).items.map(({ id }) => id)).toEqual([two.id])
    expect(await queue.get(one.id)).toBeUndefined()
  })

  it('sets aside what is no task, names it once, and goes on with the rest', async () => {
    const queue = openQueue(home)
    const { id } = await queue.add(task())
    const bad = {
      'q_1.json': '',
      'q_2.json': '{"id":"q_2","sta',
      'q_3.json': '\0\0\0\0',
      'q_4.json': `{"id":"${id}","state":"pending"}`,
      'notes.json': '{"state":"pending"}',
      'q_5.json': 'x'.repeat(6_000_000),
    }
    for (const [name, content] of Object.entries(bad)) fs.writeFileSync(place(name), content)
    fs.mkdirSync(place('q_6.json'))
    fs.symlinkSync('/nowhere', place('q_7.json'))
    fs.writeFileSync(place('README'), 'not a task, and none that could be meant for one')
    for (let look = 0; look < 2; look++) {
      expect((await queue.list()).items.map((item) => item.id)).toEqual([id])
      expect(home.warnings).toHaveLength(8)
    }
    for (const [name, content] of Object.entries(bad)) {
      const [kept = ''] = fs.readdirSync(placesOf(home).items).filter((each) => each.startsWith(`${name}.unreadable-`))
      expect(fs.readFileSync(place(kept), 'utf8') === content).toBe(true)
    }
    expect(fs.existsSync(place('README'))).toBe(true)
    await queue.add(task())
    expect((await queue.list()).items).toHaveLength(2)
  })
})
