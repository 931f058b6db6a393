import { openQueue } from '../../src/queue/file-queue.ts'
import { isFinished } from '../../src/queue/transitions.ts'
import { bareHome } from '../helpers/bare-home.ts'
import { ref } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'
import { warmStage } from './agents.ts'
import type { Bench, Row } from './bench.ts'
import { calm } from './measure.ts'

const taskSeconds = 2

/** A queue of tasks that take two seconds at the model, from `queue-daemon start` to the end of the last. */
export const drain: Row = {
  name: 'drain',
  title: `a queue of ${taskSeconds}-second tasks, until the last has ended`,
  onBoth: true,
  run: async (bench) => {
    await drained(bench, { tasks: 8, slots: 2, limit: 1.6, rounds: bench.rounds(2) })
    await drained(bench, {
      tasks: bench.quick ? 12 : 30,
      slots: 3,
      limit: { 1: 1.35, 2: 1.2 }[bench.opencode],
      rounds: bench.quick ? 1 : 2,
    })
  },
}

interface Drained {
  tasks: number
  /** At once. */
  slots: number
  limit: number
  rounds: number
}

async function drained(bench: Bench, { tasks, slots, limit, rounds }: Drained): Promise<void> {
  const stage = await warmStage(bench, { config: { MAX_CONCURRENT_AGENTS: slots } })
  const queue = openQueue(bareHome(stage.home.kugetsuDir))
  const took: number[] = []
  for (let round = 0; round < rounds; round++) {
    bench.doing(`${tasks} tasks, ${slots} at a time, round ${round + 1}`)
    for (let task = 0; task < tasks; task++) {
      await stage.ok(['queue', 'enqueue', ref(round * tasks + task + 1), `SLEEP=${taskSeconds} SAY{{done}}`])
    }
    await calm()
    const from = performance.now()
    await stage.ok(['queue-daemon', 'start'])
    const items = await waitFor('the end of all tasks', async () => {
      const { items } = await queue.list()
      return items.every(isFinished) && items
    })
    took.push((performance.now() - from) / 1000)
    if (items.some(({ state }) => state === 'error')) throw new Error('a task ended as an error')
    await stage.ok(['queue-daemon', 'stop'])
  }
  bench.figure(`${tasks} tasks, ${slots} at a time`, {
    unit: 's',
    measured: took,
    baseline: [(tasks / slots) * taskSeconds],
    against: 'the floor: nothing but the tasks',
    limit,
  })
  await stage.cleanup()
}
