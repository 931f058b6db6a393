/**
 * The clock on the wall jumps under all that kugetsu runs: commands, the daemon, the opencode server, git and what agents
 * call. Real processes, whose clock is off by what a file says (test/fixtures/clock). The tests share a home and go on
 * from each other.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import * as net from 'node:net'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { basePriming } from '../../src/agents/dev-agent.ts'
import type { Item } from '../../src/queue/item.ts'
import { createJumpingClock, noJumpingClock, type JumpingClock } from '../helpers/jumping-clock.ts'
import { runJson, spawnKugetsu } from '../helpers/kugetsu.ts'
import { daemonsOf, killAndWait } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

const day = 86_400
const config = { MAX_CONCURRENT_AGENTS: 2, MIN_FREE_MEMORY_MB: 0, WORKTREE_CHECK_PR_STATUS: 'false' }
const reason = noJumpingClock()

describe.skipIf(reason !== undefined)(`a clock that jumps${reason ? ` (skipped: ${reason})` : ''}`, () => {
  let clock: JumpingClock
  let stage: Stage
  beforeAll(async () => {
    clock = createJumpingClock()
    stage = await setStage({ env: clock.env, config })
  })
  afterAll(async () => {
    await stage?.cleanup()
    clock?.remove()
  })

  const at = (...parts: string[]) => path.join(stage.home.kugetsuDir, ...parts)
  /** Work in two steps; the first ends when the test says go. */
  const work = (number: number, gate?: string) =>
    `${gate === undefined ? '' : `GATE=${gate} `}BASH{{echo x >> done.txt; until [ -e go ]; do sleep 0.05; done; date +%s > date.txt}} SAY{{did ${number}}}`
  const inWorktree = (number: number, name: string) => path.join(stage.worktree(number), name)
  const hasBegun = (number: number) => fs.existsSync(inWorktree(number, 'done.txt'))
  const go = (number: number) => fs.writeFileSync(inWorktree(number, 'go'), '')
  const items = async () => (await runJson<Item[]>(stage.home, ['queue', 'list', '--json'])).json
  const itemOf = async (id: string) => (await items()).find((item) => item.id === id)
  const enqueue = async (issue: string, message: string) =>
    (await runJson<Item>(stage.home, ['queue', 'enqueue', issue, message, '--json'])).json.id
  const completed = (ids: string[]) =>
    waitFor(`the end of ${ids.join(' ')}`, async () => {
      const found = (await items()).filter(({ id }) => ids.includes(id))
      return found.length === ids.length && found.every(({ completed_at: ended }) => ended !== null) && found
    })
  /** How often agents were told of it, and how often the model was asked about it. */
  const told = (text: string) =>
    stage
      .look()
      .told()
      .filter((each) => each.text.includes(text)).length
  const asked = (text: string) => stage.model.turns(text).length
  /** No command tells of times that cannot be. */
  const expectSoundTimes = async (...commands: string[][]) => {
    for (const args of commands) {
      const said = await stage.ok(args)
      expect(said, args.join(' ')).not.toMatch(/(?:^|[\s(])-\d+(?:\.\d+)? ?(?:ms|s|m|min|h|d|days)\b/m)
      expect(said, args.join(' ')).not.toMatch(/NaN|Invalid|Infinity/)
    }
  }
  const running = () => stage.slots().filter((name) => name.endsWith('.run')).length

  it('is a clock that processes have: who begins and who runs, and no other clock', async () => {
    const script = `const say = () => console.log(Date.now(), performance.now())
      process.stdin.on('data', say)
      say()`
    const child = spawn(process.execPath, ['-e', script], { env: { ...process.env, ...clock.env } })
    const says = async () =>
      String((await once(child.stdout, 'data'))[0])
        .split(' ')
        .map(Number)
    try {
      const [before = 0, since = 0] = await says()
      clock.set(day)
      child.stdin.write('\n')
      const [after = 0, then = 0] = await says()
      expect(Math.abs(before - Date.now())).toBeLessThan(60_000)
      expect(Math.abs(after - before - day * 1000 - (then - since))).toBeLessThan(1_000)
    } finally {
      child.kill('SIGKILL')
    }
    clock.set(0)
  })

  it('goes forward by a day: no agent is ended, the limit holds, the tasks go on', async () => {
    await stage.ok(['queue-daemon', 'start'])
    const ids: string[] = []
    // The first has its provider fail once, of which the daemon hears: it looks at that agent in the middle of its work.
    ids.push(await enqueue(ref(1), `FAILONCE=503 ${work(1, 'forward')}`))
    for (const number of [2, 3, 4]) ids.push(await enqueue(ref(number), work(number, 'forward')))
    await waitFor('two agents', () => asked('GATE=forward') === 2)
    clock.set(day)
    stage.model.release('forward')
    await waitFor('their first step', () => hasBegun(1) && hasBegun(2))
    // Each command has the daemon look at all of it, and what the agents do as well.
    ids.push(await enqueue(ref(5), work(5)))
    expect((await stage.kugetsu(['start', ref(6), 'SAY{{never}}'])).code).toBe(2)
    expect([stage.file(1)?.['state'], stage.file(2)?.['state'], running()]).toEqual(['running', 'running', 2])
    for (const number of [1, 2, 3, 4, 5]) {
      await waitFor(`the first step of ${number}`, () => hasBegun(number))
      go(number)
    }
    const ended = await completed(ids)
    expect(ended.map(({ state, result }) => [state, result?.answer])).toEqual(
      [1, 2, 3, 4, 5].map((number) => ['completed', `did ${number}`]),
    )
    for (const number of [1, 2, 3, 4, 5]) {
      expect([told(`did ${number}`), asked(`did ${number}`)], `${number}`).toEqual([1, number === 1 ? 3 : 2])
      expect(fs.readFileSync(inWorktree(number, 'done.txt'), 'utf8')).toBe('x\n')
    }
    // All of them have seen it: an agent's command, opencode, kugetsu.
    const seen = [
      fs.readFileSync(inWorktree(1, 'date.txt'), 'utf8'),
      stage.look().lastMessageAt(),
      Date.parse(ended[4]?.pending_since ?? '') / 1000,
    ]
    for (const seconds of seen) expect(Math.abs(Number(seconds) - clock.now().getTime() / 1000)).toBeLessThan(300)
    expect(ended.flatMap(({ attempts }) => attempts)).toHaveLength(5)
  })

  it('goes back, to before the tasks were made: each is done once and in order, no agent asks the model for ever', async () => {
    const ids: string[] = []
    const add = async (number: number) => void ids.push(await enqueue(ref(number), work(number, 'back')))
    for (const number of [11, 12, 13, 14]) await add(number)
    await waitFor('two agents', () => asked('GATE=back') === 2)
    clock.set(0)
    await add(15)
    ids.push(await enqueue(ref(13), 'SAY{{more of 13}}'))
    clock.set(-day)
    await add(16)
    expect(ids.toSorted()).toEqual(ids)
    expect((await items()).map(({ id }) => id).slice(-ids.length)).toEqual(ids)
    await expectSoundTimes(
      ['list'],
      ['status'],
      ['queue', 'list'],
      ['queue', 'show', ids[0] ?? ''],
      ['queue', 'show', ids[5] ?? ''],
      ['queue-daemon', 'status'],
      ['notify', 'list'],
      ['explain', ref(11)],
      ['explain', ref(13)],
    )
    stage.model.release('back')
    await waitFor('the first step', () => hasBegun(11) && hasBegun(12))
    expect(await stage.ok(['continue', ref(12), 'SAY{{joined}}'])).toContain('joins the work')
    for (const number of [11, 12, 13, 14, 15, 16]) {
      await waitFor(`the first step of ${number}`, () => hasBegun(number))
      go(number)
    }
    const ended = await completed(ids)
    const answers = ['did 11', 'joined', 'did 13', 'did 14', 'did 15', 'more of 13', 'did 16']
    expect(ended.map(({ state, result }) => [state, result?.answer])).toEqual(
      answers.map((answer) => ['completed', answer]),
    )
    for (const answer of answers)
      expect([told(answer), asked(answer)], answer).toEqual([1, answer.startsWith('did') ? 2 : 1])
    const begun = [13, 14, 15, 16].map((number) => {
      const item = ended.find(
        ({ issue_ref: issue, result }) => issue === ref(number) && result?.answer === `did ${number}`,
      )
      return item?.attempts[0]?.started_at ?? ''
    })
    expect(begun.toSorted()).toEqual(begun)
    expect(ended.flatMap(({ attempts }) => attempts)).toHaveLength(ids.length)
    // These began by a clock that was two days ahead.
    const transcript = await stage.ok(['logs', ref(15)])
    expect(transcript).toContain('did 15')
    expect(transcript).not.toContain(basePriming.slice(0, 60))
    await expectSoundTimes(['logs', ref(11)], ['explain', ref(11)], ['queue', 'show', ids[0] ?? ''], ['list'])
  })

  it('goes back while the server is down: old sessions and new ones answer what they are told', async () => {
    await stage.ok(['start', ref(22), `RESUMES! ${work(22)}`])
    await waitFor('its first step', () => hasBegun(22))
    clock.set(-2 * day)
    await killAndWait(-(stage.server()?.pid ?? 0))
    await stage.ok(['start', ref(1), 'SAY{{once more}}', '--wait'])
    await stage.ok(['start', ref(21), 'SAY{{new}}', '--wait'])
    expect([told('once more'), asked('once more'), told('{new}'), asked('{new}')]).toEqual([1, 1, 1, 1])
    expect(await stage.ok(['logs', ref(21)])).toContain('new')
    // The daemon has told the agent that was at work to go on.
    go(22)
    await stage.ok(['wait', ref(22)])
    expect(stage.file(22)?.['state']).toBe('idle')
    expect([asked('did 22'), told('did 22')]).toEqual([1, 1])
    expect(await stage.ok(['logs', ref(22)])).toContain('did 22')
  })

  it('goes back while a task waits for its next try: it waits no longer for that', async () => {
    await stage.ok(['server', 'add', 'away.test', 'git://127.0.0.1:9'])
    const id = await enqueue('away.test/me/app#1', 'SAY{{at last}}')
    const tries = (count: number) =>
      waitFor(`try ${count}`, async () => {
        const item = await itemOf(id)
        return item?.attempts.length === count && item.attempts.at(-1)?.outcome === 'failed' && item.not_before
      })
    await tries(1)
    clock.set(-3 * day)
    await tries(2)
    await stage.ok(['server', 'remove', 'away.test'])
    await stage.ok(['server', 'add', 'away.test', stage.git.url])
    // Less than the longest pause there is, more than this one was to be.
    clock.set(-3 * day - 200)
    await stage.ok(['queue-daemon', 'start'])
    const [item] = await completed([id])
    expect(item).toMatchObject({ state: 'completed', result: { answer: 'at last' } })
  })

  it('goes forward: nobody takes a lock or a slot that is held, and there is one daemon', async () => {
    const silent = net.createServer()
    let callers = 0
    const sockets = new Set<net.Socket>()
    silent.on('connection', (socket) => {
      callers++
      sockets.add(socket.on('error', () => {}))
    })
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    try {
      const { port } = silent.address() as net.AddressInfo
      await stage.ok(['server', 'add', 'silent.test', `git://127.0.0.1:${port}`])
      const first = spawnKugetsu(stage.home, ['start', 'silent.test/me/app#1', 'SAY{{never}}'])
      await waitFor('it to wait for the server', () => callers === 1)
      const daemon = daemonsOf(stage.home.root)
      clock.set(day)
      const second = spawnKugetsu(stage.home, ['start', 'silent.test/me/app#1', 'SAY{{never}}'])
      await stage.ok(['start', ref(31), work(31)])
      await Promise.all([1, 2, 3].map((number) => stage.ok(['start', ref(31), `SAY{{joined ${number}}}`])))
      expect((await stage.kugetsu(['start', ref(32), 'SAY{{never}}'])).code).toBe(2)
      await stage.ok(['queue-daemon', 'start'])
      expect(daemonsOf(stage.home.root)).toEqual(daemon)
      expect([first.child.exitCode, second.child.exitCode, callers]).toEqual([null, null, 1])
      await killAndWait(first.pid)
      await waitFor('the second to have its turn', () => callers === 2)
      expect((await second.kill('SIGINT')).code).toBe(130)
      go(31)
      await stage.ok(['wait', ref(31)])
      expect([told('did 31'), stage.model.peakConversations()]).toEqual([1, 2])
      expect(stage.slots()).toEqual([])

      const foreground = spawnKugetsu(stage.home, ['queue-daemon', 'run'])
      await waitFor('the daemon in the foreground', async () =>
        (await stage.ok(['queue-daemon', 'status'])).includes(`pid ${foreground.pid}, `),
      )
      clock.set(2 * day)
      const another = await stage.kugetsu(['queue-daemon', 'run'])
      expect(another).toMatchObject({ code: 1, stderr: expect.stringContaining('has a daemon already') })
      expect(daemonsOf(stage.home.root).map(({ pid }) => pid)).toEqual([foreground.pid])
      await foreground.kill('SIGINT')
    } finally {
      for (const socket of sockets) socket.destroy()
      silent.close()
    }
  })

  it('goes back: what a killed process held is taken over', async () => {
    await stage.ok(['queue-daemon', 'start'])
    const [daemon] = daemonsOf(stage.home.root)
    clock.set(-day)
    await killAndWait(daemon?.pid ?? 0)
    // As a process leaves it that is killed while it is admitted: from a day after now.
    fs.mkdirSync(at('slots', 'admission.lock'))
    await stage.ok(['start', ref(41), 'SAY{{did 41}}', '--wait'])
    await stage.ok(['queue-daemon', 'start'])
    const daemons = daemonsOf(stage.home.root)
    expect(daemons).toHaveLength(1)
    expect(daemons[0]?.pid).not.toBe(daemon?.pid)
  })

  it('goes forward by ten years: what is over goes by its age, and nothing that holds work', async () => {
    const over = await items()
    expect(over).toHaveLength(13) // jumps of some days took none
    const destroyed = at('logs', `dev-${String(stage.file(2)?.['opencode_session_id'])}.log`)
    await stage.ok(['destroy', ref(2), '--force', '-y'])
    expect(fs.existsSync(destroyed)).toBe(true)
    for (const number of [51, 52]) await stage.ok(['start', ref(number), work(number)])
    const waiting = await enqueue(ref(53), work(53))
    await waitFor('two agents', () => hasBegun(51) && hasBegun(52))
    await stage.ok(['queue-daemon', 'stop'])
    const kept = async () => ({
      sessions: fs.readdirSync(at('sessions')).filter((name) => name.endsWith('.json')),
      // That of a task that waits is made ahead, and taken back when the daemon ends.
      worktrees: fs.readdirSync(at('worktrees')).filter((name) => !name.endsWith('-53')),
      saved: (await runJson<{ ref: string }[]>(stage.home, ['recover', '--json'])).json.map((point) => point.ref),
      notifications: fs.readFileSync(at('activity.jsonl'), 'utf8').split('\n').length,
      transcripts: [1, 3, 51].map((number) =>
        fs.existsSync(at('logs', `dev-${String(stage.file(number)?.['opencode_session_id'])}.log`)),
      ),
      slots: stage.slots(),
    })
    const before = await kept()
    expect(before.saved).toHaveLength(1)
    expect(before.transcripts).toEqual([true, true, true])
    clock.set(3_650 * day)
    await stage.ok(['queue-daemon', 'start'])
    const left = await waitFor('the daemon to clear away', async () => {
      const all = await items()
      return all.every(({ completed_at: ended }) => ended === null) && all
    })
    expect(left.map(({ id, state }) => [id, state])).toEqual([[waiting, 'pending']])
    await waitFor('it to clear the transcripts', () => !fs.existsSync(destroyed))
    await stage.ok(['prune'])
    expect(await kept()).toEqual(before)
    expect([stage.file(51)?.['state'], stage.file(52)?.['state'], running()]).toEqual(['running', 'running', 2])
    for (const number of [51, 52, 53]) {
      await waitFor(`the first step of ${number}`, () => hasBegun(number))
      go(number)
    }
    expect((await completed([waiting])).map(({ result }) => result?.answer)).toEqual(['did 53'])
    await stage.kugetsu(['wait', ref(51), ref(52)])
    expect([stage.file(51)?.['state'], stage.file(52)?.['state']]).toEqual(['idle', 'idle'])
    expect(await stage.ok(['recover', ref(2)])).toContain('Restored')
    expect(fs.readFileSync(inWorktree(2, 'done.txt'), 'utf8')).toBe('x\n')
  })

  it('goes back under an agent: its time ends all the same', async () => {
    stage.configure({ ...config, TASK_TIMEOUT_HOURS: 0.002 })
    await stage.ok(['start', ref(61), work(61)])
    await waitFor('its first step', () => hasBegun(61))
    clock.set(-day)
    const { code } = await stage.kugetsu(['wait', ref(61)])
    expect([code, stage.file(61)?.['state']]).toEqual([1, 'timeout'])
    expect(stage.file(61)?.['last_error']).toContain('TASK_TIMEOUT_HOURS')
    expect(stage.slots()).toEqual([])
  })
})
