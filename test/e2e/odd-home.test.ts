/** A home whose path has signs in it that mean something elsewhere: in URLs, in shells, in patterns. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { run } from '../helpers/kugetsu.ts'
import { opencode1Program } from '../helpers/opencode.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await setStage({ prefix: `a #c'd[e]$f-` })
})
afterAll(() => stage.cleanup())

it('has agents that work in their worktrees, with their own variables', async () => {
  await stage.ok(['env', 'set', 'HUSH', '-', 'dev'], { input: 'a value' })
  const told = 'BASH{{pwd > where; printf %s "$HUSH" > variable; kugetsu --version > version}}'
  await stage.ok(['start', ref(1), told])
  await stage.ok(['wait', ref(1)])
  const read = (name: string) => fs.readFileSync(path.join(stage.worktree(1), name), 'utf8').trim()
  expect(read('where')).toBe(stage.worktree(1))
  expect(read('variable')).toBe('a value')
  expect(read('version')).toMatch(/^\d/)
})

it('has tasks, a PM agent, and an end in which nothing is lost', async () => {
  await stage.ok(['queue-daemon', 'start'])
  await stage.ok(['start', ref(2), 'do it', '--queue', '--wait'])
  await stage.ok(['delegate', 'look at it', '--wait'])
  await stage.ok(['destroy', ref(1), '--force', '-y'])
  await stage.ok(['recover', ref(1)])
  expect(fs.readFileSync(path.join(stage.worktree(1), 'variable'), 'utf8')).toBe('a value')
})

it('is refused where opencode 1 would not find its directories, before anything is made', async () => {
  const directory = path.join(stage.home.root, 'a%20b')
  const { code, stderr } = await run(stage.home, ['init'], {
    env: { KUGETSU_DIR: directory, KUGETSU_OPENCODE: opencode1Program },
  })
  expect([code, stderr.split('\n')[0]]).toEqual([
    1,
    `Error: opencode cannot work in ${directory}: it takes the %20 in the path for another sign`,
  ])
  expect(fs.existsSync(directory)).toBe(false)
})
