import * as fs from 'node:fs'
import * as path from 'node:path'
import { spawnKugetsu } from '../helpers/kugetsu.ts'
import { ref } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'
import { warmStage, type BenchStage } from './agents.ts'
import type { Row } from './bench.ts'
import { calm, interleave } from './measure.ts'

/** A task in the queue to the first request of its agent; server warm, the daemon dispatching, one slot. */
export const dispatch: Row = {
  name: 'dispatch',
  title: 'from the queue to the first model request',
  run: async (bench) => {
    const stage = await warmStage(bench, { config: { MAX_CONCURRENT_AGENTS: 1 } })
    await stage.ok(['queue-daemon', 'start'])
    const sinceAnswer: number[] = []
    let issue = 0
    const settled = async () => {
      await stage.idle()
      await calm()
    }
    const samples = await interleave(bench.rounds(10), {
      start: async (round) => {
        bench.doing(`round ${round + 1}`)
        const word = `SAY{{start ${round}}}`
        const from = performance.now()
        const command = spawnKugetsu(stage.home, ['start', ref(++issue), word])
        const took = (await stage.arrival(word)) - from
        await command.finished
        await settled()
        return took
      },
      enqueue: async (round) => {
        const word = `SAY{{enqueue ${round}}}`
        const from = performance.now()
        const command = spawnKugetsu(stage.home, ['queue', 'enqueue', ref(++issue), word])
        const took = (await stage.arrival(word)) - from
        await command.finished
        await settled()
        return took
      },
      freed: async (round) => {
        const word = `SAY{{next ${round}}}`
        await stage.ok(['queue', 'enqueue', ref(++issue), `GATE=gate-${round} SAY{{holder ${round}}}`])
        await stage.arrival(`SAY{{holder ${round}}}`)
        await stage.ok(['queue', 'enqueue', ref(++issue), word])
        await calm()
        const freed = slotFreed(stage)
        const answered = performance.now()
        stage.model.release(`gate-${round}`)
        const at = await freed
        const arrived = await stage.arrival(word)
        sinceAnswer.push(arrived - answered)
        await waitFor('the end of the task', () => stage.slots().length === 0)
        await settled()
        return arrived - at
      },
    })
    const against = 'kugetsu start, warm'
    const baseline = samples.start
    bench.figure('enqueued, a slot is free', { unit: 'ms', measured: samples.enqueue, baseline, against, limit: 1.3 })
    bench.figure('a slot comes free', { unit: 'ms', measured: samples.freed, baseline, against, limit: 1.3 })
    bench.figure('enqueued, a slot is free', { unit: 'ms', measured: samples.enqueue, limit: 1500 })
    bench.figure('a slot comes free', { unit: 'ms', measured: samples.freed, limit: 1500 })
    bench.figure("the model's last word to the next's first", { unit: 'ms', measured: sinceAnswer })
  },
}

/** When the one slot in use is given back, by performance.now(). */
function slotFreed(stage: BenchStage): Promise<number> {
  const directory = path.join(stage.home.kugetsuDir, 'slots')
  const [slot] = stage.slots().filter((name) => name.endsWith('.slot'))
  if (slot === undefined) throw new Error('no slot is in use')
  return new Promise((resolve) => {
    const watcher = fs.watch(directory, () => {
      if (fs.existsSync(path.join(directory, slot))) return
      watcher.close()
      resolve(performance.now())
    })
  })
}
