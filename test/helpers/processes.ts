/** The processes that a test's home has started, told by the KUGETSU_DIR in their environment. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { identify, isAlive, processesWith } from '../../src/platform/processes.ts'
import { waitFor } from './wait-for.ts'

export interface Leftover {
  pid: number
  /** Its command line, the arguments separated by spaces. */
  command: string
}

/** The KUGETSU_DIR of a home made by createHome. */
export function kugetsuDirectory(root: string): string {
  return path.join(root, '.kugetsu')
}

/** The living processes of a home, detached ones and orphans included. */
export function leftovers(root: string): Leftover[] {
  return processesWith('KUGETSU_DIR', kugetsuDirectory(root)).map((pid) => ({ pid, command: commandOf(pid) }))
}

/** The daemons of a home. A child that one has forked bears its name until it has become another program. */
export function daemonsOf(root: string): Leftover[] {
  return first(root, / (?:supervise|queue-daemon run)$/)
}

/** The opencode servers of a home. That of an older version is a Node that has the program as its child. */
export function serversOf(root: string): Leftover[] {
  return first(root, / serve --hostname /)
}

/** Those whose command is like that, without what they have started themselves. */
function first(root: string, like: RegExp): Leftover[] {
  const named = leftovers(root).filter(({ command }) => like.test(command))
  return named.filter(({ pid }) => !named.some((other) => other.pid === parentOf(pid)))
}

/** The process group of a process; 0 when it is gone. The server's has its children in it. Linux only. */
export function groupOf(pid: number): number {
  return statOf(pid, 2)
}

function parentOf(pid: number): number {
  return statOf(pid, 1)
}

/** A number of proc_pid_stat(5), counted from the state, which is 0; 0 when the process is gone. */
function statOf(pid: number, field: number): number {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[field])
  } catch {
    return 0
  }
}

/** Kills every process of a home, whatever they start meanwhile too; throws when some will not die. */
export async function killLeftovers(root: string): Promise<void> {
  await waitFor(
    `the end of all processes of ${root}`,
    () => {
      const living = leftovers(root)
      for (const { pid } of living) killQuietly(pid)
      if (living.length > 0) throw new Error(living.map(({ pid, command }) => `${pid} ${command}`).join('; '))
      return true
    },
    { timeoutMs: 20_000 },
  )
}

/** Sends SIGKILL; a process that has ended meanwhile is fine. */
export function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it was gone already
  }
}

/** What the process table shows to everybody: the command line of each process. Linux only; none elsewhere. */
export function commandLines(): string[] {
  if (!fs.existsSync('/proc')) return []
  const pids = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map((pid) => commandOf(Number(pid)))
}

function commandOf(pid: number): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
  } catch {
    return '(ended)'
  }
}

/**
 * Kills a process, or with a negative number its group, and waits until nobody can take it for alive: its environment
 * is gone a moment before it is. Throws when there is none.
 */
export async function killAndWait(pid: number): Promise<void> {
  const before = identify(Math.abs(pid))
  if (before === undefined) throw new Error(`no process ${pid}`)
  killQuietly(pid)
  await waitFor(`the end of ${pid}`, () => !isAlive(before))
}
