/** Agents whose first words to the model are waited for to the millisecond. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import * as path from 'node:path'
import { spawn } from 'node:child_process'
import type { ScriptedModelOptions } from '../../src/demo/scripted-model.ts'
import { createHome, type Home } from '../helpers/home.ts'
import { setStage, type Stage, type StageOptions } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'
import type { Bench } from './bench.ts'

export interface BenchStage extends Stage {
  /** When the first request came that speaks of `word`, by performance.now(). */
  arrival: (word: string) => Promise<number>
  /** Waits until no agent has a slot and all that follows from that is done. */
  idle: () => Promise<void>
}

const arrivalMs = 120_000

/** A stage with a warm server and one start behind it, so that its repository has its mirror and a daemon runs. */
export async function warmStage(
  bench: Bench,
  options: StageOptions & { answer?: ScriptedModelOptions['answer'] } = {},
): Promise<BenchStage> {
  const seen: { text: string; at: number }[] = []
  const waiting = new Set<() => void>()
  const onRequest: ScriptedModelOptions['onRequest'] = (request) => {
    if (!request.agentTurn) return
    seen.push({ text: request.asked, at: performance.now() })
    for (const look of waiting) look()
  }
  const { answer, ...rest } = options
  bench.doing('setting up')
  const stage = await setStage({
    findsProviders: true,
    ...rest,
    model: { onRequest, ...(answer === undefined ? {} : { answer }) },
  })
  bench.afterwards(() => stage.cleanup())
  const ready: BenchStage = {
    ...stage,
    arrival: (word) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look)
          reject(new Error(`no agent asked the model about ${word} within ${arrivalMs / 1000} s`))
        }, arrivalMs)
        const look = () => {
          const found = seen.find(({ text }) => text.includes(word))
          if (found === undefined) return
          clearTimeout(timer)
          waiting.delete(look)
          resolve(found.at)
        }
        waiting.add(look)
        look()
      }),
    idle: async () => {
      await waitFor('the slots to be free', () => stage.slots().length === 0)
    },
  }
  await ready.ok(['start', 'forge.test/me/app#1000', 'SAY{{warm}}'])
  await ready.arrival('SAY{{warm}}')
  await ready.idle()
  return ready
}

/** A user of `opencode run`, with the same model and a database of its own. */
export function opencodeUser(bench: Bench, stage: Stage): Home {
  const home = createHome({ modelUrl: stage.model.url, findsProviders: true })
  bench.afterwards(() => home.cleanup())
  return home
}

/** A clone of me/app to work in, as a person prepares it before `opencode run`. */
export function preparedDirectory(stage: Stage, user: Home, name: string): string {
  const directory = path.join(user.cwd, name)
  execFileSync('git', ['clone', '-q', `${stage.git.url}/me/app.git`, directory], { env: user.env, cwd: user.cwd })
  return directory
}

/**
 * How a person runs one agent: on opencode 2 with a server of its own, because the plain `run` is a client of a service
 * that lasts.
 */
export function runWords({ opencode }: Bench): string {
  return opencode === 2 ? 'opencode run --standalone' : 'opencode run'
}

/** Starts `opencode run` with a message; `ended` resolves with its exit code. */
export function runOpencode(
  bench: Bench,
  user: Home,
  directory: string,
  message: string,
): { pid: number; ended: Promise<unknown> } {
  const [, ...words] = runWords(bench).split(' ')
  const child = spawn(path.join(user.bin, 'opencode'), [...words, message], {
    env: user.env,
    cwd: directory,
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  return { pid: child.pid ?? 0, ended: once(child, 'exit') }
}
