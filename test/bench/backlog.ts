import * as fs from 'node:fs'
import * as path from 'node:path'
import { pathsOf } from '../../src/config/paths.ts'
import { currentProcess } from '../../src/platform/processes.ts'
import { takeSlot } from '../../src/sessions/slots/take-slot.ts'
import { placesOf } from '../../src/queue/places.ts'
import { bareHome } from '../helpers/bare-home.ts'
import type { Home } from '../helpers/home.ts'
import { runOk } from '../helpers/kugetsu.ts'
import { ref } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'
import type { Bench, Row } from './bench.ts'
import { filledHome, writeWaiting } from './filled-home.ts'
import { calm, interleave, kugetsu, timeOf } from './measure.ts'
import { activityOf, memoryOf } from './process-figures.ts'

const few = 10
const many = 5_000
const megabyte = 1_000_000

/** What tasks that wait take of the daemon and of the commands: many of them beside few, with the one slot taken. */
export const backlog: Row = {
  name: 'backlog',
  title: `${many} tasks that wait for the one slot, beside ${few}`,
  run: async (bench) => {
    const homes = { few: await waitingHome(bench, few), many: await waitingHome(bench, many) }
    await enqueued(bench, homes)
    await idle(bench, homes)
  },
}

type Homes = Record<'few' | 'many', Home>

/** A home with a daemon that takes tasks, and with a command that holds its slot and has no agent yet. */
async function waitingHome(bench: Bench, count: number): Promise<Home> {
  const home = filledHome(bench, 0)
  const paths = pathsOf(home.kugetsuDir)
  fs.writeFileSync(paths.config, 'MAX_CONCURRENT_AGENTS=1\nMIN_FREE_MEMORY_MB=0\n', { mode: 0o600 })
  writeWaiting(placesOf({ paths }).items, count)
  const taken = { issueRef: ref(1), session: 'forge.test-me-app-1', owner: currentProcess(), limit: 1 }
  await takeSlot(bareHome(home.kugetsuDir), taken)
  await runOk(home, ['queue-daemon', 'start'])
  return home
}

async function enqueued(bench: Bench, homes: Homes): Promise<void> {
  bench.doing('enqueue')
  const burst = async (home: Home) => {
    const one = () => timeOf(kugetsu(home, 'queue', 'enqueue', ref(2), 'fix the login form'))
    return Math.min(one(), one(), one())
  }
  const samples = await interleave(bench.rounds(20), { few: () => burst(homes.few), many: () => burst(homes.many) })
  bench.figure(`one more to ${many}`, {
    unit: 'ms',
    measured: samples.many,
    baseline: samples.few,
    against: `one more to ${few}`,
    limit: 1.3,
  })
}

async function idle(bench: Bench, homes: Homes): Promise<void> {
  const seconds = bench.quick ? 15 : 60
  const pids = { few: await daemonOf(homes.few), many: await daemonOf(homes.many) }
  await calm(12_000) // V8 tidies up once, some seconds after the last work
  bench.doing(`idle daemons, ${seconds} s`)
  const before = { few: activityOf(pids.few), many: activityOf(pids.many) }
  await calm(seconds * 1000)
  const after = { few: activityOf(pids.few), many: activityOf(pids.many) }
  const rate = (of: keyof Homes) => [(after[of].cpuMs - before[of].cpuMs) / seconds]
  const [measured, baseline, against] = [rate('many'), rate('few'), `${few} tasks`]
  bench.figure('idle: processor', { unit: 'ms/s', measured, limit: 10 })
  bench.figure('idle: processor', { unit: 'ms/s', measured, baseline, against })
  const memory = (of: keyof Homes) => [memoryOf([pids[of]]) / megabyte]
  bench.figure('idle: memory (PSS)', { unit: 'MB', measured: memory('many'), baseline: memory('few'), against })
}

async function daemonOf({ kugetsuDir }: Home): Promise<number> {
  const file = path.join(kugetsuDir, 'queue', 'daemon.pid')
  return waitFor('the daemon', () => Number(fs.readFileSync(file, 'utf8')))
}
