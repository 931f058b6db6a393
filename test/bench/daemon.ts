import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Answer } from '../../src/demo/chat-completions.ts'
import type { Home } from '../helpers/home.ts'
import { runOk } from '../helpers/kugetsu.ts'
import { ref } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'
import { warmStage } from './agents.ts'
import type { Bench, Row } from './bench.ts'
import { filledHome } from './filled-home.ts'
import { calm } from './measure.ts'
import { activityOf, memoryOf } from './process-figures.ts'

const talkers = 12
const megabyte = 1_000_000

/** What the daemon takes while nothing happens, and while everything does. */
export const daemon: Row = {
  name: 'daemon',
  title: 'what the daemon takes of the machine',
  run: async (bench) => {
    await idle(bench)
    await busy(bench)
  },
}

async function idle(bench: Bench): Promise<void> {
  const seconds = bench.quick ? 15 : 60
  const home = filledHome(bench, 100)
  // What waits would be started.
  await runOk(home, ['queue', 'clear', '--all'])
  for (const name of fs.readdirSync(path.join(home.kugetsuDir, 'queue', 'items'))) {
    fs.rmSync(path.join(home.kugetsuDir, 'queue', 'items', name))
  }
  // As in every home that has been worked in.
  execFileSync('git', ['init', '-q', '--bare', path.join(home.kugetsuDir, 'repos', 'forge.test', 'me', 'app.git')])
  await runOk(home, ['queue-daemon', 'start'])
  const pid = await daemonOf(home)
  const node = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1 << 30)'], { env: home.env, stdio: 'ignore' })
  bench.afterwards(() => node.kill('SIGKILL'))
  const nodePid = node.pid ?? 0
  await calm(12_000) // V8 tidies up once, some seconds after the last work
  bench.doing(`an idle daemon, ${seconds} s`)
  const before = { daemon: activityOf(pid), node: activityOf(nodePid) }
  await calm(seconds * 1000)
  const after = { daemon: activityOf(pid), node: activityOf(nodePid) }
  const against = 'a node that waits'
  const rate = (of: 'daemon' | 'node', what: 'cpuMs' | 'wakeUps') => [(after[of][what] - before[of][what]) / seconds]
  bench.figure('idle: processor', { unit: 'ms/s', measured: rate('daemon', 'cpuMs'), limit: 2 })
  bench.figure('idle: wake-ups', { unit: '/s', measured: rate('daemon', 'wakeUps') })
  bench.figure('a node that waits: wake-ups', { unit: '/s', measured: rate('node', 'wakeUps') })
  bench.figure('idle: memory (PSS)', {
    unit: 'MB',
    measured: [memoryOf([pid]) / megabyte],
    baseline: [memoryOf([nodePid]) / megabyte],
    against,
    limit: 2,
  })
}

/** Agents that talk and call tools without a pause, as fast as opencode takes it. */
async function busy(bench: Bench): Promise<void> {
  const seconds = bench.quick ? 8 : 30
  let talking = true
  let turns = 0
  const answer = ({ asked, agentTurn }: { asked: string; agentTurn: boolean }): Answer | undefined => {
    if (!agentTurn || !asked.includes('TALK')) return undefined
    if (!talking) return { text: 'Done.' }
    turns += 1
    const text = 'I look at the next file, and say at length what I think of it. '.repeat(20)
    return { text, call: { name: 'bash', args: { command: 'echo looked', description: 'Look' } } }
  }
  const stage = await warmStage(bench, { config: { MAX_CONCURRENT_AGENTS: talkers }, answer })
  for (let number = 1; number <= talkers; number++) {
    bench.doing(`${number} agents that talk`)
    await stage.ok(['start', ref(number), `TALK agent-${number};`])
  }
  for (let number = 1; number <= talkers; number++) {
    await waitFor(`agent ${number} to talk`, () => stage.model.turns(`agent-${number};`).length >= 2)
  }
  const pid = await daemonOf(stage.home)
  const server = stage.server()?.pid ?? 0
  bench.doing(`${talkers} agents that talk, ${seconds} s`)
  const before = { daemon: activityOf(pid), server: activityOf(server), turns }
  const from = performance.now()
  await calm(seconds * 1000)
  const after = { daemon: activityOf(pid), server: activityOf(server), turns }
  const wall = performance.now() - from
  talking = false
  const share = (of: 'daemon' | 'server') => ((after[of].cpuMs - before[of].cpuMs) / wall) * 100
  bench.figure(`${talkers} agents talk: processor`, { unit: '%', measured: [share('daemon')], limit: 5 })
  bench.figure(`${talkers} agents talk: per turn`, {
    unit: 'ms',
    measured: [(after.daemon.cpuMs - before.daemon.cpuMs) / (after.turns - before.turns)],
  })
  const speed = ((after.turns - before.turns) / wall) * 1000
  bench.note(
    `${speed.toFixed(1)} turns a second, of 1,300 letters and a command each; opencode took ${share('server').toFixed(0)} %`,
  )
  await stage.idle()
  await calm(12_000)
  bench.figure(`after ${talkers} agents: memory (PSS)`, { unit: 'MB', measured: [memoryOf([pid]) / megabyte] })
}

async function daemonOf(home: Home): Promise<number> {
  const file = path.join(home.kugetsuDir, 'queue', 'daemon.pid')
  return waitFor('the daemon', () => Number(fs.readFileSync(file, 'utf8')))
}
