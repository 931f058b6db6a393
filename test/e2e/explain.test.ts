import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Item } from '../../src/queue/item.ts'
import { runJson } from '../helpers/kugetsu.ts'
import { killQuietly, leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { hasTerminals, inTerminal } from '../helpers/terminal.ts'
import { waitFor } from '../helpers/wait-for.ts'

interface Explained {
  issue_ref: string
  item: string | null
  state: string
  sentences: string[]
  next: string[]
  decisions: { decision: string; reason: string }[]
}

let stage: Stage
beforeAll(async () => {
  stage = await setStage({ config: { MAX_CONCURRENT_AGENTS: 1 } })
})
afterAll(() => stage.cleanup())

const explain = async (what: string) => {
  const { json } = await runJson<Explained>(stage.home, ['explain', what, '--json'])
  return { ...json, text: json.sentences.join(' ') }
}

/** Waits until a decision is noted: the end of a run is on file a moment before that, and its slot free a bit later. */
const noted = (what: string, decision: string) =>
  waitFor(`${decision} to be noted of ${what}`, async () =>
    (await explain(what)).decisions.some((each) => each.decision === decision),
  )

describe('explain', () => {
  it('says that nothing is known of what it never heard of, and what is no ref', async () => {
    const said = await stage.kugetsu(['explain', ref(1)])
    expect(said).toMatchObject({ code: 1, stdout: '' })
    expect(said.stderr).toMatch(
      /^Error: kugetsu knows nothing of forge\.test\/me\/app#1: [^\n]+\nHint: See "kugetsu list"[^\n]+\n$/,
    )
    expect((await stage.kugetsu(['explain', 'q_1'])).stderr).toMatch(/^Error: no item "q_1" in the queue\nHint: /)
    expect((await stage.kugetsu(['explain', '../x'])).code).toBe(1)
  })

  it('says what keeps a task in the queue, by its ref and by its id', async () => {
    const { json: item } = await runJson<Item>(stage.home, ['queue', 'enqueue', ref(2), 'SAY{{later}}', '--json'])
    const explained = await explain('app#2')
    expect(explained).toMatchObject({ issue_ref: ref(2), item: null, state: 'queued' })
    expect(explained.text).toContain('No daemon takes tasks from the queue')
    expect(explained.next[0]).toBe('kugetsu queue-daemon start')
    expect(await explain(item.id)).toMatchObject({ issue_ref: ref(2), item: item.id, state: 'queued' })
    await stage.ok(['queue', 'remove', item.id])
    expect(await explain(ref(2))).toMatchObject({ state: 'removed', text: expect.stringContaining('by a person') })
  })

  it('says who is at work, who was refused for lack of a slot, and who was stopped', async () => {
    await stage.ok(['start', ref(1), 'GATE=held SAY{{through}}'])
    await stage.model.turn('GATE=held')
    const working = await explain(ref(1))
    expect(working.state).toBe('working')
    expect(working.next[0]).toBe(`kugetsu logs -f ${ref(1)}`)
    expect((await stage.kugetsu(['start', ref(3), 'x'])).code).toBe(2)
    const refused = await explain(ref(3))
    expect(refused.state).toBe('refused')
    expect(refused.text).toContain(`no free slot: 1 of 1 agents are at work (${ref(1)})`)
    expect(refused.next).toEqual([`kugetsu start ${ref(3)} "…" --queue`, `kugetsu wait ${ref(1)}`])
    await stage.ok(['stop', ref(1)])
    await noted(ref(1), 'stopped')
    expect((await explain(ref(3))).text).toContain('Now 1 of 1 slot is free.')
    expect(await explain(ref(1))).toMatchObject({ state: 'stopped', text: expect.stringContaining('by a person') })
    stage.model.release('held')
  })

  it('says why a start, or an agent, failed', async () => {
    expect((await stage.kugetsu(['start', 'forge.test/me/none#1', 'x'])).code).toBe(1)
    const undone = await explain('forge.test/me/none#1')
    expect(undone.state).toBe('failed')
    expect(undone.text).toMatch(/kugetsu removed what it had made: .*not found/)
    await stage.kugetsu(['start', ref(4), 'FAIL=400', '--wait'])
    await noted('app#4', 'failed')
    const failed = await explain('app#4')
    expect(failed.state).toBe('failed')
    expect(failed.text).toContain('scripted 400')
    expect(failed.decisions.map(({ decision }) => decision).sort()).toEqual(['failed', 'started'])
  })

  it('says that the time of an agent was over', async () => {
    await stage.ok(['start', ref(5), 'HANG!'], { env: { TASK_TIMEOUT_HOURS: '0.0005' } })
    expect((await stage.kugetsu(['wait', ref(5)])).code).toBe(1)
    await noted(ref(5), 'timed_out')
    expect(await explain(ref(5))).toMatchObject({
      state: 'timed_out',
      text: expect.stringContaining('TASK_TIMEOUT_HOURS'),
    })
  })

  it('says that the model fails while opencode tries again', async () => {
    await stage.ok(['start', ref(9), 'FAIL=503'])
    const told = /An agent has been at work .* Its model fails, and opencode retries \(attempt \d+\): \S/
    await waitFor('a second attempt', async () => told.test((await explain(ref(9))).text))
    expect((await explain(ref(9))).state).toBe('working')
    await stage.ok(['stop', ref(9)])
  })

  it('names an MCP server that does not answer, as doctor does', async () => {
    const silent = { type: 'local', command: ['sleep', '1021'], timeout: 1000 }
    stage.git.createRepository('me/mcp', { 'opencode.json': JSON.stringify({ mcp: { silent } }) })
    await stage.ok(['start', 'forge.test/me/mcp#1', 'GATE=mcp SAY{{through}}'])
    await stage.model.turn('GATE=mcp')
    const told = new RegExp(`MCP server "silent" ${stage.look().silentServer.source}`)
    expect((await explain('forge.test/me/mcp#1')).text).toMatch(told)
    const { json } = await runJson<{ checks: { name: string; status: string; detail: string }[] }>(stage.home, [
      'doctor',
      '--json',
    ])
    expect(json.checks.find(({ name }) => name === 'MCP servers')).toMatchObject({
      status: 'warn',
      detail: expect.stringMatching(told),
    })
    await stage.ok(['stop', 'forge.test/me/mcp#1'])
    stage.model.release('mcp')
  })

  it('says what was done, and why it was not destroyed', async () => {
    await stage.ok(['start', ref(6), 'BASH{{echo 1 > a && git add a && git commit -qm a}} SAY{{done}}', '--wait'])
    await noted(ref(6), 'finished')
    const done = await explain(ref(6))
    expect(done.state).toBe('done')
    expect(done.text).toMatch(/branch fix\/issue-6, no pull request known, \$0\.\d+ so far/)
    expect((await stage.kugetsu(['destroy', ref(6), '-y'])).code).toBe(1)
    const kept = await explain(ref(6))
    expect(kept.text).toMatch(/It was not destroyed \d+ (s|min) ago, because .*push/)
    expect(kept.next).toContain(`kugetsu destroy ${ref(6)} --force`)
    await stage.ok(['destroy', ref(6), '-y', '--force'])
    expect(await explain(ref(6))).toMatchObject({ state: 'destroyed', text: expect.stringContaining('saved as refs/') })
  })

  it('says that an agent was interrupted', async () => {
    await stage.ok(['start', ref(7), 'GATE=cut SAY{{never}}'])
    await stage.model.turn('GATE=cut')
    await stage.ok(['queue-daemon', 'stop'])
    killQuietly(stage.server()?.pid ?? 0)
    await waitFor('the end of the server', async () => (await explain(ref(7))).state === 'interrupted')
    expect((await explain(ref(7))).next).toEqual([`kugetsu wait ${ref(7)}`])
    expect((await stage.kugetsu(['list'])).stderr).toContain(`kugetsu wait ${ref(7)}`)
    expect(await stage.ok(['status'])).toMatch(/^daemon +not running; no daemon follows .*: kugetsu wait \S+#7$/m)
  })

  it('fits 80 columns, with the next step and the last decisions', async () => {
    const text = await stage.ok(['explain', ref(4)])
    expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
    expect(text).toMatch(/^forge\.test\/me\/app#4 {2}failed\n {2}Its agent failed \d+ (s|min) ago: /)
    expect(text).toMatch(/\nNext:\n {2}kugetsu logs forge\.test\/me\/app#4\n/)
    expect(text).toMatch(/\nDecisions:\n {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}started +asked to by a command\n/)
  })

  it.skipIf(!hasTerminals)('has the reason of a decision below it on a narrow terminal', async () => {
    const { shown } = await inTerminal(stage.home, ['explain', ref(4)], [], 40)
    expect(shown).toMatch(/\d\d:\d\d:\d\d {2}started\r\n {4}asked to by a command\r\n/)
  })

  it('leaves no process behind', async () => {
    await stage.home.cleanup()
    expect(leftovers(stage.home.root)).toEqual([])
  })
})
