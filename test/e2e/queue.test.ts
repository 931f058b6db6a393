import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import * as net from 'node:net'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Item } from '../../src/queue/item.ts'
import { kugetsuCommand, runJson, spawnKugetsu } from '../helpers/kugetsu.ts'
import { daemonsOf, killQuietly, leftovers, serversOf } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

interface DaemonStatus {
  running: boolean
  pid: number | null
  dispatching: boolean
  foreground: boolean
  queue: Record<string, number>
}

let stage: Stage
beforeAll(async () => {
  stage = await setStage({ config: { MAX_CONCURRENT_AGENTS: 2 } })
})
afterAll(() => stage.cleanup())

const at = (...parts: string[]) => path.join(stage.home.kugetsuDir, ...parts)
const items = async () => (await runJson<Item[]>(stage.home, ['queue', 'list', '--json'])).json
const item = async (id: string) => (await runJson<Item>(stage.home, ['queue', 'show', id, '--json'])).json
const daemon = () => runJson<DaemonStatus>(stage.home, ['queue-daemon', 'status', '--json'])
const daemons = () => daemonsOf(stage.home.root)

/** Puts a task into the queue; its id. */
async function enqueue(issue: string, message: string): Promise<string> {
  return (await runJson<Item>(stage.home, ['queue', 'enqueue', issue, message, '--json'])).json.id
}

/** A task that leaves a line in a file and a commit, each time that it is done. */
const task = (word: string, gate: string) =>
  `GATE=${gate} BASH{{echo ${word} >> done.txt && git add done.txt && git commit -q -m "Do ${word}"}} SAY{{did ${word}}}`

const lines = (number: number) =>
  fs
    .readFileSync(path.join(stage.worktree(number), 'done.txt'), 'utf8')
    .trim()
    .split('\n')

/** Waits until none of the items is pending or at work. */
async function drained(ids: string[]): Promise<Item[]> {
  return waitFor('the end of the tasks', async () => {
    const mine = (await items()).filter(({ id }) => ids.includes(id))
    return mine.every(({ state }) => state === 'completed' || state === 'error') && mine
  })
}

/** The words of the tasks that agents have been told, in the order in which they came to the model. */
const toldOf = (words: string[]) => {
  const firsts = words.map((word) => ({
    word,
    at: stage.model.requests.indexOf(stage.model.turns(`did ${word}}}`)[0]!),
  }))
  return firsts
    .filter(({ at }) => at !== -1)
    .sort((a, b) => a.at - b.at)
    .map(({ word }) => word)
}

describe('the queue without a daemon that dispatches', () => {
  it('takes tasks and says that nothing takes them out', async () => {
    const said = await stage.ok(['queue', 'enqueue', ref(90), 'SAY{{never}}'])
    expect(said).toMatch(
      /^Queued forge\.test\/me\/app#90 as q_\d+; no daemon takes tasks\. Run: kugetsu queue-daemon start$/m,
    )
    const [only] = await items()
    expect(only).toMatchObject({ state: 'pending', kind: 'dev', issue_ref: ref(90), attempts: [] })
    const status = await stage.kugetsu(['queue-daemon', 'status'])
    expect(status.code).toBe(1)
    expect((await stage.kugetsu(['wait', ref(90)])).stderr).toContain('no daemon takes tasks')
    expect(await stage.ok(['queue', 'remove', only?.id ?? ''])).toContain('Removed')
    expect(await items()).toEqual([])
  })
})

describe('a queue that is drained', () => {
  const words = ['one', 'two', 'three', 'four', 'five']
  let ids: string[]

  it('is started in order, as many at a time as there are slots', async () => {
    // One at a time, so that their order is known.
    ids = []
    for (const [index, word] of words.entries()) ids.push(await enqueue(ref(index + 1), task(word, 'drain')))
    expect(ids.toSorted()).toEqual(ids)
    expect(await stage.ok(['queue-daemon', 'start'])).toMatch(/^The queue daemon runs \(pid \d+\)$/m)
    expect((await daemon()).json).toMatchObject({ running: true, dispatching: true })
    await waitFor('two agents at the model', () => toldOf(words).length === 2)
    await waitFor('both on file', async () => (await items()).filter(({ state }) => state === 'notified').length === 2)
    expect(toldOf(words).toSorted()).toEqual(['one', 'two'])
    expect((await items()).map(({ state }) => state)).toEqual(['notified', 'notified', 'pending', 'pending', 'pending'])
    expect(stage.slots().filter((name) => name.endsWith('.slot'))).toHaveLength(2)
    expect(await stage.ok(['queue', 'stats'])).toMatch(/pending +3\n/)
  })

  it('has a start at the limit join it, when that is wanted', async () => {
    const refused = await stage.kugetsu(['start', ref(6), task('six', 'drain')])
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('--queue')
    const queued = await stage.ok(['start', ref(6), task('six', 'drain'), '--queue'])
    expect(queued).toMatch(/^Queued forge\.test\/me\/app#6 as q_\d+$/m)
    ids = (await items()).map(({ id }) => id)
    expect(ids).toHaveLength(6)
    // It has no session before its turn comes.
    const waited = await stage.kugetsu(['wait', ref(6), '--timeout', '0.1'])
    expect([waited.code, waited.stderr]).toEqual([124, expect.stringContaining('still queued after')])
    const unknown = await stage.kugetsu(['wait', ref(60)])
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('no session for')])
  })

  it('is done, each task once, and never more agents than slots', async () => {
    stage.model.release('drain')
    const done = await drained(ids)
    expect(done.map(({ state }) => state)).toEqual(ids.map(() => 'completed'))
    for (const [index, word] of [...words, 'six'].entries()) expect(lines(index + 1)).toEqual([word])
    expect(stage.model.peakConversations()).toBe(2)
    for (const each of done) {
      expect(each.attempts).toHaveLength(1)
      expect(each.attempts[0]).toMatchObject({ outcome: 'completed', reason: null })
      expect(each.result).toMatchObject({ branch: `fix/issue-${each.issue_ref?.split('#')[1]}`, commits: 1 })
      expect(each.result?.cost).toBeGreaterThan(0)
    }
    expect(stage.slots()).toEqual([])
    expect(fs.readdirSync(at('queue', 'ended'))).toEqual([])
  })
})

describe('tasks of one issue', () => {
  it('are done one after the other, and hold up nobody else', async () => {
    const ids = [
      await enqueue(ref(10), task('first', 'same')),
      await enqueue(ref(10), task('second', 'second')),
      await enqueue(ref(11), task('other', 'same')),
    ]
    await stage.model.turn('did first}}')
    await stage.model.turn('did other}}')
    await waitFor('both on file', async () => (await item(ids[2] ?? '')).state === 'notified')
    expect((await item(ids[1] ?? '')).state).toBe('pending')
    expect(await stage.ok(['queue', 'show', ids[1] ?? ''])).toContain('is at work on the same issue')
    stage.model.release('same')
    await stage.model.turn('did second}}')
    expect((await item(ids[0] ?? '')).state).toBe('completed')
    stage.model.release('second')
    await drained(ids)
    expect(lines(10)).toEqual(['first', 'second'])
    const sessions = (await Promise.all(ids.map(item))).map((each) => each.opencode_session_id)
    expect(sessions[1]).toBe(sessions[0])
    expect(sessions[2]).not.toBe(sessions[0])
  })

  it('that go on with a session come before new work', async () => {
    await stage.ok(['start', ref(12), task('busy one', 'full')])
    await stage.ok(['start', ref(13), task('busy two', 'full')])
    const later = await enqueue(ref(14), task('new work', 'full'))
    const said = await stage.ok(['continue', ref(10), task('third', 'full')])
    expect(said).toMatch(/^Queued forge\.test\/me\/app#10 as q_\d+, ahead of new work$/m)
    const ids = (await items()).filter(({ state }) => state === 'pending').map(({ id }) => id)
    expect(ids[0]).toBe(later)
    const early = await stage.kugetsu(['wait', ref(10), '--timeout', '0'])
    expect(early).toMatchObject({
      code: 124,
      stderr: expect.stringMatching(/^Error: still queued after 0 s: \S+app#10 \(q_/),
    })
    stage.model.release('full')
    expect(await stage.ok(['wait', ref(10)])).toBe(`idle  ${ref(10)}\n`)
    expect(lines(10)).toContain('third')
    const [newWork, third] = await drained(ids)
    expect(Date.parse(third?.notified_at ?? '')).toBeLessThanOrEqual(Date.parse(newWork?.notified_at ?? ''))
    expect(lines(10)).toEqual(['first', 'second', 'third'])
  })
})

describe('a task that cannot be done', () => {
  it('ends as an error at once when its repository does not exist, and says so', async () => {
    const id = await enqueue('forge.test/me/nowhere#1', 'SAY{{never}}')
    const [ended] = await drained([id])
    expect(ended).toMatchObject({ state: 'error', error: expect.stringContaining('repository not found') })
    expect(ended?.attempts).toHaveLength(1)
    const shown = await stage.ok(['queue', 'show', id.slice(2)])
    expect(shown).toMatch(/error +cannot clone .*repository not found/)
    expect(shown).toMatch(/1\. .* failed: cannot clone/)
    expect(stage.slots()).toEqual([])
    expect(fs.existsSync(at('sessions', 'forge.test-me-nowhere-1.json'))).toBe(false)
  })

  it('gives its slot away while its git server is silent, and is stopped or removed as it stands', async () => {
    const silent = net.createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const url = `git://127.0.0.1:${(silent.address() as net.AddressInfo).port}`
    await stage.ok(['server', 'add', 'silent.test', url])
    const [one, two, three] = [1, 2, 3].map((number) => `silent.test/me/app#${number}`) as [string, string, string]
    try {
      const first = await enqueue(one, 'SAY{{never}}')
      const second = await enqueue(two, 'SAY{{never}}')
      const behind = await enqueue(ref(22), 'SAY{{behind it}}')
      const [done] = await drained([behind])
      expect(done?.state).toBe('completed')
      const explained = await stage.ok(['explain', one])
      expect(explained.replaceAll(/\s+/g, ' ')).toMatch(new RegExp(`starting .* waits for ${url}/me/app`))
      expect(await stage.ok(['stop', one])).toBe(`Stopped the start of ${one}; what it had made was removed again\n`)
      expect(await item(first)).toMatchObject({ state: 'error', error: 'stopped' })
      expect(await stage.ok(['queue', 'remove', second])).toContain(`Removed ${second}`)

      const other = spawnKugetsu(stage.home, ['start', three, 'SAY{{never}}'])
      await waitFor('its session file', () => fs.existsSync(at('sessions', 'silent.test-me-app-3.json')))
      expect(stage.slots()).not.toEqual([])
      await waitFor('its slot to be given away', () => stage.slots().length === 0)
      await stage.ok(['stop', three])
      expect(await other.finished).toMatchObject({ code: 130 })
      expect((await items()).map(({ id }) => id)).not.toContain(second)
      expect(fs.readdirSync(at('sessions')).filter((name) => name.startsWith('silent'))).toEqual([])
      expect(fs.readdirSync(at('starts'))).toEqual([])
      expect(stage.slots()).toEqual([])
    } finally {
      silent.close()
    }
  })

  it('for the configuration of its repository ends as an error at once, alone: the daemon and the others go on', async () => {
    const { pid } = (await daemon()).json
    stage.git.createRepository('me/no-agent', { 'opencode.json': '{ "default_agent": "nosuch" }' })
    const [bad, healthy] = [await enqueue('forge.test/me/no-agent#1', 'x'), await enqueue(ref(29), 'SAY{{well}}')]
    const ended = await drained([bad, healthy])
    expect(ended.map(({ state }) => state).sort()).toEqual(['completed', 'error'])
    const failed = ended.find(({ id }) => id === bad)
    expect(failed?.error).toMatch(/the agent nosuch/)
    expect(failed?.attempts).toHaveLength(1)
    expect((await daemon()).json.pid).toBe(pid)
  })

  it('ends as an error with the reason of its agent, or that it was stopped; and can be put back', async () => {
    const failing = await enqueue(ref(20), 'FAIL=400')
    const stopped = await enqueue(ref(21), task('stopped', 'never'))
    await stage.model.turn('did stopped}}')
    await stage.ok(['stop', ref(21)])
    const [failed, ended] = await drained([failing, stopped])
    expect(failed?.state).toBe('error')
    expect(failed?.error).toBe((await stage.session(20)).last_error)
    expect(ended).toMatchObject({ state: 'error', error: 'stopped' })
    stage.model.release('never')
    await stage.ok(['queue', 'retry', stopped])
    const [again] = await drained([stopped])
    expect(again).toMatchObject({ state: 'completed', error: null })
    expect(again?.attempts.map(({ outcome }) => outcome)).toEqual(['stopped', 'completed'])
    expect(lines(21)).toEqual(['stopped'])
  })
})

describe('a daemon that is killed while it drains', () => {
  const words = Array.from({ length: 6 }, (_, index) => `k${index}`)

  it('is followed by one that does the rest, each task once', async () => {
    const ids: string[] = []
    for (const [index, word] of words.entries()) ids.push(await enqueue(ref(30 + index), task(word, `gate-${word}`)))
    for (const [index, word] of words.entries()) {
      // In the middle of its start, and later, in the middle of others': whenever it has got a bit further.
      const isBegun = () => fs.existsSync(at('sessions', `forge.test-me-app-${30 + index}.json`))
      await waitFor(`the start of ${word}`, isBegun)
      const { json } = await daemon()
      if (json.pid !== null) killQuietly(json.pid)
      await stage.ok(['queue-daemon', 'start'])
      stage.model.release(`gate-${word}`)
    }
    const done = await drained(ids)
    expect(done.map(({ state, error }) => [state, error])).toEqual(ids.map(() => ['completed', null]))
    for (const [index, word] of words.entries()) expect(lines(30 + index)).toEqual([word])
    expect(stage.model.peakConversations()).toBe(2)
    expect(stage.slots()).toEqual([])
  })
})

describe('the daemon', () => {
  it('is one, however often it is started, and ends when it is told to', async () => {
    await stage.ok(['queue-daemon', 'stop'])
    expect(daemons()).toEqual([])
    await Promise.all([1, 2, 3, 4].map(() => stage.ok(['queue-daemon', 'start'])))
    await waitFor('one daemon', () => daemons().length === 1)
    const id = await enqueue(ref(40), task('survivor', 'survive'))
    await stage.model.turn('did survivor}}')
    await stage.ok(['queue-daemon', 'stop'])
    expect(daemons()).toEqual([])
    expect((await daemon()).code).toBe(1)
    stage.model.release('survive')
    await waitFor('the commit of an agent that nobody follows', () => lines(40).length === 1)
    await stage.ok(['queue-daemon', 'restart'])
    const [done] = await drained([id])
    expect(done).toMatchObject({ state: 'completed', result: { commits: 1 } })
  })

  it('in the foreground takes the place of the one in the background, and ends with 0 on SIGTERM', async () => {
    const before = (await daemon()).json.pid
    const running = spawnKugetsu(stage.home, ['queue-daemon', 'run'])
    await waitFor('the daemon in the foreground', async () => (await daemon()).json.foreground)
    expect((await daemon()).json.pid).not.toBe(before)
    expect(daemons()).toHaveLength(1)
    const second = await stage.kugetsu(['queue-daemon', 'run'])
    expect(second.code).toBe(1)
    expect(second.stderr).toContain('has a daemon already')
    const id = await enqueue(ref(41), 'SAY{{for the log}}')
    await drained([id])
    const { code, stdout } = await running.kill('SIGTERM')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^\S+Z takes tasks from the queue, at most \d+ agents at a time\n/)
    expect(stdout).toMatch(new RegExp(`${id} ${ref(41)} completed\\n`))
    await stage.ok(['queue-daemon', 'stop'])
  })

  it('and the opencode server are ended by what the documents say of removing kugetsu', async () => {
    const text = fs.readFileSync(new URL('../../docs/installing.md', import.meta.url), 'utf8')
    const block = /## Removing it\n\n```bash\n([^`]+)```/.exec(text)?.[1] ?? ''
    const ending = block.split('\n').filter((line) => /^(kugetsu|kill) /.test(line))
    expect(ending).toEqual([expect.stringMatching(/^kugetsu down --purge +#/)])
    const program = kugetsuCommand.map((word) => `'${word}'`).join(' ')
    fs.writeFileSync(path.join(stage.home.bin, 'kugetsu'), `#!/bin/sh\nexec ${program} "$@"\n`, { mode: 0o755 })
    await stage.ok(['start', ref(30), 'SAY{{there is a server}}', '--wait'])
    expect(serversOf(stage.home.root)).toHaveLength(1)
    execFileSync('bash', ['-c', ending.join('\n').replace('--purge', '--yes')], {
      env: stage.home.env,
      cwd: stage.home.cwd,
    })
    await waitFor('the end of both', () => serversOf(stage.home.root).length + daemons().length === 0)
  })

  it('leaves nothing behind', async () => {
    await stage.home.cleanup()
    expect(leftovers(stage.home.root)).toEqual([])
  })
})
