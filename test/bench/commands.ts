import { spawnSync } from 'node:child_process'
import { loadSettings } from '../../src/config/settings.ts'
import { pathsOf } from '../../src/config/paths.ts'
import { createDispatcher } from '../../src/daemon/dispatching/dispatch.ts'
import { openQueue } from '../../src/queue/file-queue.ts'
import { currentProcess } from '../../src/platform/processes.ts'
import { takeSlot } from '../../src/sessions/slots/take-slot.ts'
import { bareHome } from '../helpers/bare-home.ts'
import type { Home } from '../helpers/home.ts'
import type { Bench, Row } from './bench.ts'
import { filledHome } from './filled-home.ts'
import { emptyNode, interleave, kugetsu, timeOf, timeOfCall } from './measure.ts'

const readOnly = [['--help'], ['list'], ['status'], ['queue', 'list'], ['queue', 'stats'], ['env', 'show']]

const sizes = [
  { items: 10, limit: 1.5, rounds: 30 },
  { items: 1_000, limit: 1.8, rounds: 16 },
  { items: 10_000, limit: 4.5, rounds: 8 },
]

/** What a person or a script asks again and again, from the start of the process to its end. */
export const commands: Row = {
  name: 'commands',
  title: 'read-only commands, as processes, by how much there is to read',
  run: async (bench) => {
    for (const { items, limit, rounds } of sizes) {
      bench.doing(`making ${items} sessions and tasks`)
      const home = filledHome(bench, items)
      for (const args of readOnly.filter((each) => isKnown(home, each))) {
        bench.doing(`${args.join(' ')}, ${items}`)
        const samples = await interleave(bench.rounds(rounds), {
          kugetsu: () => timeOf(kugetsu(home, ...args)),
          node: () => timeOf(emptyNode(home)),
        })
        bench.figure(`${args.join(' ')}, ${items}`, {
          unit: 'ms',
          measured: samples.kugetsu,
          baseline: samples.node,
          against: 'node -e 0',
          limit,
        })
      }
      if (items === 10_000) await dispatchDecision(bench, home)
    }
  },
}

/** Some come with later versions. */
function isKnown(home: Home, args: string[]): boolean {
  const { program, args: all, env, cwd } = kugetsu(home, ...args)
  const { stderr } = spawnSync(program, all, { env, cwd, encoding: 'utf8' })
  return !stderr.includes('unknown command')
}

/** One look of the daemon at the queue when all slots are taken, so that it decides and starts nothing. */
async function dispatchDecision(bench: Bench, { kugetsuDir, root }: Home): Promise<void> {
  const paths = pathsOf(kugetsuDir)
  const bare = bareHome(kugetsuDir)
  const home = { ...bare, settings: () => loadSettings({ configFile: paths.config, env: {}, userHome: root }) }
  const { maxConcurrentAgents: limit } = home.settings()
  for (let slot = 0; slot < limit; slot++) {
    const owner = currentProcess()
    await takeSlot(home, { issueRef: `forge.test/me/other#${slot}`, session: `other-${slot}`, owner, limit })
  }
  const never = () => Promise.reject(new Error('no slot'))
  const starts = { start: never, tell: never, prepare: never, discard: never }
  const look = () => createDispatcher(home, openQueue(home), starts, () => {})
  const cold: number[] = []
  const warm: number[] = []
  for (let round = 0; round < bench.rounds(6); round++) {
    const dispatcher = look()
    cold.push(await timeOfCall(() => dispatcher.tick(true)))
    warm.push(await timeOfCall(() => dispatcher.tick(true)))
  }
  bench.figure('a decision, 10000, first', { unit: 'ms', measured: cold, limit: 1000 })
  bench.figure('a decision, 10000, later', { unit: 'ms', measured: warm, limit: 1000 })
}
