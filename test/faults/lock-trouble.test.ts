/**
 * The lock that orders the admissions, in trouble: dated back and into the future, as a clock that jumps does; taken away
 * under its holder; replaced by what proper-lockfile cannot remove; its holder suspended. It may cost time. It may not
 * cost the limit, stop anybody for good, or end a process.
 */
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { SlotWorkerConfig } from '../fixtures/programs/slot-worker.ts'
import { slotHolders } from '../../src/sessions/slots/slots.ts'
import { bareHome } from '../helpers/bare-home.ts'
import { buildProgram, type Program } from '../helpers/programs.ts'
import { createRandom } from '../helpers/random.ts'
import { waitFor } from '../helpers/wait-for.ts'
import { factor, seed } from './bounds.ts'

const workers = 8
const limit = 3

let root: string
let program: Program
beforeAll(async () => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-lock-trouble-'))
  program = await buildProgram('slot-worker')
})
afterAll(async () => {
  await program.remove()
  fs.rmSync(root, { recursive: true, force: true })
})

it(
  'costs neither the limit nor a process, and stops nobody for good',
  { timeout: 240_000 + factor * 60_000 },
  async () => {
    const home = bareHome(path.join(root, 'home'))
    const oracle = path.join(root, 'oracle')
    for (const directory of [home.paths.slots, oracle]) fs.mkdirSync(directory, { recursive: true })
    const config = (index: number): SlotWorkerConfig => {
      return { home: home.paths.home, oracle, index, workers, limit, design: 'ordered', holdMs: 20 }
    }
    const running = Array.from({ length: workers }, (_, index) => program.start(config(index)))
    const lines = (word: string) => running.flatMap(({ said }) => said().match(new RegExp(`^${word}.*$`, 'gm')) ?? [])
    await waitFor('the first', () => lines('admitted').length > 0)

    const lock = path.join(home.paths.slots, 'admission.lock')
    const date = (seconds: number) => fs.utimesSync(lock, Date.now() / 1000 + seconds, Date.now() / 1000 + seconds)
    const random = createRandom(seed)
    const away = () => fs.rmSync(lock, { recursive: true, force: true })
    const troubles: (() => void | Promise<void>)[] = [
      () => date(-3600),
      () => date(3600),
      () => date(-3),
      away,
      () => {
        away()
        fs.writeFileSync(lock, 'in its place')
      },
      () => {
        away()
        fs.mkdirSync(lock)
        fs.writeFileSync(path.join(lock, 'in it'), '')
      },
      () => fs.mkdirSync(lock),
      async () => {
        const worker = running[random.below(workers)]
        worker?.child.kill('SIGSTOP')
        await sleep(2_500) // longer than a holder may give no sign of life
        worker?.child.kill('SIGCONT')
      },
    ]
    let made = 0
    for (let round = 0; round < Math.ceil(6 * factor); round++) {
      for (const trouble of troubles) {
        const before = lines('admitted').length
        try {
          await trouble()
          made++
        } catch {
          // the lock was not there, or there already: tried again in the next round
        }
        await waitFor('one more that is admitted', () => lines('admitted').length > before)
      }
    }
    const admitted = lines('admitted').length
    for (const { go } of running) go()
    expect(await Promise.all(running.map(({ ended }) => ended))).toEqual(running.map(() => 0))
    expect(lines('over')).toEqual([])
    expect(running.map(({ said }) => said().replaceAll(/^(?:admitted|refused)\n/gm, ''))).toEqual(running.map(() => ''))
    expect(slotHolders(home)).toEqual([])
    expect(made).toBeGreaterThan(factor * 20)
    console.log(`the admission lock: ${made} troubles, ${admitted} admissions, none over ${limit}`)
  },
)
