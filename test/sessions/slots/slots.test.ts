import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Home } from '../../../src/config/home.ts'
import { currentProcess, identify, isAlive, type ProcessIdentity } from '../../../src/platform/processes.ts'
import { freeForgottenSlots } from '../../../src/sessions/runs/at-work.ts'
import { handOver, releaseSlot, slotHolders } from '../../../src/sessions/slots/slots.ts'
import { takeSlot } from '../../../src/sessions/slots/take-slot.ts'
import { changeSession } from '../../../src/sessions/file/store.ts'
import { bareHome } from '../../helpers/bare-home.ts'
import { waitFor } from '../../helpers/wait-for.ts'

let root: string
let home: Home
let owners: ChildProcess[]
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-slots-'))
  home = bareHome(root)
  owners = []
})
afterEach(async () => {
  for (const owner of owners) await kill(owner)
  fs.rmSync(root, { recursive: true, force: true })
})

/** A process that lives until it is killed. */
function startOwner(): { child: ChildProcess; identity: ProcessIdentity } {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' })
  owners.push(child)
  const identity = identify(child.pid ?? 0)
  if (identity === undefined) throw new Error('it did not start')
  return { child, identity }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

const take = (issue: number, options: { owner?: ProcessIdentity; limit?: number; order?: boolean } = {}) =>
  takeSlot(home, {
    issueRef: `forge.test/me/app#${issue}`,
    session: `forge.test-me-app-${issue}`,
    owner: options.owner ?? currentProcess(),
    limit: options.limit ?? 2,
    ...(options.order === undefined ? {} : { order: options.order }),
  })

/** Takes a slot that must be free; its id. */
async function taken(...args: Parameters<typeof take>): Promise<string> {
  const admission = await take(...args)
  if (!admission.admitted) throw new Error(`refused: ${JSON.stringify(admission.holders)}`)
  return admission.slot
}

const holders = () => slotHolders(home).map(({ issueRef, phase }) => `${issueRef.split('#')[1] ?? issueRef} ${phase}`)
const files = () => fs.readdirSync(home.paths.slots).sort()

/** Says in a session file that a slot is that of its run. */
const nameInSession = (issue: number, slot: string | null) =>
  changeSession(home, `forge.test-me-app-${issue}`, (current) => ({
    ...(current ?? { type: 'forked', issue_ref: `forge.test/me/app#${issue}`, state: 'running' }),
    run:
      slot === null
        ? null
        : {
            slot,
            message_ids: ['msg_1'],
            started_at: new Date().toISOString(),
            deadline_at: new Date().toISOString(),
            interruptions: 0,
            server: 'some server',
          },
  }))

describe('a slot', () => {
  it('is given up to the limit; a refusal says who holds them, oldest first', async () => {
    await taken(1)
    await taken(2)
    const refused = await take(3)
    expect(refused.admitted).toBe(false)
    expect(refused).toMatchObject({
      holders: [
        { issueRef: 'forge.test/me/app#1', session: 'forge.test-me-app-1', phase: 'held', owner: currentProcess() },
        { issueRef: 'forge.test/me/app#2', session: 'forge.test-me-app-2', phase: 'held', owner: currentProcess() },
      ],
    })
    expect(holders()).toEqual(['1 held', '2 held'])
  })

  it('leaves nothing behind when it is given back, nor does a refusal', async () => {
    const slots = [await taken(1), await taken(2)]
    expect((await take(3)).admitted).toBe(false)
    expect((await take(3, { order: false })).admitted).toBe(false)
    for (const slot of slots) releaseSlot(home, slot)
    expect(files()).toEqual([])
    await taken(3)
  })

  it('may be given back twice, and that frees no other', async () => {
    const first = await taken(1)
    releaseSlot(home, first)
    await taken(2)
    releaseSlot(home, first)
    expect(holders()).toEqual(['2 held'])
  })

  it('is one of three that thirty callers get at once', async () => {
    for (const order of [true, false]) {
      const admissions = await Promise.all(Array.from({ length: 30 }, (_, n) => take(n, { limit: 3, order })))
      const slots = admissions.flatMap((admission) => (admission.admitted ? [admission.slot] : []))
      expect(slots).toHaveLength(3)
      expect(holders()).toHaveLength(3)
      for (const slot of slots) releaseSlot(home, slot)
    }
  })

  it('is not given while more are held than a lowered limit allows, nor at all with none', async () => {
    const slots = [await taken(1, { limit: 3 }), await taken(2, { limit: 3 }), await taken(3, { limit: 3 })]
    for (const slot of slots) {
      const refused = await take(4, { limit: 1 })
      expect(refused.admitted).toBe(false)
      releaseSlot(home, slot)
    }
    await taken(4, { limit: 1 })
    expect(holders()).toEqual(['4 held'])
  })

  it('is private to the user', async () => {
    const slot = await taken(1)
    handOver(home, slot)
    expect(fs.statSync(home.paths.slots).mode & 0o777).toBe(0o700)
    const modes = files().map((name) => fs.statSync(path.join(home.paths.slots, name)).mode & 0o777)
    expect(modes).toEqual([0o600, 0o600, 0o600])
  })
})

describe('the slot of a process that dies', () => {
  it('is free at once', async () => {
    const owner = startOwner()
    await taken(1, { owner: owner.identity, limit: 1 })
    expect((await take(2, { limit: 1 })).admitted).toBe(false)
    await kill(owner.child)
    expect(holders()).toEqual([])
    expect(files()).toEqual([])
    await taken(2, { limit: 1 })
  })

  it('is free while its parent has not noticed: a zombie is dead', async () => {
    // The shell becomes a sleep, which never asks how its child ended.
    const parent = spawn('sh', ['-c', 'sleep 600 & echo $!; exec sleep 601'], { stdio: ['ignore', 'pipe', 'ignore'] })
    owners.push(parent)
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const pid = Number(line.toString())
    const identity = identify(pid)
    if (identity === undefined) throw new Error('it did not start')
    await taken(1, { owner: identity, limit: 1 })
    expect(holders()).toEqual(['1 held'])
    process.kill(pid, 'SIGKILL')
    await waitFor('the zombie', () => !isAlive(identity))
    expect(process.kill(pid, 0)).toBe(true)
    await taken(2, { limit: 1 })
    expect(holders()).toEqual(['2 held'])
  })

  it('is free when another process has its pid by now', async () => {
    const { identity } = startOwner()
    const slot = await taken(1, { owner: identity, limit: 1 })
    const file = path.join(home.paths.slots, `${slot}.slot`)
    const before = { ...identity, start_time: `${Number(identity.start_time) - 1}` }
    const reservation = JSON.parse(fs.readFileSync(file, 'utf8')) as object
    fs.writeFileSync(file, JSON.stringify({ ...reservation, owner: before }))
    await taken(2, { limit: 1 })
    expect(holders()).toEqual(['2 held'])
  })

  it('stays taken while it is only suspended', async () => {
    const owner = startOwner()
    await taken(1, { owner: owner.identity, limit: 1 })
    owner.child.kill('SIGSTOP')
    expect((await take(2, { limit: 1 })).admitted).toBe(false)
    expect(holders()).toEqual(['1 held'])
  })

  it('stays taken when it belongs to another pid namespace, where nobody here can see it die', async () => {
    const owner = startOwner()
    await taken(1, { owner: { ...owner.identity, pid_namespace: 'pid:[1]' }, limit: 1 })
    await kill(owner.child)
    expect((await take(2, { limit: 1 })).admitted).toBe(false)
    expect(holders()).toEqual(['1 held'])
  })

  it('stays taken once it was handed over to the run', async () => {
    const owner = startOwner()
    const slot = await taken(1, { owner: owner.identity, limit: 1 })
    handOver(home, slot)
    handOver(home, slot) // twice is no harm
    await kill(owner.child)
    expect(holders()).toEqual(['1 run'])
    expect((await take(2, { limit: 1 })).admitted).toBe(false)
    releaseSlot(home, slot)
    expect(files()).toEqual([])
    await taken(2, { limit: 1 })
  })

  it('does not keep the others of the same directory from being seen', async () => {
    const owner = startOwner()
    await taken(1, { owner: owner.identity, limit: 3 })
    handOver(home, await taken(2, { limit: 3 }))
    await taken(3, { limit: 3 })
    await kill(owner.child)
    expect(holders()).toEqual(['2 run', '3 held'])
  })
})

describe('the slot of a run', () => {
  it('is freed once no session names it, and not before', async () => {
    const slot = await taken(1)
    await nameInSession(1, slot)
    handOver(home, slot)
    freeForgottenSlots(home)
    expect(holders()).toEqual(['1 run'])
    await nameInSession(1, null)
    freeForgottenSlots(home)
    expect(files()).toEqual([])
  })

  it('is freed when its session has another by now, or no file', async () => {
    const old = await taken(1)
    const current = await taken(1)
    handOver(home, old)
    handOver(home, current)
    await nameInSession(1, current)
    handOver(home, await taken(2, { limit: 3 }))
    freeForgottenSlots(home)
    expect(slotHolders(home).map(({ id }) => id)).toEqual([current])
  })

  it('is not the business of those that are being set up', async () => {
    await taken(1)
    freeForgottenSlots(home)
    expect(holders()).toEqual(['1 held'])
  })
})

describe('a reservation that cannot be read', () => {
  const breakages: Record<string, (file: string) => void> = {
    empty: (file) => fs.writeFileSync(file, ''),
    'cut off': (file) => fs.truncateSync(file, 20),
    'of another shape': (file) => fs.writeFileSync(file, '{"owner": 7}'),
    'a directory': (file) => {
      fs.rmSync(file)
      fs.mkdirSync(path.join(file, 'inner'), { recursive: true })
    },
    'full of zeros': (file) => fs.writeFileSync(file, '\0'.repeat(200)),
  }
  it.each(Object.keys(breakages))('%s, counts as taken until no session names it', async (how) => {
    const slot = await taken(1, { limit: 1 })
    await nameInSession(1, slot)
    breakages[how]?.(path.join(home.paths.slots, `${slot}.slot`))
    expect(holders()).toEqual(['(unreadable) run'])
    expect((await take(2, { limit: 1 })).admitted).toBe(false)
    freeForgottenSlots(home)
    expect(holders()).toEqual(['(unreadable) run'])

    await nameInSession(1, null)
    freeForgottenSlots(home)
    expect(holders()).toEqual([])
    await taken(2, { limit: 1 })
    // What it was is kept; its markers are swept.
    const kept = files().filter((name) => name.startsWith(slot))
    expect(kept).toHaveLength(1)
    expect(kept[0]).toContain('.unreadable-')
  })
})

describe('what killed processes leave in the directory of the slots', () => {
  const place = (name: string, content = '') => {
    fs.mkdirSync(home.paths.slots, { recursive: true })
    fs.writeFileSync(path.join(home.paths.slots, name), content)
  }
  const old = (name: string) => fs.utimesSync(path.join(home.paths.slots, name), new Date(0), new Date(0))

  it('is swept: markers without a reservation', async () => {
    place('lost-1.held')
    place('lost-2.run')
    place('lost-3.held')
    place('lost-3.run')
    await taken(1, { limit: 1 })
    expect(files().filter((name) => name.startsWith('lost'))).toEqual([])
  })

  it('is swept: a temporary file of a dead writer, not one of a living', async () => {
    const dead = startOwner()
    const living = startOwner()
    await kill(dead.child)
    const [gone, recent, used] = [
      `.a.slot.${dead.identity.pid}.0123456789ab`,
      `.b.slot.${dead.identity.pid}.0123456789ab`,
      `.c.slot.${living.identity.pid}.0123456789ab`,
    ]
    for (const name of [gone, recent, used]) place(name, 'half of a reserv')
    old(gone)
    old(used)
    expect(holders()).toEqual([])
    expect(files()).toEqual([recent, used])
  })

  it('is left alone when it is not ours', async () => {
    place('notes.txt', 'mine')
    place('.hidden', 'mine')
    await taken(1, { limit: 1 })
    expect(files()).toEqual(expect.arrayContaining(['notes.txt', '.hidden']))
    expect(holders()).toEqual(['1 held'])
  })

  it('is no reason to refuse: a claim of a dead process that was never admitted', async () => {
    const owner = startOwner()
    const slot = await taken(1, { owner: owner.identity, limit: 1 })
    fs.rmSync(path.join(home.paths.slots, `${slot}.held`))
    expect(holders()).toEqual(['1 claimed'])
    await kill(owner.child)
    await taken(2, { limit: 1 })
    expect(holders()).toEqual(['2 held'])
  })
})
