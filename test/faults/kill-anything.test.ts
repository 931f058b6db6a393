/**
 * Every command killed at its steps, and the daemon, the server and git with it: see kill/points.ts for the steps and
 * kill/scenes.ts for what must be true then. Real opencode, real git, and a limit of one agent.
 */
import * as fs from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { leftovers } from '../helpers/processes.ts'
import { ref } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'
import { factor, seed } from './bounds.ts'
import { chooseCases, type Case } from './kill/cases.ts'
import { points, pointsFor, pointsOf } from './kill/points.ts'
import { gate, scenes, type Scene } from './kill/scenes.ts'
import { createWorld, expectSound, type World } from './kill/world.ts'

const budget = Math.ceil(22 * factor)
const longestMs = 60_000 + 60_000 * budget

let world: World
let number = 0
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.cleanup())

const recorded = new Map<Scene, string[]>()

it.each(scenes)('knows all steps of: $name', async (scene) => {
  number += 1
  await scene.before?.(world, number)
  world.steps()
  expect((await world.kugetsu(scene.command(world, number))).stderr).not.toMatch(/error/i)
  const seen = scene.role === 'command' ? world.steps() : []
  world.model.release(gate(number))
  if (world.file(number)?.['run']) await world.kugetsu(['wait', ref(number)])
  await waitFor('the tasks', world.isIdle)
  seen.push(...world.steps())
  const steps = seen.filter(({ role }) => role === scene.role).map(({ step }) => step)
  recorded.set(scene, steps)
  for (const step of new Set(steps)) expect(pointsOf(step), `the points of "${step}"`).toHaveLength(1)
  await tidy()
})

it('has no point that is never reached', () => {
  const reached = new Set([...recorded.values()].flat().flatMap(pointsOf))
  expect(pointsFor(world.look().kind).filter((name) => !reached.has(name))).toEqual([])
})

it('has the points that docs/reliability.md names', () => {
  const text = fs.readFileSync(new URL('../../docs/reliability.md', import.meta.url), 'utf8')
  const [table = ''] = /^\| command \| fault points \|\n[^]*?\n\n/m.exec(text) ?? []
  const named = table
    .split('\n')
    .slice(2)
    .flatMap((line) => line.split('|')[2]?.trim().split(', ') ?? [])
  expect(named.sort()).toEqual(Object.keys(points).sort())
})

/** Chosen once all steps are known. */
let cases: Case[] | undefined
const tried: Case[] = []

// They take ten minutes: not in every `npm test`, but by `npm run test:faults -- 2 kill-anything`.
it.skipIf(factor < 2).each(scenes)(
  'killed, leaves nothing in the way: $name',
  async (scene) => {
    cases ??= chooseCases(recorded, budget, seed)
    const failures: string[] = []
    for (const each of cases.filter((chosen) => chosen.scene === scene)) {
      number += 1
      try {
        if (await isSurvived(each)) tried.push(each)
        else if (each.trap.nth === 1) failures.push(`${describeCase(each)}: was not reached`)
      } catch (error) {
        failures.push(`${describeCase(each)}: ${String(error)}\n${daemonLog()}`)
        console.error(failures.at(-1)) // at once: there may be many more to come
        await world.cleanup()
        world = await createWorld()
      }
    }
    expect(failures, `seed ${seed}`).toEqual([])
  },
  longestMs,
)

it.skipIf(factor < 2)('has tried every point', () => {
  console.log(`${tried.length} kills at ${new Set(tried.map(({ trap }) => trap.step)).size} kinds of steps`)
  const hit = new Set(tried.flatMap(({ trap }) => pointsOf(trap.step)))
  expect(pointsFor(world.look().kind).filter((name) => !hit.has(name))).toEqual([])
})

it('leaves no process behind', async () => {
  await world.cleanup()
  expect(leftovers(world.home.root)).toEqual([])
})

async function isSurvived({ scene, trap }: Case): Promise<boolean> {
  await scene.before?.(world, number)
  world.set(trap)
  const outcome = await world.kugetsu(scene.command(world, number))
  if (scene.role === 'command') world.disarm()
  await scene.after(world, number, { ...outcome, serverDied: trap.kill.includes('server') })
  world.disarm()
  await tidy()
  return world.sprung()
}

/** What is left is sound, and kugetsu removes it. */
async function tidy(): Promise<void> {
  await expectSound(world)
  if (world.file(number) !== undefined) await world.ok(['destroy', ref(number), '--force', '-y'])
}

function describeCase({ scene, trap }: Case): string {
  return `#${number} ${scene.name}: ${trap.kill.join(' and ')} ${trap.when} "${trap.step}" (${trap.nth}., ${trap.delayMs ?? 0} ms)`
}

function daemonLog(): string {
  const log = world.at('queue', 'daemon.log')
  return fs.existsSync(log) ? fs.readFileSync(log, 'utf8').split('\n').slice(-12).join('\n') : ''
}
