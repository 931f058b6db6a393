/** What opencode itself takes under kugetsu: version 2 beside version 1. */
import * as path from 'node:path'
import { loadSettings } from '../../src/config/settings.ts'
import type { Home } from '../../src/config/home.ts'
import { agentServer } from '../../src/sessions/runs/agent-server.ts'
import { stopServer } from '../../src/server/server.ts'
import { bareHome } from '../helpers/bare-home.ts'
import { runOk } from '../helpers/kugetsu.ts'
import { opencode1Program } from '../helpers/opencode.ts'
import { opencode2Program } from '../helpers/opencode-2.ts'
import { leftovers } from '../helpers/processes.ts'
import { setStage } from '../helpers/stage.ts'
import type { Bench, Row } from './bench.ts'
import { calm, interleave, timeOfCall } from './measure.ts'
import { memoryOf } from './process-figures.ts'

const megabyte = 1_000_000
/** Until the garbage of the start is collected. */
const settleMs = 10_000

export const opencodes: Row = {
  name: 'opencodes',
  title: 'kugetsu on opencode 2 (left) and on opencode 1 (right)',
  run: async (bench) => {
    const second = opencode2Program()
    if (!('program' in second)) return bench.note(`there is no opencode 2: ${second.why}`)
    const one = await initialised(bench, opencode1Program)
    const two = await initialised(bench, second.program)
    await calm(settleMs)
    const fresh = { one: await idleMemory(one), two: await idleMemory(two) }
    const booted = await interleave(bench.rounds(6), {
      two: () => bootTime(bench, two),
      one: () => bootTime(bench, one),
    })
    bench.figure('the server, up from nothing', {
      unit: 'ms',
      measured: booted.two,
      baseline: booted.one,
      against: 'opencode 1',
      limit: 0.4,
    })
    await calm(settleMs)
    const idle = { one: await idleMemory(one), two: await idleMemory(two) }
    for (const [what, { one: first, two: measured }] of [
      ['an idle home, after init', fresh],
      ['an idle home', idle],
    ] as const) {
      bench.figure(what, { unit: 'MB', measured: [measured], baseline: [first] })
      bench.figure('  alone', { unit: 'MB', measured: [measured], limit: 180 })
    }
  },
}

/** A home for the services, of a user of that opencode, with server and daemon. */
async function initialised(bench: Bench, program: string): Promise<Home> {
  const stage = await setStage({ program, findsProviders: true })
  bench.afterwards(() => stage.cleanup())
  await runOk(stage.home, ['queue-daemon', 'start'])
  const { env, root, kugetsuDir } = stage.home
  const bare = bareHome(kugetsuDir)
  return {
    ...bare,
    env,
    userHome: root,
    settings: () => loadSettings({ configFile: bare.paths.config, env, userHome: root }),
  }
}

/** From the call to a server that answers, with kugetsu's agents in it. */
async function bootTime(bench: Bench, home: Home): Promise<number> {
  bench.doing(`a server for ${path.basename(home.userHome)}`)
  await stopServer(home, () => false)
  await calm()
  return timeOfCall(() => agentServer(home))
}

async function idleMemory(home: Home): Promise<number> {
  return memoryOf(leftovers(home.userHome).map(({ pid }) => pid)) / megabyte
}
