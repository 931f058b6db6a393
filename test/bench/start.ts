import { spawnKugetsu } from '../helpers/kugetsu.ts'
import { ref } from '../helpers/stage.ts'
import { opencodeUser, preparedDirectory, runOpencode, runWords, warmStage } from './agents.ts'
import type { Row } from './bench.ts'
import { calm, interleave } from './measure.ts'

/** From the command to the agent's first request to the model, server and mirror being there. */
export const start: Row = {
  name: 'start',
  title: 'from the command to the first model request',
  onBoth: true,
  run: async (bench) => {
    const stage = await warmStage(bench)
    const user = opencodeUser(bench, stage)
    const directory = preparedDirectory(stage, user, 'app')
    await runOpencode(bench, user, directory, 'SAY{{first}}').ended // makes its database
    const samples = await interleave(bench.rounds(12), {
      kugetsu: async (round) => {
        bench.doing(`start, round ${round + 1}`)
        const word = `SAY{{start ${round}}}`
        const from = performance.now()
        const command = spawnKugetsu(stage.home, ['start', ref(round + 1), word])
        const took = (await stage.arrival(word)) - from
        await command.finished
        await stage.idle()
        await calm()
        return took
      },
      opencode: async (round) => {
        bench.doing(`opencode run, round ${round + 1}`)
        const word = `SAY{{run ${round}}}`
        const from = performance.now()
        const { ended } = runOpencode(bench, user, directory, word)
        const took = (await stage.arrival(word)) - from
        await ended
        await calm()
        return took
      },
    })
    bench.figure('start, a new issue, warm', {
      unit: 'ms',
      measured: samples.kugetsu,
      baseline: samples.opencode,
      against: `${runWords(bench)} in a prepared directory`,
      limit: { 1: 0.45, 2: 0.35 }[bench.opencode],
    })
  },
}
