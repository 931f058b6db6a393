import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../helpers/home.ts'
import { ref } from '../helpers/stage.ts'
import type { Bench, Row } from './bench.ts'
import { filledHome } from './filled-home.ts'
import { emptyNode, interleave, kugetsu, timeOf, timeOfStorm, type Command } from './measure.ts'

const lanes = 8

/** Putting a task into the queue: alone, many at once, and with many there already. */
export const enqueue: Row = {
  name: 'enqueue',
  title: 'a task into the queue, as a process',
  run: async (bench) => {
    const home = filledHome(bench, 10)
    const spooler = taskSpooler(bench, home)
    const enqueueing = (number = 1) => kugetsu(home, 'queue', 'enqueue', ref(number), 'fix the login form')
    bench.doing('enqueue')
    const one = await interleave(bench.rounds(40), {
      kugetsu: () => timeOf(enqueueing()),
      node: () => timeOf(emptyNode(home)),
      spooler: () => (spooler === undefined ? Number.NaN : timeOf(spooler)),
    })
    bench.figure('one', { unit: 'ms', measured: one.kugetsu, baseline: one.node, against: 'node -e 0', limit: 1.6 })
    if (spooler !== undefined) {
      bench.figure('one', {
        unit: 'ms',
        measured: one.kugetsu,
        baseline: one.spooler,
        against: 'tsp, a C program without a durable queue',
      })
    } else bench.note('tsp (task-spooler) is not installed')

    const full = filledHome(bench, 10_000)
    const many = await interleave(bench.rounds(20), {
      full: () => timeOf(kugetsu(full, 'queue', 'enqueue', ref(1), 'fix the login form')),
      empty: () => timeOf(enqueueing()),
    })
    bench.figure('one more to 10,000', {
      unit: 'ms',
      measured: many.full,
      baseline: many.empty,
      against: 'the same into an almost empty queue',
    })
    await storm(bench, home, enqueueing)
  },
}

async function storm(bench: Bench, home: Home, enqueueing: (number: number) => Command): Promise<void> {
  const total = bench.quick ? 240 : 1_000
  const rounds = bench.quick ? 2 : 5
  const each = total / rounds / lanes
  const items = () =>
    fs.readdirSync(path.join(home.kugetsuDir, 'queue', 'items')).filter((name) => /^q_.*json$/.test(name))
  const before = items().length
  bench.doing(`${total} by ${lanes} processes`)
  const storms = await interleave(rounds, {
    kugetsu: () =>
      timeOfStorm(
        Array.from({ length: lanes }, (_, lane) => enqueueing(lane + 1)),
        each,
      ),
    node: () =>
      timeOfStorm(
        Array.from({ length: lanes }, () => emptyNode(home)),
        each,
      ),
  })
  const perSecond = (took: number) => (each * lanes) / (took / 1000)
  bench.figure(`${total} by ${lanes} processes`, {
    unit: '/s',
    measured: storms.kugetsu.map(perSecond),
    baseline: storms.node.map(perSecond),
    against: 'the same storm of node -e 0',
    limit: 0.9,
    atLeast: true,
  })
  bench.note(`${total - (items().length - before)} of ${total} lost`)
}

/** task-spooler's `tsp true`, with a server of its own; undefined where it is not installed. */
function taskSpooler(bench: Bench, home: Home): Command | undefined {
  const directories = (process.env['PATH'] ?? '').split(path.delimiter)
  const program = directories.map((directory) => path.join(directory, 'tsp')).find((file) => fs.existsSync(file))
  if (program === undefined) return undefined
  const env = { ...home.env, TS_SOCKET: path.join(home.root, 'tsp.sock') }
  bench.afterwards(() => spawnSync(program, ['-K'], { env }))
  return { program, args: ['true'], env, cwd: home.cwd }
}
