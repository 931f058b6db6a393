import { afterAll, beforeAll, expect, it } from 'vitest'
import { scenes } from './kill/scenes.ts'
import { createWorld, expectSound, type World } from './kill/world.ts'
import { ref } from '../helpers/stage.ts'

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.cleanup())

it.each(scenes)('records $name', async (scene) => {
  const number = 1 + scenes.indexOf(scene)
  await scene.before?.(world, number)
  world.steps()
  const t = performance.now()
  const outcome = await world.kugetsu(scene.command(world, number))
  const t2 = performance.now()
  if (scene.role === 'command') console.log(scene.name, JSON.stringify(outcome), Math.round(t2 - t), '\n', world.steps().map((s) => `${s.role === 'daemon' ? '   D ' : ''}${s.step}`).join('\n'))
  await scene.after(world, number, { ...outcome, serverDied: false })
  console.log(scene.name, 'after', Math.round(performance.now() - t2))
  if (scene.role === 'daemon') console.log(world.steps().map((s) => `${s.role === 'daemon' ? '   D ' : ''}${s.step}`).join('\n'))
  await expectSound(world)
  if ((await world.stateOf(number)) !== undefined) await world.ok(['destroy', ref(number), '--force', '-y'])
})
