/**
 * Whether there is memory for one more agent. When memory runs out, the kernel kills the server and with it every
 * agent, so new work waits while there is too little. This looks at the present moment and promises nothing: how much
 * the agents' commands will take is unknown, and MIN_FREE_MEMORY_MB is the reserve for that.
 */
import type { Home } from '../../config/home.ts'
import { exitCodes, KugetsuError } from '../../core/errors.ts'
import { parseServer } from '../../server/server-file.ts'
import { readText } from '../../platform/files.ts'
import { availableMemory } from '../../platform/memory.ts'
import { isAlive } from '../../platform/processes.ts'
import type { Holder } from './slots.ts'

/**
 * In MB of anonymous memory, measured on Linux, by the kind of server in the files; absent: opencode 1. A server of 1.18
 * without agents 380, with the first agent 450 to 570, each further one 50 in the long run and up to 150 while it begins.
 * A server of 2.0 185, each agent 12 to 35 in the long run and up to 65 while it begins.
 */
const usual = { opencode: { server: 400, agent: 100 }, opencode2: { server: 200, agent: 50 } }
/** An agent that was admitted more recently has not taken all of that yet. */
const settlesMs = 20_000

export interface MemoryRoom {
  /** How many more agents there is memory for now. Infinity when unknown, or the check is off. */
  agents: number
  /** The available memory, in MB; undefined when it is not known. */
  availableMb: number | undefined
  /** The memory that must be available for one more agent, in MB; 0 when the check is off. */
  neededMb: number
}

/**
 * How much room there is beside the `holders` of slots. Changes nothing. Throws KugetsuError when the settings make no
 * sense.
 */
export function memoryRoom(home: Home, holders: readonly Holder[]): MemoryRoom {
  const reserveMb = home.settings().minFreeMemoryMb
  if (reserveMb === 0) return { agents: Infinity, availableMb: undefined, neededMb: 0 }
  const server = serverOf(home)
  const availableMb = availableMemory(home.system, server.pid)?.mb
  const settling = holders.filter((holder) => isSettling(holder, home.now())).length
  const { server: serverMb, agent: agentMb } = server.kind === 'opencode2' ? usual.opencode2 : usual.opencode
  const neededMb = reserveMb + (server.runs ? 0 : serverMb) + agentMb * (settling + 1)
  if (availableMb === undefined) return { agents: Infinity, availableMb, neededMb }
  return { agents: Math.max(0, Math.floor((availableMb - neededMb) / agentMb) + 1), availableMb, neededMb }
}

/** The shortage as one sentence without its full stop; undefined when there is room. */
export function memoryShortage({ agents, availableMb, neededMb }: MemoryRoom): string | undefined {
  if (agents > 0) return undefined
  return `too little memory for one more agent: ${availableMb} MB available, ${neededMb} MB needed`
}

/** Code `no_memory`, with the exit code of a reached limit: there is no room now, and nothing was made. */
export function noMemory(home: Home, room: MemoryRoom): KugetsuError {
  return new KugetsuError(memoryShortage(room) ?? '', {
    hint: `Wait for an agent to end, queue it (--queue), end other programs, or lower MIN_FREE_MEMORY_MB (${home.settings().minFreeMemoryMb}).`,
    code: 'no_memory',
    exitCode: exitCodes.noFreeSlot,
  })
}

/** A negative age (the clock was set back) counts as settled; otherwise the agent might settle for ever. */
function isSettling({ phase, takenAt }: Holder, now: Date): boolean {
  const age = now.getTime() - Date.parse(takenAt)
  return phase !== 'run' || (age >= 0 && age < settlesMs)
}

/**
 * The agents run in the server's control groups. An unreadable server file counts as a running server. `kind` is that of the
 * server that runs or ran last.
 */
function serverOf(home: Home): { runs: boolean; pid: number | undefined; kind: string | undefined } {
  try {
    const server = parseServer(readText(home.paths.server) ?? '')
    const runs = server !== undefined && isAlive(server)
    return { runs, pid: runs ? server.pid : undefined, kind: server?.driver }
  } catch (error) {
    if (!(error instanceof KugetsuError)) throw error
    return { runs: true, pid: undefined, kind: undefined }
  }
}
