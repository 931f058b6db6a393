/** Commands of every kind on a few issues, and at a random moment of each somebody is killed: whoever it hits. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Item } from '../../src/queue/item.ts'
import { spawnKugetsu } from '../helpers/kugetsu.ts'
import { killQuietly, leftovers } from '../helpers/processes.ts'
import { createRandom } from '../helpers/random.ts'
import { ref } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'
import { factor, seed } from './bounds.ts'
import { createWorld, expectSound, expectTruth, limit, type World } from './kill/world.ts'

const rounds = Math.ceil(12 * factor)
const issues = [1, 2, 3]
const longestDelayMs = 900

let world: World
beforeAll(async () => {
  world = await createWorld()
  await world.ok(['queue-daemon', 'start'])
})
afterAll(() => world.cleanup())

const commands: Record<string, (issue: number, word: string) => string[]> = {
  start: (issue, word) => ['start', ref(issue), world.task(word)],
  continue: (issue, word) => ['continue', ref(issue), world.task(word)],
  enqueue: (issue, word) => ['queue', 'enqueue', ref(issue), world.task(word), '--json'],
  stop: (issue) => ['stop', ref(issue)],
  destroy: (issue) => ['destroy', ref(issue), '--force', '-y'],
  prune: () => ['prune', '--force'],
}

/** Who can be hit; the command itself besides. */
const victims: Record<string, RegExp> = {
  daemon: / supervise$/,
  server: / serve --hostname /,
  git: /^git /,
}

it(
  `survives ${rounds} kills at random moments`,
  async () => {
    const random = createRandom(seed)
    const story: string[] = []
    const accepted: string[] = []
    const words: string[] = []
    const about = () => `seed ${seed}: ${story.join('; ')}`
    for (let round = 0; round < rounds; round++) {
      const issue = random.pick(issues)
      const name = random.pick(Object.keys(commands))
      const victim = random.pick(['command', 'command', ...Object.keys(victims)])
      const word = `random-${round}`
      words.push(word)
      const running = spawnKugetsu(world.home, commands[name]?.(issue, word) ?? [])
      await Promise.race([sleep(random.below(longestDelayMs)), running.finished])
      if (victim === 'command') killQuietly(running.pid)
      else {
        const hit = leftovers(world.home.root).filter(({ command }) => victims[victim]?.test(command))
        for (const { pid } of hit) killQuietly(victim === 'server' ? -pid : pid)
      }
      const finished = await running.finished
      story.push(`${name} ${issue}, ${victim} killed: ${finished.code}`)
      expectTruth(finished)
      if (name === 'enqueue' && finished.code === 0) accepted.push((JSON.parse(finished.stdout) as Item).id)
      await world.ok(['list'])
      expect(world.model.peakConversations(), about()).toBeLessThanOrEqual(limit)
      for (const each of words) expect(world.told(each), `${each}, ${about()}`).toBeLessThanOrEqual(1)
    }
    await world.ok(['queue-daemon', 'start'])
    await waitFor('the end of the tasks', world.isIdle)
    const ids = world.items().map(({ id }) => id)
    for (const id of accepted) expect(ids, about()).toContain(id)
    expect(world.items().filter(({ state, error }) => state === 'error' && !error)).toEqual([])
    await waitFor(
      'the agents',
      async () => (await world.kugetsu(['wait', ...issues.filter(isAtWork).map(ref)])) && world.slots().length === 0,
    )
    await expectSound(world)
    for (const issue of issues) {
      await world.ok(['start', ref(issue), `SAY{{did last-${issue}}}`, '--wait'])
      expect(world.told(`last-${issue}`), about()).toBe(1)
      expect(world.inWorktree(issue, 'worktree', 'list', '--porcelain'), about()).not.toContain('locked')
    }
    await expectSound(world)
  },
  240_000 + 30_000 * rounds,
)

function isAtWork(issue: number): boolean {
  return Boolean(world.file(issue)?.['run'])
}
