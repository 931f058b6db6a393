import * as fs from 'node:fs'
import * as path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Home } from '../../../src/config/home.ts'
import { KugetsuError } from '../../../src/core/errors.ts'
import { formatRef } from '../../../src/core/issue-ref.ts'
import { createDispatcher, type Dispatcher, type Starts } from '../../../src/daemon/dispatching/dispatch.ts'
import { onUnhandled } from '../../../src/daemon/last-resort.ts'
import { openQueue } from '../../../src/queue/file-queue.ts'
import type { Item } from '../../../src/queue/item.ts'
import type { Queue } from '../../../src/queue/queue.ts'
import { begun } from '../../../src/queue/transitions.ts'
import { currentProcess } from '../../../src/platform/processes.ts'
import type { Delegation } from '../../../src/sessions/pm/tell-pm-agent.ts'
import type { SessionRecord, Ending } from '../../../src/sessions/file/session-file.ts'
import { freeForgottenSlots } from '../../../src/sessions/runs/at-work.ts'
import { settleRun } from '../../../src/sessions/runs/settle.ts'
import { rescueSessions } from '../../../src/sessions/file/put-back.ts'
import { handOver, slotHolders } from '../../../src/sessions/slots/slots.ts'
import { takeSlot } from '../../../src/sessions/slots/take-slot.ts'
import type { StartRequest } from '../../../src/sessions/starting/request.ts'
import { changeSession, forgetSession, pmAgentSession, readSession } from '../../../src/sessions/file/store.ts'
import { placesOf } from '../../../src/queue/places.ts'
import { createServiceHome, type ServiceHome } from '../../helpers/service-home.ts'
import { waitFor } from '../../helpers/wait-for.ts'

let home: ServiceHome
let queue: Queue
/** What was asked to start, oldest first. */
let asked: StartRequest[]
let behaviour: Starts['start']
/** What the PM agent was told, oldest first. */
let told: Delegation[]
let telling: Starts['tell']
/** The refs of what was prepared ahead, and of what of it was taken back. */
let [prepared, discarded]: [string[], string[]] = [[], []]
beforeEach(() => {
  home = createServiceHome()
  fs.writeFileSync(home.paths.config, 'MAX_CONCURRENT_AGENTS=2\n')
  queue = openQueue(home)
  asked = []
  told = []
  prepared = []
  discarded = []
  telling = tell
  behaviour = begin
})
afterEach(() => home.cleanup())

const nameOf = (ref: string) => ref.replaceAll(/[/#]/g, '-')
const issue = (number: number) => `forge.test/me/app#${number}`

/** What startAgent leaves on file, without git and opencode: a slot, and a session with a run that names the item. */
const begin: Starts['start'] = async (at: Home, request: StartRequest) => {
  const issueRef = formatRef(request.ref)
  const name = nameOf(issueRef)
  const limit = at.settings().maxConcurrentAgents
  const admission = await takeSlot(at, { issueRef, session: name, owner: currentProcess(), limit })
  if (!admission.admitted) throw new KugetsuError('no free slot', { code: 'no_free_slot' })
  const record = await changeSession(at, name, (current) => ({
    ...(current ?? { type: 'forked', issue_ref: issueRef }),
    state: 'running',
    opencode_session_id: `ses_${name}`,
    run: {
      slot: admission.slot,
      message_ids: ['msg_1'],
      started_at: at.now().toISOString(),
      deadline_at: at.now().toISOString(),
      interruptions: 0,
      server: 'marker',
      queue_item: request.queueItem,
    },
  }))
  handOver(at, admission.slot, record)
  return { how: 'started', name, record: record as SessionRecord }
}

/** A start that never ends by itself. It may be ended before it begins to listen for that. */
const untilAborted: Starts['start'] = ({ signal }) =>
  new Promise((_, reject) => {
    const end = () => reject(signal.reason as Error)
    if (signal.aborted) end()
    else signal.addEventListener('abort', end)
  })

/** What tellPmAgent leaves on file. */
const tell: Starts['tell'] = async (at, { queueItem }) =>
  (await changeSession(at, pmAgentSession, () => ({
    type: 'pm_agent',
    state: 'running',
    opencode_session_id: 'ses_pm',
    run: {
      slot: `pm-${queueItem}`,
      message_ids: ['msg_1'],
      started_at: at.now().toISOString(),
      deadline_at: at.now().toISOString(),
      interruptions: 0,
      server: 'marker',
      queue_item: queueItem,
    },
  }))) as SessionRecord

function daemon(): Dispatcher {
  return createDispatcher(
    home,
    queue,
    {
      start: (at, request) => {
        asked.push(request)
        return behaviour(at, request)
      },
      tell: (at, delegation) => {
        told.push(delegation)
        return telling(at, delegation)
      },
      prepare: async (_at, request) => {
        prepared.push(formatRef(request.ref))
        return formatRef(request.ref)
      },
      discard: async (_at, ref) => void discarded.push(ref as string),
    },
    () => {},
  )
}

/** Looks until nothing is being started and nothing changes any more. */
async function looks(of: Dispatcher, dispatching = true): Promise<Item[]> {
  await waitFor('the end of the starts', async () => {
    const before = asked.length + told.length
    const { busy } = await of.tick(dispatching)
    return !busy && asked.length + told.length === before
  })
  return (await queue.list()).items
}

const add = (...numbers: number[]) =>
  numbers.reduce<Promise<unknown>>(
    (before, number) => before.then(() => queue.add({ issue_ref: issue(number), message: `do ${number}` })),
    Promise.resolve(),
  )

async function endRun(number: number, ending: Ending): Promise<void> {
  const name = nameOf(issue(number))
  const run = readSession(home, name)?.run
  if (!run) throw new Error(`no run of ${name}`)
  expect(await settleRun(home, name, run, ending)).toBe(true)
}

/** Lets the clock jump, forth or back. */
function pass(seconds: number): void {
  home.clock.now = new Date(home.clock.now.getTime() + seconds * 1000)
}

const states = (items: Item[]) => items.map(({ state }) => state)
const ended = () => (fs.existsSync(home.paths.queueEnded) ? fs.readdirSync(home.paths.queueEnded) : [])

describe('dispatching', () => {
  it('fills the free slots in order, and goes on as they come free', async () => {
    await add(1, 2, 3)
    const it = daemon()
    const [first] = await looks(it)
    expect(asked.map(({ message }) => message)).toEqual(['do 1', 'do 2'])
    expect(first).toMatchObject({ state: 'notified', opencode_session_id: `ses_${nameOf(issue(1))}` })
    await endRun(1, { state: 'idle', cost: 0.25 })
    const items = await looks(it)
    expect(states(items)).toEqual(['completed', 'notified', 'notified'])
    expect(items[0]?.result).toMatchObject({ cost: 0.25 })
    expect(ended()).toEqual([])
  })

  it('gives the slots of starts that wait for a remote to the next tasks, and waits with these once it has answered', async () => {
    await add(1, 2, 3, 4)
    const answers: (() => void)[] = []
    behaviour = async (at, request) => {
      if (Number(request.ref.id) > 2) return begin(at, request)
      request.onRemoteWait?.(true)
      await new Promise<void>((resolve) => answers.push(resolve))
      request.onRemoteWait?.(false)
      await waitFor('a slot', () => slotHolders(home).length < 2)
      return begin(at, request)
    }
    const it = daemon()
    await waitFor('the others', async () => {
      await it.tick(true)
      return asked.length === 4
    })
    expect(asked.map(({ message }) => message).sort()).toEqual(['do 1', 'do 2', 'do 3', 'do 4'])
    await waitFor('the agents', async () => (await queue.list()).items[3]?.state === 'notified')
    answers.forEach((answer) => answer())
    await add(5)
    await it.tick(true)
    await endRun(3, { state: 'idle' })
    await endRun(4, { state: 'idle' })
    await waitFor('the first two', async () => {
      await it.tick(true)
      return states((await queue.list()).items).filter((state) => state === 'notified').length === 2
    })
    expect(asked).toHaveLength(4)
  })

  it('ends a start that a person wants to end: the task ends as stopped, and only that', async () => {
    await add(1, 2)
    behaviour = untilAborted
    const it = daemon()
    await it.tick(true)
    const [first] = (await queue.list()).items
    expect(it.cancel({ issue: issue(7) })).toBe(false)
    expect(it.cancel({ issue: issue(1), item: 'q_other' })).toBe(false)
    expect(it.cancel({ issue: issue(1).toUpperCase(), item: first?.id ?? '' })).toBe(true)
    await waitFor('its end', async () => (await queue.list()).items[0]?.state === 'error')
    expect((await queue.list()).items.map(({ state, error }) => [state, error])).toEqual([
      ['error', 'stopped'],
      ['pending', null],
    ])
    await it.close()
  })

  it('starts nothing when it is off, and notes what ended all the same', async () => {
    await add(1, 2)
    await looks(daemon())
    await add(3)
    await endRun(1, { state: 'error', error: 'no credit' })
    const items = await looks(daemon(), false)
    expect(items.map(({ state, error }) => [state, error])).toEqual([
      ['error', 'no credit'],
      ['notified', null],
      ['pending', null],
    ])
    expect(asked).toHaveLength(2)
  })

  it('asks for no more at once than there are slots, also while they are still being set up', async () => {
    await add(1, 2, 3, 4)
    let open = () => {}
    const gate = new Promise<void>((resolve) => (open = resolve))
    behaviour = async (at, request) => {
      await gate
      return begin(at, request)
    }
    const it = daemon()
    for (let look = 0; look < 4; look++) await it.tick(true)
    await waitFor('two starts', () => asked.length === 2)
    await it.tick(true)
    open()
    expect(states(await looks(it))).toEqual(['notified', 'notified', 'pending', 'pending'])
    expect(asked).toHaveLength(2)
  })

  it('takes a missing slot for no attempt', async () => {
    await add(1)
    behaviour = async () => {
      throw new KugetsuError('no free slot', { code: 'no_free_slot' })
    }
    const it = daemon()
    const { againInMs } = await it.tick(true)
    expect(againInMs).toBeGreaterThan(0)
    const [item] = await looks(it)
    expect(item).toMatchObject({ state: 'pending', attempts: [] })
  })

  it('tries a failed start three times, each later than the one before', async () => {
    await add(1)
    behaviour = async () => {
      throw new KugetsuError('host unreachable', { code: 'clone_failed' })
    }
    const it = daemon()
    await looks(it)
    expect(asked).toHaveLength(1)
    const { againInMs } = await it.tick(true)
    expect(againInMs).toBe(5_000)
    for (const seconds of [6, 40]) {
      pass(seconds)
      await looks(it)
    }
    expect(asked).toHaveLength(3)
    const [item] = await looks(it)
    expect(item).toMatchObject({ state: 'error', error: 'host unreachable' })
    expect(item?.attempts.map(({ reason }) => reason)).toEqual(Array.from({ length: 3 }, () => 'host unreachable'))
  })

  it.each([['bad_ref'], ['unknown_base'], ['empty_repository'], ['bad_url']])(
    'gives up at once on %s',
    async (code) => {
      await add(1)
      behaviour = async () => {
        throw new KugetsuError('never', { code })
      }
      expect((await looks(daemon()))[0]).toMatchObject({ state: 'error', error: 'never' })
      expect(asked).toHaveLength(1)
    },
  )

  it('gives up at once on what is no issue ref', async () => {
    await queue.add({ issue_ref: 'nonsense', message: 'x', kind: 'dev' })
    expect((await looks(daemon()))[0]).toMatchObject({ state: 'error', error: expect.stringContaining('nonsense') })
    expect(asked).toEqual([])
  })

  it('does not use up the queue when nothing can be started at all', async () => {
    await add(1, 2, 3, 4)
    behaviour = async () => {
      throw new KugetsuError('opencode serve did not start', { code: 'server_failed' })
    }
    const it = daemon()
    await looks(it)
    for (let look = 0; look < 5; look++) await looks(it)
    expect(asked).toHaveLength(2) // as many as there were slots, before it was known
  })

  it('takes a server that died under a start for no failure of the task, until the third time', async () => {
    await add(1)
    let deaths = 2
    behaviour = (at, request) => {
      if (deaths-- > 0) throw new KugetsuError('the opencode server died', { code: 'server_died' })
      return begin(at, request)
    }
    const it = daemon()
    for (let look = 0; look < 5; look++) {
      await looks(it)
      pass(5)
    }
    const [item] = await looks(it)
    expect(item?.state).toBe('notified')
    expect(item?.attempts.map(({ outcome }) => outcome)).toEqual(['interrupted', 'interrupted', null])

    await add(2)
    deaths = 3
    for (let look = 0; look < 4; look++) {
      await looks(it)
      pass(5)
    }
    expect((await looks(it))[1]).toMatchObject({ state: 'error', error: expect.stringContaining('last 3 tries') })
  })

  it('ends only the task under which something fails that nobody waits for', async () => {
    await add(1, 2)
    behaviour = async (at, request) => {
      if (request.ref.id !== '1') return begin(at, request)
      await sleep(1)
      onUnhandled(home)(new Error('boo')) // as Node calls it, in the context of what has failed
      await sleep(60_000, undefined, { signal: at.signal })
      return begin(at, request)
    }
    const it = daemon()
    await looks(it)
    await waitFor('the end of the task', async () => (await looks(it))[0]?.state === 'error')
    const [one, other] = await looks(it)
    expect(one).toMatchObject({ error: 'unexpected: boo', attempts: [{ outcome: 'failed' }] })
    expect(other?.state).toBe('notified')
  })

  it('goes by the limit as it is configured at that moment', async () => {
    await add(1, 2, 3, 4)
    const it = daemon()
    await looks(it)
    fs.writeFileSync(home.paths.config, 'MAX_CONCURRENT_AGENTS=3\n')
    expect(states(await looks(it))).toEqual(['notified', 'notified', 'notified', 'pending'])
    fs.writeFileSync(home.paths.config, 'MAX_CONCURRENT_AGENTS=1\n')
    await endRun(1, { state: 'idle' })
    await endRun(2, { state: 'idle' })
    expect(states(await looks(it))).toEqual(['completed', 'completed', 'notified', 'pending'])
    await endRun(3, { state: 'idle' })
    expect(states(await looks(it))).toEqual(['completed', 'completed', 'completed', 'notified'])
  })

  it('ends the starts that go on when it is closed, and their tasks wait again', async () => {
    await add(1)
    behaviour = untilAborted
    const it = daemon()
    await it.tick(true)
    await waitFor('the start', () => asked.length === 1)
    await it.close()
    expect((await queue.list()).items[0]).toMatchObject({ state: 'pending', attempts: [] })
  })
})

describe('a daemon that was killed', () => {
  it('before it started the agent leaves a task that is started once', async () => {
    await add(1, 2, 3)
    const [item] = (await queue.list()).items
    await queue.change(item?.id ?? '', (current) => begun(current, home.now()))
    const [after] = await looks(daemon())
    expect(after?.attempts.map(({ outcome }) => outcome)).toEqual(['interrupted', null])
    expect(asked.map(({ message }) => message)).toEqual(['do 1', 'do 2']) // in its old place
  })

  it('after that, before it noted it, leaves one that is not started again, ended or not', async () => {
    await add(1, 2)
    for (const { id, issue_ref } of (await queue.list()).items) {
      await queue.change(id, (current) => begun(current, home.now()))
      const number = issue_ref?.split('#')[1] ?? ''
      const ref = { host: 'forge.test', owner: 'me', repo: 'app', id: number }
      await begin(home, { ref, message: '', queueItem: id })
    }
    await endRun(2, { state: 'idle' })
    expect(states(await looks(daemon()))).toEqual(['notified', 'completed'])
    expect(asked).toEqual([])
  })

  it('before the agent was told leaves one that is started again', async () => {
    await add(1)
    await looks(daemon())
    await endRun(1, { state: 'error', error: 'never told', undelivered: true })
    const [after] = await looks(daemon())
    expect(asked).toHaveLength(2)
    expect(after?.attempts.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['interrupted', 'never told'],
      [null, null],
    ])
  })

  it('before it noted an end leaves it to the next, though the session is destroyed meanwhile', async () => {
    await add(1)
    await looks(daemon())
    await endRun(1, { state: 'idle', cost: 1 })
    await forgetSession(home, nameOf(issue(1)))
    expect((await looks(daemon()))[0]).toMatchObject({ state: 'completed', result: { cost: 1 } })
  })
})

describe('an item whose session', () => {
  it('is destroyed while its agent works ends as an error', async () => {
    await add(1)
    await looks(daemon())
    await forgetSession(home, nameOf(issue(1)))
    freeForgottenSlots(home)
    expect((await looks(daemon()))[0]).toMatchObject({ state: 'error', error: expect.stringContaining('is gone') })
  })

  it('had a run for it before, is done anew after a retry, and not ended by what is left of the first', async () => {
    await add(1)
    const it = daemon()
    await looks(it)
    await endRun(1, { state: 'error', error: 'first' })
    const stale = fs.readFileSync(path.join(home.paths.queueEnded, ended()[0] ?? ''), 'utf8')
    const [failed] = await looks(it)
    const id = failed?.id ?? ''
    fs.writeFileSync(path.join(home.paths.queueEnded, `${id}.json`), stale)
    await queue.change(id, (item) => ({ ...item, state: 'pending', error: null }))
    expect((await looks(it))[0]?.state).toBe('notified')
    expect(asked).toHaveLength(2)
    expect(ended()).toEqual([])
  })
})

describe('messages to the PM agent', () => {
  const delegate = (message: string) => queue.add({ kind: 'pm', issue_ref: null, message })
  async function endPmRun(ending: Ending): Promise<void> {
    const run = readSession(home, pmAgentSession)?.run
    if (!run) throw new Error('the PM agent is not at work')
    expect(await settleRun(home, pmAgentSession, run, ending)).toBe(true)
  }

  it('reach it one at a time and in order, and need no slot', async () => {
    await add(1, 2)
    await delegate('one')
    await delegate('two')
    await add(3)
    const it = daemon()
    expect(states(await looks(it))).toEqual(['notified', 'notified', 'notified', 'pending', 'pending'])
    expect(told.map(({ message }) => message)).toEqual(['one'])
    expect(asked.map(({ message }) => message)).toEqual(['do 1', 'do 2'])
    await endPmRun({ state: 'idle', answer: 'I started three.' })
    await looks(it)
    const items = await looks(it)
    expect(states(items)).toEqual(['notified', 'notified', 'completed', 'notified', 'pending'])
    expect(items[2]?.result?.answer).toBe('I started three.')
    expect(told.map(({ message }) => message)).toEqual(['one', 'two'])
  })

  it('are not sent twice by the next daemon, also when it died while it sent one', async () => {
    await delegate('one')
    await delegate('two')
    const first = daemon()
    telling = async (at, delegation) => {
      await tell(at, delegation)
      return new Promise(() => {}) // killed before it could note that
    }
    await first.tick(true)
    await waitFor('the message', () => readSession(home, pmAgentSession)?.run !== undefined)
    telling = tell
    expect(states(await looks(daemon()))).toEqual(['notified', 'pending'])
    expect(told).toHaveLength(1)
  })

  it('are tried again when the PM agent could not be told, and end as an error in the end', async () => {
    await delegate('one')
    telling = async () => {
      throw new Error('no such luck')
    }
    const it = daemon()
    for (let attempt = 0; attempt < 3; attempt++) {
      await looks(it)
      home.clock.now = new Date(home.clock.now.getTime() + 60_000)
    }
    const [item] = await looks(it)
    expect(item).toMatchObject({ state: 'error', error: 'no such luck' })
    expect(item?.attempts).toHaveLength(3)
  })
})

describe('a session file that is spoiled while its agent works', () => {
  const file = () => path.join(home.paths.sessions, `${nameOf(issue(1))}.json`)

  it.each([
    ['noted', async () => void (await looks(daemon()))],
    [
      'started, and not noted yet by a daemon that was killed',
      async () => {
        const [item] = (await queue.list()).items
        await queue.change(item?.id ?? '', (current) => begun(current, home.now()))
        const ref = { host: 'forge.test', owner: 'me', repo: 'app', id: '1' }
        await begin(home, { ref, message: '', queueItem: item?.id })
      },
    ],
  ])('ends nothing: %s', async (_, begun) => {
    await add(1)
    await begun()
    const times = asked.length
    fs.writeFileSync(file(), '{"type":"forked","run":{"sl')
    const [spoiled] = await looks(daemon())
    expect(spoiled?.state).not.toBe('error')
    expect(asked).toHaveLength(times)
    freeForgottenSlots(home)
    expect(slotHolders(home)).toHaveLength(1)

    expect(await rescueSessions(home)).toBe(true)
    expect(await rescueSessions(home)).toBe(false)
    expect((await looks(daemon()))[0]?.state).toBe('notified')
    await endRun(1, { state: 'idle', cost: 1 })
    expect((await looks(daemon()))[0]).toMatchObject({ state: 'completed', result: { cost: 1 } })
    expect(slotHolders(home)).toEqual([])
    expect(asked).toHaveLength(times)
  })

  it('of a run that is over, or that was deleted, is not put back', async () => {
    await add(1, 2)
    await looks(daemon())
    await endRun(1, { state: 'idle' })
    fs.writeFileSync(file(), 'spoiled')
    await forgetSession(home, nameOf(issue(2)))
    await looks(daemon())
    expect(await rescueSessions(home)).toBe(false)
    freeForgottenSlots(home)
    expect(slotHolders(home)).toEqual([])
    expect(states((await looks(daemon())).slice(0, 2))).toEqual(['completed', 'error'])
  })
})

describe('a clock that jumps', () => {
  it.each([3_600, -3_600])('by %d s between all steps keeps the order, and starts each task once', async (seconds) => {
    const it = daemon()
    const jump = () => pass(seconds)
    for (const number of [1, 2, 3]) {
      await add(number)
      jump()
    }
    expect((await queue.list()).items.map(({ message }) => message)).toEqual(['do 1', 'do 2', 'do 3'])
    await looks(it)
    for (const number of [1, 2, 3]) {
      jump()
      await endRun(number, { state: 'idle' })
      jump()
      await looks(it)
    }
    expect(states(await looks(it))).toEqual(['completed', 'completed', 'completed'])
    expect(asked.map(({ message }) => message)).toEqual(['do 1', 'do 2', 'do 3'])
  })

  it('back lets no failed start wait for longer than its pause could be', async () => {
    await add(1)
    behaviour = async () => {
      throw new KugetsuError('host unreachable', { code: 'clone_failed' })
    }
    const it = daemon()
    await looks(it)
    pass(-3_600)
    behaviour = begin
    expect(states(await looks(it))).toEqual(['notified'])
    expect(asked).toHaveLength(2)
  })
})

describe('what lies in the queue and is no task', () => {
  it('is named once by a daemon that lives long, and holds up nobody', async () => {
    await add(1, 2)
    const at = (name: string) => path.join(placesOf(home).items, name)
    const bad = ['q_1.json', 'q_2.json', 'q_3.json', 'q_4.json', 'q_5.json', 'foreign.json']
    fs.writeFileSync(at(bad[0]!), '')
    fs.writeFileSync(at(bad[1]!), '{"id":"q_2","state":"pend')
    fs.mkdirSync(at(bad[2]!))
    fs.symlinkSync('/nowhere', at(bad[3]!))
    fs.writeFileSync(at(bad[4]!), `{"id":"q_5","state":"pending","message":"${'x'.repeat(10_000_000)}"}`)
    fs.writeFileSync(at(bad[5]!), '{"name":"a package"}')
    const it = daemon()
    for (let look = 0; look < 20; look++) await it.tick(true)
    expect(states(await looks(it))).toEqual(['notified', 'notified'])
    expect(home.warnings).toHaveLength(bad.length)
    for (const name of bad) expect(home.warnings.filter((text) => text.includes(name))).toHaveLength(1)
  })
})

describe('too little memory', () => {
  const available = (mb: number) =>
    fs.writeFileSync(path.join(home.system, 'proc/meminfo'), `MemAvailable: ${mb * 1024} kB\n`)
  beforeEach(() => fs.mkdirSync(path.join(home.system, 'proc')))

  it('keeps tasks in the queue, untried, says so once, and lets them go on', async () => {
    available(100)
    await add(1, 2)
    const dispatcher = daemon()
    for (let times = 0; times < 3; times++) {
      const items = await looks(dispatcher)
      expect(items.map(({ state, attempts }) => [state, attempts])).toEqual([
        ['pending', []],
        ['pending', []],
      ])
    }
    expect(asked).toEqual([])
    // 256 as a reserve, 400 for the server that does not run yet, 100 for the agent.
    expect(home.warnings).toEqual([
      'tasks wait: too little memory for one more agent: 100 MB available, 756 MB needed (MIN_FREE_MEMORY_MB)',
    ])
    available(2000)
    expect((await looks(dispatcher)).map(({ state }) => state)).toEqual(['notified', 'notified'])
    expect(home.warnings).toHaveLength(1)
  })

  it('lets as many begin at once as there is memory for, and the rest when those have taken theirs', async () => {
    available(756 + 99)
    await add(1, 2)
    const dispatcher = daemon()
    expect((await looks(dispatcher)).map(({ state }) => state)).toEqual(['notified', 'pending'])
    pass(30)
    expect((await looks(dispatcher)).map(({ state }) => state)).toEqual(['notified', 'notified'])
  })

  it('keeps no message from the PM agent', async () => {
    available(0)
    await queue.add({ kind: 'pm', issue_ref: null, message: 'how far?', mentions: [] })
    await looks(daemon())
    expect(told).toHaveLength(1)
    expect(home.warnings).toEqual([])
  })
})
