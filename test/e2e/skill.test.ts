/** What skills/kugetsu/SKILL.md says of the program's answers, held against the program. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Item } from '../../src/queue/item.ts'
import { runJson } from '../helpers/kugetsu.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

const directory = fileURLToPath(new URL('../../skills/kugetsu', import.meta.url))
const skill = fs.readFileSync(path.join(directory, 'SKILL.md'), 'utf8')

/** The example of that name in the skill. */
function example(name: string): object {
  const text = new RegExp(`^\`\`\`json ${name}\\n([^]*?)^\`\`\``, 'm').exec(skill)?.[1]
  if (text === undefined) throw new Error(`the skill shows no ${name}`)
  return JSON.parse(text) as object
}

/** The names of all fields, those of what is in them too: `result.branch`; what an array holds is `attempts[]`. */
function fields(value: unknown, before = ''): string[] {
  if (Array.isArray(value)) return [...new Set(value.flatMap((each) => fields(each, `${before}[]`)))]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, each]) => {
    const at = before === '' ? name : `${before}.${name}`
    return [at, ...fields(each, at)]
  })
}

let stage: Stage
beforeAll(async () => {
  stage = await setStage({
    init: false, // Else doctor asks github.com, which a machine without a network cannot reach.
    config: { MAX_CONCURRENT_AGENTS: 1, DEFAULT_GIT_SERVER: 'forge.test' },
  })
  const skills = path.join(path.dirname(stage.home.opencodeConfig), 'skills')
  fs.mkdirSync(skills)
  fs.cpSync(directory, path.join(skills, 'kugetsu'), { recursive: true })
  await stage.ok(['init'])
})
afterAll(() => stage.cleanup())

const json = async (...args: string[]) => (await runJson(stage.home, [...args, '--json'])).json
const first = async (...args: string[]) => ((await json(...args)) as unknown[])[0]

describe('the answers that the skill shows', () => {
  let task: string

  it('are those of starting, of a full house, and of the queue', async () => {
    const session = await json('start', ref(1), 'GATE=one SAY{{one}}')
    expect(fields(session).toSorted()).toEqual(fields(example('session')).toSorted())
    const refused = await stage.kugetsu(['start', ref(2), 'SAY{{two}}', '--json'])
    expect(refused.code).toBe(2)
    expect(fields(JSON.parse(refused.stdout))).toEqual(fields(example('error')))
    expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: 'no_free_slot' } })
    const queued = (await json('start', ref(2), 'SAY{{two}}', '--queue')) as Item
    task = queued.id
    expect(queued).not.toHaveProperty('worktree_path')
    expect(session).not.toHaveProperty('id')
    // What is in attempts and result comes when it has ended, below.
    expect(Object.keys(queued).toSorted()).toEqual(Object.keys(example('task')).toSorted())
  })

  it('are those of looking, while an agent works', async () => {
    expect(fields(await json('status')).toSorted()).toEqual(fields(example('status')).toSorted())
    const early = await stage.kugetsu(['wait', ref(1), '--timeout', '0', '--json'])
    expect(early.code).toBe(124)
    expect(JSON.parse(early.stdout)).toMatchObject({ error: { code: 'timed_out' } })
    const risky = await stage.kugetsu(['destroy', ref(1), '-y', '--json'])
    expect(risky.code).toBe(1)
    expect(JSON.parse(risky.stdout)).toMatchObject({ error: { code: 'work_at_risk' } })
  })

  it('are those of what has ended', async () => {
    stage.model.release('one')
    await json('queue-daemon', 'start')
    await waitFor('the end of the task', async () => ((await json('queue', 'show', task)) as Item).completed_at)
    expect(fields(await json('queue', 'show', task)).toSorted()).toEqual(fields(example('task')).toSorted())
    expect(fields(await first('wait', ref(1)))).toEqual(expect.arrayContaining(fields(example('session'))))
    const told = (await json('notify', 'list')) as object[]
    expect(fields(told.find((each) => 'queue_item' in each)).toSorted()).toEqual(
      fields(example('notification')).toSorted(),
    )
    expect(fields(await json('explain', ref(1))).toSorted()).toEqual(fields(example('explanation')).toSorted())
    expect(fields(await json('logs', ref(1))).toSorted()).toEqual(fields(example('logs')).toSorted())
    expect(fields(await json('doctor')).toSorted()).toEqual(fields(example('doctor')).toSorted())
    expect(fields(await json('destroy', ref(1), '-y')).toSorted()).toEqual(fields(example('destroyed')).toSorted())
  })
})

describe('the skill', () => {
  it('is found by opencode', async (context) => {
    const found = await stage.look().skills()
    context.skip(found === undefined, 'this opencode does not list skills')
    expect(found).toContainEqual(
      expect.objectContaining({ name: 'kugetsu', description: expect.stringContaining('coding agents') }),
    )
  })
})
