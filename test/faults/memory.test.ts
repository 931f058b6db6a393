/**
 * Too little memory for one more agent: real commands, a real daemon, real opencode. The reserve is set to more than any
 * machine has, which is what too little memory is to kugetsu, and needs no root.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { availableMemory } from '../../src/platform/memory.ts'
import type { Item } from '../../src/queue/item.ts'
import { runJson } from '../helpers/kugetsu.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

const far = { MAX_CONCURRENT_AGENTS: 3, MIN_FREE_MEMORY_MB: 90_000_000 }
const short = /too little memory for one more agent: \d+ MB available, 900\d{5} MB needed/

let stage: Stage
beforeAll(async () => {
  stage = await setStage({ config: far })
})
afterAll(() => stage.cleanup())

const log = () => fs.readFileSync(path.join(stage.home.kugetsuDir, 'queue', 'daemon.log'), 'utf8')
const worktrees = () => {
  const directory = path.join(stage.home.kugetsuDir, 'worktrees')
  return fs.existsSync(directory) ? fs.readdirSync(directory) : []
}

describe.skipIf(availableMemory('/') === undefined)('too little memory for one more agent', () => {
  let id: string

  it('refuses a start with one line and exit code 2, and makes nothing', async () => {
    const { code, stdout, stderr } = await stage.kugetsu(['start', ref(1), 'SAY{{never}}'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(
      new RegExp(`^Error: ${short.source}\\nHint: .*MIN_FREE_MEMORY_MB \\(90000000\\)\\.\\n$`, 'm'),
    )
    const { json } = await runJson<{ error: { code: string } }>(stage.home, ['start', ref(1), 'SAY{{never}}', '--json'])
    expect(json.error.code).toBe('no_memory')
    expect(worktrees()).toEqual([])
    expect(stage.slots()).toEqual([])
    expect(stage.file(1)).toBeUndefined()
    expect(await stage.ok(['explain', ref(1)])).toMatch(/refused.*Too little memory.*kugetsu start \S+ "…" --queue/s)
  })

  it('leaves a task in the queue, and says why wherever one looks', async () => {
    await stage.ok(['queue-daemon', 'start'])
    await stage.ok(['start', ref(2), 'BASH{{echo done > done.txt}} SAY{{at last}}', '--queue'])
    await waitFor('the word of the daemon', () => short.test(log()))
    const { json: items } = await runJson<Item[]>(stage.home, ['queue', 'list', '--json'])
    expect(items).toMatchObject([{ state: 'pending', attempts: [] }])
    id = items[0]?.id ?? ''
    expect(await stage.ok(['status'])).toMatch(new RegExp(`^memory +${short.source}, so new work waits`, 'm'))
    expect((await stage.kugetsu(['queue', 'list'])).stderr).toMatch(new RegExp(`^Tasks wait: ${short.source}`))
    expect(await stage.ok(['queue', 'show', id])).toMatch(new RegExp(`waits +${short.source}`))
    expect((await stage.ok(['explain', ref(2)])).replaceAll(/\s+/g, ' ')).toMatch(new RegExp(short.source, 'i'))
    expect(await stage.ok(['doctor']).catch(String)).toMatch(/memory.*too little memory/)
    // The daemon has looked more than once meanwhile: what woke it was the enqueue of a second task.
    await stage.ok(['queue', 'enqueue', ref(3), 'SAY{{third}}'])
    expect(log().match(/tasks wait:/g)).toHaveLength(1)
  })

  it('goes on by itself when there is enough', async () => {
    stage.configure({ ...far, MIN_FREE_MEMORY_MB: 1 })
    const ended = await waitFor('the end of the tasks', async () => {
      const { json } = await runJson<Item[]>(stage.home, ['queue', 'list', '--json'])
      return json.every(({ state }) => state === 'completed') && json
    })
    expect(ended).toHaveLength(2)
    expect(ended.map(({ attempts }) => attempts.length)).toEqual([1, 1])
    expect(fs.readFileSync(path.join(stage.worktree(2), 'done.txt'), 'utf8')).toBe('done\n')
    expect(await stage.ok(['status'])).not.toContain('memory')
  })

  it('does not keep a message from an agent at work, and lets a person have one all the same', async () => {
    await stage.ok(['start', ref(4), 'GATE=four SAY{{not said}}'])
    await stage.model.turn('GATE=four')
    stage.configure(far)
    expect(await stage.ok(['continue', ref(4), 'SAY{{told}}'])).toContain('The message joins the work')
    expect(await stage.ok(['continue', ref(2), 'SAY{{later}}'])).toMatch(/^Queued/)
    expect(await stage.ok(['continue', ref(3), 'SAY{{now}}', '--now'])).toContain('The agent goes on with')
    stage.model.release('four')
    stage.configure({})
    await stage.ok(['wait', ref(4), ref(3)])
  })
})
