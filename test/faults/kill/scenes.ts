/** The commands that are killed at each of their steps: what comes before them, and what must be true after it. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { expect } from 'vitest'
import type { Item } from '../../../src/queue/item.ts'
import type { Notification } from '../../../src/activity/notification.ts'
import { runJson, type Finished } from '../../helpers/kugetsu.ts'
import { daemonsOf, killAndWait } from '../../helpers/processes.ts'
import { ref } from '../../helpers/stage.ts'
import { waitFor } from '../../helpers/wait-for.ts'
import { expectTruth, expectWhole, type Role, type World } from './world.ts'

export interface Scene {
  name: string
  /** Whose steps are looked at. */
  role: Role
  /** What is there before. `number` is an issue that nobody has used. */
  before?: (world: World, number: number) => Promise<void>
  /** The command; its message has the word `first-<number>`. */
  command: (world: World, number: number) => string[]
  /** Goes on as a person would, and sees to it that all of it was done, once. */
  after: (world: World, number: number, first: Outcome) => Promise<void>
}

export interface Outcome extends Finished {
  /** Agents that were cut off may have begun a task anew. */
  serverDied: boolean
}

/** Where agents wait that are to be at work. */
export const gate = (number: number) => `gate-${number}`

const first = (number: number) => `first-${number}`
const second = (number: number) => `second-${number}`
const brief = (word: string) => `SAY{{did ${word}}}`
const unsaved = 'written and not committed\n'

/** A task was told once, and begun once for each time that its server died. */
function expectDone(world: World, word: string, { serverDied }: Pick<Outcome, 'serverDied'>): void {
  expect(world.told(word), word).toBe(1)
  expect(world.ran(word), word).toBeGreaterThanOrEqual(1)
  expect(world.ran(word), word).toBeLessThanOrEqual(serverDied ? 2 : 1)
}

/** The same command again: it succeeds at once, or after the agent that the killed one has sent off. */
async function expectGoesOn(world: World, number: number, outcome: Outcome, again: string[]): Promise<void> {
  expectTruth(outcome)
  const state = await world.stateOf(number)
  if (state === 'running' || state === 'starting' || state === 'interrupted') await world.kugetsu(['wait', ref(number)])
  const told = world.told(first(number))
  expect(told).toBeLessThanOrEqual(1)
  // A server that dies the moment it has accepted a prompt can have lost it: the run says so then.
  if (outcome.code === 0 && told === 0) expect(await world.stateOf(number)).toBe('error')
  if (told === 1) expectDone(world, first(number), outcome)
  else expect(world.ran(first(number))).toBe(0)
  await world.ok([...again, brief(second(number)), '--wait'])
  expect(world.told(second(number))).toBe(1)
  expectWhole(world, number)
  expect(await world.stateOf(number)).toBe('idle')
}

async function done(world: World, number: number): Promise<void> {
  await world.ok(['start', ref(number), `SAY{{nothing to do for ${number}}}`, '--wait'])
}

/** A worktree with a commit, a change in the index and a file that git does not know. */
async function atRisk(world: World, number: number): Promise<void> {
  await world.ok(['start', ref(number), world.task(`work-${number}`), '--wait'])
  const write = (name: string) => fs.writeFileSync(path.join(world.worktree(number), name), unsaved)
  write('README.md')
  world.inWorktree(number, 'add', 'README.md')
  write('unknown.txt')
}

function expectWork(world: World, number: number, directory = world.worktree(number)): void {
  const read = (name: string) => fs.readFileSync(path.join(directory, name), 'utf8')
  expect(read(`work-${number}.txt`)).toBe(`work-${number}\n`)
  expect(read('README.md')).toBe(unsaved)
  expect(read('unknown.txt')).toBe(unsaved)
  expect(world.inWorktree(number, 'diff', '--cached', '--name-only')).toBe('README.md')
}

/** Nothing is known of the issue any more, and it can be begun anew. */
function expectGone(world: World, number: number): void {
  expect(fs.existsSync(world.worktree(number))).toBe(false)
  expect(world.file(number)).toBeUndefined()
  expect(fs.readdirSync(world.at('worktrees')).filter((name) => name.startsWith('.'))).toEqual([])
}

/** Once more, by a person who saw nothing of the first: it does it, or says that there is nothing left to do. */
async function again(world: World, args: string[], nothingLeft: RegExp): Promise<void> {
  const { code, stderr } = await world.kugetsu(args)
  if (code !== 0) expect(stderr).toMatch(nothingLeft)
}

async function enqueued(world: World, number: number, word: string): Promise<Item> {
  return JSON.parse(await world.ok(['queue', 'enqueue', ref(number), world.task(word), '--json'])) as Item
}

async function expectCompleted(world: World, ids: string[]): Promise<void> {
  await waitFor(`the end of ${ids.join(' and ')}`, async () => {
    // Killed later than the last command: then it takes another one, as always.
    if (daemonsOf(world.home.root).length === 0) await world.ok(['queue-daemon', 'start'])
    return world.isIdle()
  })
  for (const item of world.items().filter(({ id }) => ids.includes(id))) {
    expect(item, JSON.stringify(item)).toMatchObject({ state: 'completed', error: null })
    expect(item.attempts.filter(({ outcome }) => outcome === 'failed')).toEqual([])
  }
}

/** That it was queued is told once of each of these tasks, before all else that is told of them. */
async function expectQueuedTold(world: World, ids: string[]): Promise<void> {
  const told = (await runJson<Notification[]>(world.home, ['notify', 'list', '--all', '--json'])).json
  for (const id of ids) {
    const types = told.filter(({ queue_item }) => queue_item === id).map(({ type }) => type)
    expect(types[0], id).toBe('task_queued')
    expect(types.filter((type) => type === 'task_queued')).toHaveLength(1)
  }
  expect(new Set(told.map(({ id }) => id)).size).toBe(told.length)
}

function itemsOf(world: World, word: string): Item[] {
  return world.items().filter(({ message }) => message.includes(`did ${word}}}`))
}

async function endServer(world: World): Promise<void> {
  const pid = world.server()?.pid
  if (pid !== undefined) await killAndWait(-pid)
}

async function endDaemon(world: World): Promise<void> {
  const [daemon] = daemonsOf(world.home.root)
  if (daemon !== undefined) await killAndWait(daemon.pid)
}

export const scenes: Scene[] = [
  {
    name: 'start',
    role: 'command',
    command: (world, number) => ['start', ref(number), world.task(first(number))],
    after: (world, number, outcome) => expectGoesOn(world, number, outcome, ['start', ref(number)]),
  },
  {
    name: 'start without server, daemon and mirror',
    role: 'command',
    before: async (world, number) => {
      await endDaemon(world)
      await endServer(world)
      // So that the next one has to be asked whose models it can use.
      fs.rmSync(world.at('opencode', 'providers.json'), { force: true })
      world.git.createRepository(`me/other${number}`)
    },
    command: (world, number) => ['start', `forge.test/me/other${number}#1`, world.task(first(number))],
    after: async (world, number, outcome) => {
      expectTruth(outcome)
      const other = `forge.test/me/other${number}#1`
      await world.kugetsu(['wait', other])
      await world.ok(['start', other, brief(second(number)), '--wait'])
      expect(world.told(second(number))).toBe(1)
      expect(world.told(first(number))).toBeLessThanOrEqual(1)
      expect(world.ran(first(number))).toBe(world.told(first(number)))
      await world.ok(['destroy', other, '--force', '-y'])
      expect(fs.readdirSync(world.at('repos', 'forge.test', 'me')).filter((name) => name.startsWith('.'))).toEqual([])
    },
  },
  {
    name: 'continue',
    role: 'command',
    before: done,
    command: (world, number) => ['continue', ref(number), world.task(first(number))],
    after: (world, number, outcome) => expectGoesOn(world, number, outcome, ['continue', ref(number)]),
  },
  {
    name: 'continue an agent at work',
    role: 'command',
    before: async (world, number) => {
      await world.ok(['start', ref(number), `RESUMES! GATE=${gate(number)} SAY{{did work-${number}}}`])
      await world.model.turn(`did work-${number}`)
    },
    command: (world, number) => ['continue', ref(number), world.task(first(number))],
    after: async (world, number, outcome) => {
      world.model.release(gate(number))
      expect(world.told(`work-${number}`)).toBe(1)
      await expectGoesOn(world, number, outcome, ['continue', ref(number)])
    },
  },
  {
    name: 'start --fresh',
    role: 'command',
    before: atRisk,
    command: (world, number) => ['start', ref(number), world.task(first(number)), '--fresh'],
    after: async (world, number, outcome) => {
      await expectGoesOn(world, number, outcome, ['start', ref(number), '--fresh'])
      const points = JSON.parse(await world.ok(['recover', '--json'])) as { id: string; issue_ref: string }[]
      // Saved by the command that was killed and by the one after, within the second, it is the same commit.
      const mine = new Set(points.filter(({ issue_ref }) => issue_ref === ref(number)).map(({ id }) => id))
      const places = await Promise.all(
        [...mine].map(async (id) => {
          const place = path.join(world.home.root, `${id}-${number}`)
          await world.ok(['recover', id, '--to', place])
          return place
        }),
      )
      const isMine = (place: string) => fs.existsSync(path.join(place, 'unknown.txt'))
      expect(places.filter(isMine).length).toBeGreaterThan(0)
    },
  },
  {
    name: 'stop',
    role: 'command',
    before: async (world, number) => {
      await world.ok(['start', ref(number), `GATE=${gate(number)} SAY{{did work-${number}}}`])
      await world.model.turn(`did work-${number}`)
    },
    command: (_, number) => ['stop', ref(number)],
    after: async (world, number, outcome) => {
      expectTruth(outcome)
      await again(world, ['stop', ref(number)], /no agent is at work/)
      world.model.release(gate(number))
      expect(await world.stateOf(number)).toBe('idle')
      expect(world.slots()).toEqual([])
      await world.ok(['start', ref(number), brief(second(number)), '--wait'])
    },
  },
  {
    name: 'destroy',
    role: 'command',
    before: done,
    command: (_, number) => ['destroy', ref(number), '-y'],
    after: async (world, number, outcome) => {
      expectTruth(outcome)
      await again(world, ['destroy', ref(number), '-y'], /no session/)
      expectGone(world, number)
      await world.ok(['start', ref(number), brief(second(number)), '--wait'])
      expectWhole(world, number)
    },
  },
  {
    name: 'destroy --force',
    role: 'command',
    before: atRisk,
    command: (_, number) => ['destroy', ref(number), '--force', '-y'],
    after: async (world, number, outcome) => {
      expectTruth(outcome)
      await again(world, ['destroy', ref(number), '--force', '-y'], /no session/)
      expectGone(world, number)
      await world.ok(['recover', ref(number)])
      expectWork(world, number)
    },
  },
  {
    name: 'recover',
    role: 'command',
    before: async (world, number) => {
      await atRisk(world, number)
      await world.ok(['destroy', ref(number), '--force', '-y'])
    },
    command: (_, number) => ['recover', ref(number)],
    after: async (world, number, outcome) => {
      expectTruth(outcome)
      await again(world, ['recover', ref(number)], /has a worktree/)
      expectWork(world, number)
      await world.ok(['start', ref(number), brief(second(number)), '--wait'])
    },
  },
  {
    name: 'prune --force',
    role: 'command',
    before: async (world, number) => {
      await done(world, number)
      const index = JSON.parse(fs.readFileSync(world.at('index.json'), 'utf8')) as { issues: Record<string, string> }
      delete index.issues[ref(number)]
      fs.writeFileSync(world.at('index.json'), JSON.stringify(index))
    },
    command: () => ['prune', '--force'],
    after: async (world, number, outcome) => {
      expectTruth(outcome)
      await world.ok(['prune', '--force'])
      expectGone(world, number)
      await world.ok(['start', ref(number), brief(second(number)), '--wait'])
      expectWhole(world, number)
    },
  },
  {
    name: 'queue enqueue',
    role: 'command',
    before: async (world) => void (await world.ok(['queue-daemon', 'start'])),
    command: (world, number) => ['queue', 'enqueue', ref(number), world.task(first(number))],
    after: async (world, number, outcome) => {
      expectTruth(outcome)
      const items = itemsOf(world, first(number))
      expect(items.length).toBeLessThanOrEqual(1)
      if (outcome.code === 0) expect(items).toHaveLength(1)
      const next = await enqueued(world, number, second(number))
      await expectCompleted(world, [...items.map(({ id }) => id), next.id])
      await expectQueuedTold(world, outcome.code === 0 ? [...items.map(({ id }) => id), next.id] : [next.id])
      if (items.length === 1) expectDone(world, first(number), outcome)
      else expect(world.told(first(number)) + world.ran(first(number))).toBe(0)
      expectDone(world, second(number), { serverDied: false })
      expectWhole(world, number)
    },
  },
  {
    name: 'dispatch and settle',
    role: 'daemon',
    before: async (world) => void (await world.ok(['queue-daemon', 'start'])),
    command: (world, number) => ['queue', 'enqueue', ref(number), world.task(first(number))],
    after: async (world, number, outcome) => {
      const [item] = itemsOf(world, first(number))
      expect(item).toBeDefined()
      // Nobody knows that the daemon is gone: the next task has to be enough.
      const next = await enqueued(world, number, second(number))
      await expectCompleted(world, [item?.id ?? '', next.id])
      await expectQueuedTold(world, [item?.id ?? '', next.id])
      expectDone(world, first(number), outcome)
      expectDone(world, second(number), outcome)
      expectWhole(world, number)
    },
  },
  {
    name: 'the daemon begins and ends',
    role: 'daemon',
    before: async (world) => {
      await world.ok(['queue-daemon', 'stop'])
      await endServer(world)
    },
    command: () => ['queue-daemon', 'start'],
    after: async (world, number) => {
      await world.ok(['queue-daemon', 'start'])
      const item = await enqueued(world, number, first(number))
      await expectCompleted(world, [item.id])
      expectDone(world, first(number), { serverDied: false })
    },
  },
]
