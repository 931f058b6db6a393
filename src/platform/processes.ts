/** The identity of a process, so that a pid that was given to another program later is not mistaken for it. */
import * as fs from 'node:fs'
import { builtins } from '../core/builtins.ts'
import { aText, anObject, type Described, required } from '../core/fields.ts'

export const identityFields = {
  pid: required((value) => (Number.isSafeInteger(value) && Number(value) > 0 ? Number(value) : undefined)),
  /** When it started: clock ticks since boot on Linux, the answer of `ps` elsewhere. */
  start_time: required(aText),
  boot_id: required(aText),
  /** The pid namespace: a container that shares the home has pids of its own. */
  pid_namespace: required(aText),
}
export type ProcessIdentity = Described<typeof identityFields>

/** Reads the identity of a process in a state file. */
export const anIdentity = anObject(identityFields)

/** The identity of a living process, or undefined when there is none (or only a zombie). */
export function identify(pid: number): ProcessIdentity | undefined {
  const start = startOf(pid)
  if (start === undefined) return undefined
  return { pid, start_time: start, boot_id: bootId(), pid_namespace: pidNamespace() }
}

/** The identity of the calling process. */
export function currentProcess(): ProcessIdentity {
  const identity = identify(process.pid)
  if (identity === undefined) throw new Error('this process cannot see itself in the process table')
  return identity
}

/**
 * Whether that very process is alive. A process in another pid namespace cannot be seen from here and counts as alive:
 * unknown never means dead.
 */
export function isAlive(identity: ProcessIdentity): boolean {
  if (identity.boot_id !== bootId()) return false
  if (identity.pid_namespace !== pidNamespace()) return true
  return startOf(identity.pid) === identity.start_time
}

/** Whether the process is in another pid namespace of this boot, where we cannot see whether it is alive. */
export function isOutOfSight(identity: ProcessIdentity): boolean {
  return identity.boot_id === bootId() && identity.pid_namespace !== pidNamespace()
}

/**
 * How long this machine has been up, in milliseconds without time asleep, by a clock that does not jump and that all its
 * processes share; undefined when no such clock is known.
 */
export function uptime(): { boot_id: string; ms: number } | undefined {
  return process.platform === 'linux'
    ? { boot_id: bootId(), ms: Number(process.hrtime.bigint() / 1_000_000n) }
    : undefined
}

/** Sends a signal to a process group, if its leader is still that process; false when it is gone. */
export function signalGroup(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (identity.pid_namespace !== pidNamespace() || !isAlive(identity)) return false
  try {
    process.kill(-identity.pid, signal)
    return true
  } catch {
    return false
  }
}

/** Sends a signal to that very process; false when it is gone, or not ours. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (identity.pid_namespace !== pidNamespace() || !isAlive(identity)) return false
  try {
    process.kill(identity.pid, signal)
    return true
  } catch {
    return false
  }
}

/**
 * The living processes that have `NAME=value` in their environment, by pid. Linux only (from /proc); none elsewhere. A
 * process with an unreadable environment is not ours.
 */
export function processesWith(name: string, value: string): number[] {
  const wanted = Buffer.from(`\0${name}=${value}\0`)
  return numbersIn('/proc').filter((pid) => {
    if (pid === process.pid) return false
    try {
      const environment = fs.readFileSync(`/proc/${pid}/environ`)
      return Buffer.concat([Buffer.from('\0'), environment, Buffer.from('\0')]).includes(wanted)
    } catch {
      return false
    }
  })
}

/** The value of a variable in the environment of a process; undefined when it is not set or may not be read. Linux only. */
export function variableOf(pid: number, name: string): string | undefined {
  try {
    const environment = fs.readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
    return environment.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1)
  } catch {
    return undefined
  }
}

/** Ends a child that was started as the leader of a group, and its group. Only while one of them still holds its output. */
export function killGroupOf(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // none of them is left
  }
}

/** Sends SIGKILL to a process; false when it is already gone, or not ours. */
export function kill(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL')
    return true
  } catch {
    return false
  }
}

function numbersIn(directory: string): number[] {
  try {
    return fs
      .readdirSync(directory)
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}

function startOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return startByPs(pid)
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is the program's name in brackets and may hold spaces and brackets itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

function startByPs(pid: number): string | undefined {
  try {
    const [state, ...start] = builtins.childProcess
      .execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
        encoding: 'utf8',
        timeout: 5000,
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      .trim()
      .split(/\s+/)
    return state === undefined || state.startsWith('Z') ? undefined : start.join(' ')
  } catch {
    return undefined
  }
}

let knownBootId: string | undefined
function bootId(): string {
  knownBootId ??= readLine('/proc/sys/kernel/random/boot_id') ?? bootTimeBySysctl()
  return knownBootId
}

function bootTimeBySysctl(): string {
  try {
    return builtins.childProcess
      .execFileSync('sysctl', ['-n', 'kern.boottime'], { encoding: 'utf8', timeout: 5000 })
      .trim()
  } catch {
    return 'unknown'
  }
}

let knownNamespace: string | undefined
function pidNamespace(): string {
  if (knownNamespace === undefined) {
    try {
      knownNamespace = fs.readlinkSync('/proc/self/ns/pid')
    } catch {
      knownNamespace = 'none'
    }
  }
  return knownNamespace
}

function readLine(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8').trim()
  } catch {
    return undefined
  }
}
