/**
 * The limit under processes that are killed and suspended at random moments, judged by an oracle that trusts nothing of
 * what kugetsu writes (test/fixtures/programs/slot-worker.ts). KUGETSU_STRESS=10 makes it ten times as long.
 */
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Home } from '../../../src/config/home.ts'
import { currentProcess } from '../../../src/platform/processes.ts'
import { releaseSlot, slotHolders } from '../../../src/sessions/slots/slots.ts'
import { takeSlot } from '../../../src/sessions/slots/take-slot.ts'
import type { SlotWorkerConfig } from '../../fixtures/programs/slot-worker.ts'
import { bareHome } from '../../helpers/bare-home.ts'
import { buildProgram, type Program, type ProgramRun } from '../../helpers/programs.ts'
import { waitFor } from '../../helpers/wait-for.ts'

const factor = Math.max(1, Number(process.env['KUGETSU_STRESS']) || 1)
const limit = 3
const workers = 8

let root: string
let home: Home
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-stress-'))
  home = bareHome(path.join(root, 'home'))
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

describe('the limit', () => {
  let worker: Program
  beforeAll(async () => {
    worker = await buildProgram('slot-worker')
  })
  afterAll(() => worker.remove())

  const longMs = 120_000 + factor * 60_000

  it('holds without the admission lock, whoever is killed or suspended', { timeout: longMs }, async () => {
    const seen = await stress(worker, 'unordered', { rounds: 300 * factor, kills: 20 * factor })
    expect(seen.over).toEqual([])
    expectClean()
  })

  it('holds with it', { timeout: longMs }, async () => {
    const seen = await stress(worker, 'ordered', { rounds: 200 * factor, kills: 20 * factor })
    expect(seen.over).toEqual([])
    expectClean()
  })

  // Proves that the oracle sees what it is there to see.
  it('is broken by the naive design, which the same harness catches', { timeout: longMs }, async () => {
    const seen = await stress(worker, 'naive', { rounds: 20_000, kills: 0, untilOver: true })
    expect(seen.over.length).toBeGreaterThan(0)
    expect(Math.max(...seen.over)).toBeGreaterThan(limit)
  })

  /** Nobody lives any more, so nothing is held, and what was left is swept (temporary files after a while). */
  function expectClean(): void {
    expect(slotHolders(home)).toEqual([])
    slotHolders(home)
    expect(fs.readdirSync(home.paths.slots).filter((name) => /^[^.].*\.(slot|held|run)$/.test(name))).toEqual([])
  }
})

describe('an admission lock that is stuck', () => {
  let holder: Program
  beforeAll(async () => {
    holder = await buildProgram('order-holder')
  })
  afterAll(() => holder.remove())

  const lock = () => path.join(home.paths.slots, 'admission.lock')
  const stuck: Record<string, () => void> = {
    'a lock of the future': () => {
      fs.mkdirSync(lock(), { recursive: true })
      const future = new Date(Date.now() + 3_600_000)
      fs.utimesSync(lock(), future, future)
    },
    'a file in its place': () => {
      fs.mkdirSync(home.paths.slots, { recursive: true })
      fs.writeFileSync(lock(), '')
    },
    'a lock with something in it': () => fs.mkdirSync(path.join(lock(), 'full'), { recursive: true }),
  }

  it.each(Object.keys(stuck))('stops nobody for long: %s', async (what) => {
    stuck[what]?.()
    expect(await admittedOfTen()).toBe(limit)
  })

  it('stops nobody for long: a holder that is suspended', async () => {
    const run = holder.start({ file: path.join(home.paths.slots, 'admission'), stop: true, holdMs: 1_500 })
    await waitFor('the holder to have the lock', () => run.said().includes('held'))
    expect(await admittedOfTen()).toBe(limit)
    run.child.kill('SIGCONT')
    expect(await run.ended).toBe(0) // its lock is another's by now, and that is no reason to crash
    expect(slotHolders(home)).toHaveLength(limit)
  })

  async function admittedOfTen(): Promise<number> {
    const attempts = Array.from({ length: 10 }, (_, index) =>
      takeSlot(home, { issueRef: `forge.test/me/app#${index}`, session: `s${index}`, owner: currentProcess(), limit }),
    )
    const admitted = (await Promise.all(attempts)).filter((admission) => admission.admitted).length
    expect(slotHolders(home)).toHaveLength(admitted)
    return admitted
  }
})

describe('a slot', () => {
  it('is never lost when many give it back and take it at once', async () => {
    for (let round = 0; round < 20; round++) {
      const take = () =>
        takeSlot(home, { issueRef: 'forge.test/me/app#1', session: 's', owner: currentProcess(), limit, order: false })
      const admissions = await Promise.all(Array.from({ length: 6 }, take))
      const slots = admissions.flatMap((admission) => (admission.admitted ? [admission.slot] : []))
      expect(slots).toHaveLength(limit)
      for (const slot of slots) releaseSlot(home, slot)
    }
    expect(fs.readdirSync(home.paths.slots)).toEqual([])
  })
})

interface Seen {
  admitted: number
  refused: number
  /** How many held at once, for each time that it was more than the limit. */
  over: number[]
  kills: number
  stops: number
}

/** Lets the workers compete until they were admitted `rounds` times and `kills` of them were killed. */
async function stress(
  worker: Program,
  design: SlotWorkerConfig['design'],
  until: { rounds: number; kills: number; untilOver?: boolean },
): Promise<Seen> {
  const log = path.join(root, 'log')
  const output = fs.openSync(log, 'a')
  const oracle = path.join(root, 'oracle')
  let kills = 0
  let stops = 0
  let ending = false
  const troubles: unknown[] = []
  const running: ProgramRun[] = []
  const start = (index: number) => {
    const config: SlotWorkerConfig = { home: home.paths.home, oracle, index, workers, limit, design, holdMs: 15 }
    const run = worker.start(config, output)
    running[index] = run
    run.child.on('close', (code) => {
      if (ending) return
      if (code !== null) troubles.push(code)
      start(index)
    })
  }
  const seen = () => ({ ...readLog(log), kills, stops })
  const enough = ({ admitted, over }: Seen) =>
    (until.untilOver === true && over.length > 0) || (admitted >= until.rounds && kills >= until.kills)
  try {
    for (let index = 0; index < workers; index++) start(index)
    await waitFor('the first admissions', () => readLog(log).admitted > 0)
    while (!enough(seen()) && troubles.length === 0) {
      await sleep(5 + Math.random() * 60)
      if (until.kills === 0) continue
      const victim = running[Math.floor(Math.random() * workers)]
      if (Math.random() < 0.7) {
        if (victim?.child.kill('SIGKILL') === true) kills++
      } else {
        victim?.child.kill('SIGSTOP')
        stops++
        // Now and then for longer than the admission lock takes for dead.
        await sleep(Math.random() < 0.1 ? 2_500 : Math.random() * 100)
        victim?.child.kill('SIGCONT')
      }
    }
    ending = true
    for (const run of running) run.go()
    await Promise.all(running.map(({ ended }) => ended))
  } finally {
    ending = true
    for (const run of running) run.child.kill('SIGKILL')
    await Promise.all(running.map(({ ended }) => ended))
    fs.closeSync(output)
  }
  const result = seen()
  expect(troubles, fs.readFileSync(log, 'utf8').slice(-2_000)).toEqual([])
  if (process.env['KUGETSU_STRESS'] !== undefined) console.log(design, { ...result, over: result.over.length })
  return result
}

function readLog(file: string): Omit<Seen, 'kills' | 'stops'> {
  const lines = fs.readFileSync(file, 'utf8').split('\n')
  const over = lines.flatMap((line) => (line.startsWith('over ') ? [Number(line.slice('over '.length))] : []))
  const count = (word: string) => lines.filter((line) => line === word).length
  return { admitted: count('admitted') + over.length, refused: count('refused'), over }
}
