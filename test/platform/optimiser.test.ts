import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildProgram, type Program } from '../helpers/programs.ts'

let program: Program
beforeAll(async () => {
  program = await buildProgram('optimiser')
})
afterAll(() => program.remove())

it('is away while it is switched off, and back afterwards', async () => {
  const run = program.start({ calls: 30_000 })
  expect(await run.ended).toBe(0)
  expect(run.said()).toBe('off false\non true\n')
})

it('is left as NODE_OPTIONS has it', async () => {
  const run = program.start({ calls: 30_000 }, undefined, { NODE_OPTIONS: '--jitless' })
  expect(await run.ended).toBe(0)
  expect(run.said()).toMatch(/off false\non false\n$/) // V8 warns in front of it
})
