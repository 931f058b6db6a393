import { leftovers } from '../helpers/processes.ts'
import { ref, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'
import { opencodeUser, preparedDirectory, runOpencode, runWords, warmStage } from './agents.ts'
import type { Row } from './bench.ts'
import { calm } from './measure.ts'
import { availableMemory, memoryOf } from './process-figures.ts'

const megabyte = 1_000_000
/** What an `opencode run` takes at the most, in bytes: more of them than fit are not started. */
const perRun = 700 * megabyte
/** Until the garbage of the start is collected. */
const settleMs = 4_000

/** An agent that has run a command and waits for the model's next words. */
const working = (word: string) => `BASH{{git log --stat && ls -lR}} SAY{{${word}}} HANG!`

/** Proportional set size of all processes together, agents at work in all of them. */
export const memory: Row = {
  name: 'memory',
  title: 'all processes together, agents at work (PSS)',
  onBoth: true,
  run: async (bench) => {
    const counts = (bench.quick ? [1, 3, 6] : [1, 3, 6, 12]).filter((count) => count * perRun < availableMemory())
    const stage = await warmStage(bench, { config: { MAX_CONCURRENT_AGENTS: 12 } })
    const kugetsu = await grow(stage, counts, {
      name: 'kugetsu',
      doing: (count) => bench.doing(`${count} agents`),
      begin: (index, message) => stage.ok(['start', ref(index + 1), message]),
      pids: () => leftovers(stage.home.root).map(({ pid }) => pid),
    })
    await stage.home.cleanup()
    const user = opencodeUser(bench, stage)
    const runs = await grow(stage, counts, {
      name: 'run',
      doing: (count) => bench.doing(`${count} × ${runWords(bench)}`),
      begin: async (index, message) => {
        runOpencode(bench, user, preparedDirectory(stage, user, `app-${index}`), message)
      },
      pids: () => leftovers(user.root).map(({ pid }) => pid),
    })
    counts.forEach((count, index) =>
      bench.figure(`${count} ${count === 1 ? 'agent' : 'agents'}`, {
        unit: 'MB',
        measured: [kugetsu[index] ?? Number.NaN],
        baseline: [runs[index] ?? Number.NaN],
        against: `as many ${runWords(bench)}`,
        ...(count === 6 ? { limit: { 1: 0.4, 2: 0.3 }[bench.opencode] } : {}),
      }),
    )
    const last = counts.length - 1
    const more = (of: number[]) => ((of[last] ?? 0) - (of[0] ?? 0)) / ((counts[last] ?? 1) - (counts[0] ?? 1))
    if (last > 0) {
      bench.figure('one more', {
        unit: 'MB',
        measured: [more(kugetsu)],
        baseline: [more(runs)],
        against: `one more ${runWords(bench)}`,
        limit: 0.25,
      })
    }
    if (!counts.includes(12) && !bench.quick) bench.note('there is not enough memory for more opencode run')
  },
}

interface Growing {
  name: string
  doing: (count: number) => void
  begin: (index: number, message: string) => Promise<unknown>
  pids: () => number[]
}

/** Has more and more agents at work; what all take together at each of the counts, in megabytes. */
async function grow(stage: Stage, counts: number[], { name, doing, begin, pids }: Growing): Promise<number[]> {
  const taken: number[] = []
  let started = 0
  for (const count of counts) {
    doing(count)
    const words: string[] = []
    for (; started < count; started++) {
      const word = `${name}-${started};`
      words.push(word)
      await begin(started, working(word))
    }
    for (const word of words) {
      // The second request: the command has run.
      await waitFor(`${word} at work`, () => stage.model.turns(word).length >= 2)
    }
    await calm(settleMs)
    taken.push(memoryOf(pids()) / megabyte)
  }
  return taken
}
