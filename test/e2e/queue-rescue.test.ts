import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newMessageId } from '../../src/driver/message-id.ts'
import { tryExclusive } from '../../src/platform/locks.ts'
import type { Item } from '../../src/queue/item.ts'
import type { Run } from '../../src/sessions/file/session-file.ts'
import { runJson, spawnKugetsu } from '../helpers/kugetsu.ts'
import { daemonsOf, killAndWait, leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

// What becomes of tasks when something around them goes wrong, one thing at a time; crash.test.ts has them all at once.

const interrupted = 'Your work was interrupted'
const config = { MAX_CONCURRENT_AGENTS: 2 }

let stage: Stage
beforeAll(async () => {
  stage = await setStage({ config })
  await stage.ok(['queue-daemon', 'start'])
})
afterAll(() => stage.cleanup())

const at = (...parts: string[]) => path.join(stage.home.kugetsuDir, ...parts)
const sessionFile = (number: number) => at('sessions', `forge.test-me-app-${number}.json`)
const items = async () => (await runJson<Item[]>(stage.home, ['queue', 'list', '--json'])).json
const item = async (id: string) => (await runJson<Item>(stage.home, ['queue', 'show', id, '--json'])).json
const daemonPid = () => Number(fs.readFileSync(at('queue', 'daemon.pid'), 'utf8'))
const daemons = () => daemonsOf(stage.home.root)
const runOf = (number: number) => stage.file(number)?.['run'] as Run | null | undefined
const taken = () => stage.slots().filter((name) => name.endsWith('.slot'))

async function enqueue(number: number, message: string): Promise<string> {
  return (await runJson<Item>(stage.home, ['queue', 'enqueue', ref(number), message, '--json'])).json.id
}

/** Waits until an agent has the task, and that is on file. */
async function atWork(number: number, word: string): Promise<void> {
  await stage.model.turn(`did ${word}}}`)
  await waitFor('the run on file', () => stage.file(number)?.['state'] === 'running')
}

async function ended(id: string): Promise<Item> {
  return waitFor(`the end of ${id}`, async () => {
    const now = await item(id)
    return (now.state === 'completed' || now.state === 'error') && now
  })
}

describe('start --queue --wait', () => {
  it('waits for a slot and for the agent, and tells how it ended', async () => {
    const busy = [await enqueue(1, 'GATE=wait SAY{{did one}}'), await enqueue(2, 'GATE=wait SAY{{did two}}')]
    await atWork(1, 'one')
    await atWork(2, 'two')
    const waiting = spawnKugetsu(stage.home, ['start', ref(3), 'SAY{{did three}}', '--queue', '--wait'])
    const failing = spawnKugetsu(stage.home, ['start', ref(4), 'FAIL=400', '--queue', '--wait', '--json'])
    await waitFor(
      'both to be queued',
      async () => (await items()).filter((one) => one.state === 'pending').length === 2,
    )
    const late = await stage.kugetsu(['start', ref(5), 'SAY{{did five}}', '--queue', '--wait', '--timeout', '1'])
    expect(late.code).toBe(124)
    expect(late.stderr).toContain('still queued')
    await stage.ok(['queue', 'remove', (await items()).at(-1)?.id ?? ''])
    stage.model.release('wait')
    const done = await waiting.finished
    expect([done.code, done.stderr]).toEqual([0, ''])
    expect(done.stdout).toMatch(/^Queued forge\.test\/me\/app#3 as (q_\d+)\ncompleted +\1\n$/)
    const failed = await failing.finished
    expect(failed.code).toBe(1)
    expect(JSON.parse(failed.stdout)).toMatchObject({ state: 'error', error: stage.file(4)?.['last_error'] })
    for (const id of busy) expect((await ended(id)).state).toBe('completed')
  })
})

describe('TASK_TIMEOUT_HOURS', () => {
  it('ends the agent of a task and its command; the task is an error with that reason', async () => {
    stage.configure({ ...config, TASK_TIMEOUT_HOURS: 0.002 })
    const id = await enqueue(6, 'BASH{{exec sleep 1000}} SAY{{did six}}')
    await waitFor('the run on file', () => runOf(6))
    stage.configure(config)
    const { state, error, attempts } = await ended(id)
    expect({ state, error }).toEqual({ state: 'error', error: 'stopped after 0.002 h (TASK_TIMEOUT_HOURS)' })
    expect(attempts.map(({ outcome, reason }) => [outcome, reason])).toEqual([['timeout', error]])
    expect((await stage.session(6)).state).toBe('timeout')
    await waitFor('the end of the command', () =>
      leftovers(stage.home.root).every(({ command }) => command !== 'sleep 1000'),
    )
  })
})

describe('a limit that is changed', () => {
  it('is taken over without a word to the daemon', async () => {
    stage.configure({ MAX_CONCURRENT_AGENTS: 1 })
    const ids = [await enqueue(7, 'GATE=limit SAY{{did seven}}'), await enqueue(8, 'GATE=limit SAY{{did eight}}')]
    await atWork(7, 'seven')
    expect(taken()).toHaveLength(1)
    stage.configure(config)
    // Far sooner than it looks without any news.
    await waitFor('the other agent', () => stage.model.turns('did eight}}').length > 0, { timeoutMs: 30_000 })
    expect(taken()).toHaveLength(2)
    stage.model.release('limit')
    for (const id of ids) expect((await ended(id)).state).toBe('completed')
  })
})

describe('a session file that is spoiled while its agent works', () => {
  it('ends nothing: the agent keeps its slot, and its task is done when it is', async () => {
    const id = await enqueue(9, 'GATE=spoiled BASH{{touch done.txt}} SAY{{did nine}}')
    await atWork(9, 'nine')
    const before = runOf(9)
    fs.writeFileSync(sessionFile(9), '{"type":"forked","issue_r')
    await stage.ok(['list']) // whoever reads it sets it aside
    expect(taken()).toHaveLength(1)
    await stage.ok(['queue-daemon', 'start']) // makes it look
    await waitFor('the file', () => runOf(9)?.slot === before?.slot)
    expect((await item(id)).state).toBe('notified')
    expect(taken()).toHaveLength(1)
    stage.model.release('spoiled')
    expect(await ended(id)).toMatchObject({ state: 'completed', error: null })
    expect((await stage.session(9)).state).toBe('idle')
    expect(stage.model.turns(interrupted)).toEqual([])
    await waitFor('the slot', () => stage.slots().length === 0)
  })
})

describe('a message that was never sent, by a command that was killed', () => {
  it.each([
    { number: 10, server: 'lives', how: 'is left out' },
    { number: 11, server: 'dies', how: 'is left out when its agent is resumed' },
  ])('to an agent at work $how; the server $server', async ({ number, server }) => {
    const word = `w${number}`
    const id = await enqueue(number, `RESUMES! GATE=${word} BASH{{echo ${word} >> done.txt}} SAY{{did ${word}}}`)
    await atWork(number, word)
    await stage.ok(['queue-daemon', 'stop'])
    // What `continue` writes before it sends.
    const file = stage.file(number)
    const run = runOf(number)
    expect(run?.message_ids).toHaveLength(1)
    const message_ids = [...(run?.message_ids ?? []), newMessageId(new Date())]
    fs.writeFileSync(sessionFile(number), JSON.stringify({ ...file, run: { ...run, message_ids } }))
    if (server === 'dies') await killAndWait(-(stage.server()?.pid ?? 0))
    await stage.ok(['queue-daemon', 'start'])
    stage.model.release(word)
    expect(await ended(id)).toMatchObject({ state: 'completed', error: null })
    expect(fs.readFileSync(path.join(stage.worktree(number), 'done.txt'), 'utf8')).toBe(`${word}\n`)
  })

  it('about an interruption, by the daemon, is sent by the next one', async () => {
    const id = await enqueue(12, 'RESUMES! GATE=resumed BASH{{echo once >> done.txt}} SAY{{did twelve}}')
    await atWork(12, 'twelve')
    await killAndWait(daemonPid())
    await killAndWait(-(stage.server()?.pid ?? 0))
    // The next server, without the run being resumed in it: whoever would do that waits for the issue.
    const release = tryExclusive(at('locks', 'issue-forge.test-me-app-12.lock'))
    await stage.ok(['start', ref(13), 'SAY{{boots the server}}'])
    await killAndWait(await waitFor('a daemon', () => daemons()[0]?.pid))
    // What a daemon writes before it sends.
    const [run, resumed_with] = [runOf(12), newMessageId(new Date())]
    const message_ids = [run?.message_ids[0], resumed_with]
    const resumed = { ...run, message_ids, resumed_with, interruptions: 1, server: stage.server()?.marker }
    fs.writeFileSync(sessionFile(12), JSON.stringify({ ...stage.file(12), run: resumed }))
    release?.()
    await stage.ok(['queue-daemon', 'start'])
    stage.model.release('resumed')
    expect(await ended(id)).toMatchObject({ state: 'completed', error: null })
    expect(fs.readFileSync(path.join(stage.worktree(12), 'done.txt'), 'utf8')).toBe('once\n')
  })
})

it('leaves nothing behind', async () => {
  await stage.home.cleanup()
  expect(leftovers(stage.home.root)).toEqual([])
})
