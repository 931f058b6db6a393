/** Samples: taking them side by side, and what is said of them. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Home } from '../helpers/home.ts'
import { kugetsuProgram } from './paths.ts'

export interface Summary {
  median: number
  /** The quartiles: half of the samples lie between them. */
  low: number
  high: number
  samples: number[]
}

/** Throws for no samples at all. */
export function summary(samples: readonly number[]): Summary {
  if (samples.length === 0) throw new Error('nothing was measured')
  const sorted = samples.toSorted((a, b) => a - b)
  const at = (part: number) => {
    const position = part * (sorted.length - 1)
    const [below, above] = [sorted[Math.floor(position)] ?? 0, sorted[Math.ceil(position)] ?? 0]
    return below + (above - below) * (position - Math.floor(position))
  }
  return { median: at(0.5), low: at(0.25), high: at(0.75), samples: [...samples] }
}

/**
 * Takes one sample of each in turn, `rounds` times, every second round in the opposite order: what disturbs the machine
 * disturbs all of them. What they return, by name and round.
 */
export async function interleave<Name extends string>(
  rounds: number,
  takes: Record<Name, (round: number) => number | Promise<number>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(takes) as Name[]
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) samples[name].push(await takes[name](round))
  }
  return samples
}

export interface Command {
  program: string
  args: string[]
  env: NodeJS.ProcessEnv
  cwd: string
}

/** kugetsu as its user runs it. */
export function kugetsu(home: Home, ...args: string[]): Command {
  return { program: process.execPath, args: [kugetsuProgram, ...args], env: home.env, cwd: home.cwd }
}

/** The least that a program on Node takes: one that does nothing. */
export function emptyNode(home: Home): Command {
  return { program: process.execPath, args: ['-e', '0'], env: home.env, cwd: home.cwd }
}

/** How long a command takes from its start to its end, in milliseconds. Throws when it fails. */
export function timeOf({ program, args, env, cwd }: Command): number {
  const from = performance.now()
  const done = spawnSync(program, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 28 })
  const took = performance.now() - from
  if (done.status !== 0)
    throw new Error(`${program} ${args.join(' ')} ended with ${done.status}: ${String(done.stderr)}`)
  return took
}

/** The same of something that is not a process. */
export async function timeOfCall(call: () => unknown): Promise<number> {
  const from = performance.now()
  await call()
  return performance.now() - from
}

/**
 * Runs commands from as many shells at once as there are commands, each `times` times; the milliseconds until all are
 * done. Throws when one of the runs fails.
 */
export async function timeOfStorm(commands: readonly Command[], times: number): Promise<number> {
  const script = 'while [ "$times" -gt 0 ]; do "$@" >/dev/null || exit 1; times=$((times - 1)); done'
  const from = performance.now()
  const codes = await Promise.all(
    commands.map(async ({ program, args, env, cwd }) => {
      const shell = spawn('/bin/sh', ['-c', script, 'sh', program, ...args], {
        env: { ...env, times: String(times) },
        cwd,
        stdio: ['ignore', 'ignore', 'inherit'],
      })
      const [code] = (await once(shell, 'exit')) as [number | null]
      return code
    }),
  )
  const took = performance.now() - from
  if (codes.some((code) => code !== 0)) throw new Error(`not every run of ${commands[0]?.args.join(' ')} went well`)
  return took
}

/** Waits until what was just done has no more consequences; nothing is measured meanwhile. */
export async function calm(milliseconds = 700): Promise<void> {
  await sleep(milliseconds)
}
