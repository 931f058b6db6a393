/**
 * How much memory is available, by what the Linux kernel says of the machine and of the control groups (cgroups) that a
 * process is in. Node's own process.availableMemory() counts file cache as used and looks at one group alone, so a container
 * that has read a large repository would seem to be full. os.freemem() knows no groups, and on macOS leaves out everything
 * that the system gives back on demand.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'

const bytesPerMb = 1024 ** 2
/** Version 1 expresses "no limit" by a number close to 2^63. */
const noLimit = 2 ** 60

export interface AvailableMemory {
  /** What new processes can have without swapping and without other processes being ended; in MB of 2^20 bytes. */
  mb: number
  /** The bound: the machine, or the limit of a control group, such as that of a container or a service. */
  bound: 'machine' | 'control group'
}

/**
 * The memory available to a process (without `pid`, to this one): the least of what the machine has and what each of
 * its control groups may still take. Undefined when unknown (no Linux, or no /proc). `system` is the directory of proc
 * and sys: /.
 */
export function availableMemory(system: string, pid?: number): AvailableMemory | undefined {
  const machine = machineBytes(system)
  const groups = groupsOf(system, pid).flatMap((room) => room() ?? [])
  if (machine === undefined && groups.length === 0) return undefined
  const bytes = Math.min(machine ?? Infinity, ...groups)
  return { mb: Math.floor(bytes / bytesPerMb), bound: bytes === machine ? 'machine' : 'control group' }
}

/** The kernel's own estimate (proc_meminfo(5)): free memory, and the caches that it would give up. */
function machineBytes(system: string): number | undefined {
  const kilobytes = /^MemAvailable:\s*(\d+) kB$/m.exec(read(path.join(system, 'proc/meminfo')) ?? '')?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

/** What each control group that counts memory may still take. The limits of parents hold for their children. */
function groupsOf(system: string, pid: number | undefined): (() => number | undefined)[] {
  const text =
    (pid === undefined ? undefined : read(path.join(system, `proc/${pid}/cgroup`))) ??
    read(path.join(system, 'proc/self/cgroup')) ??
    ''
  const mounts = path.join(system, 'sys/fs/cgroup')
  return text.split('\n').flatMap((line) => {
    // cgroups(7): hierarchy, controllers, path. Version 2 is hierarchy 0 and names none.
    const [, controllers = '', group = ''] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (group === '') return []
    if (controllers === '') return upwards(group).map((each) => () => roomByVersion2(path.join(mounts, each)))
    if (!controllers.split(',').includes('memory')) return []
    return upwards(group).map((each) => () => roomByVersion1(path.join(mounts, 'memory', each)))
  })
}

/** A path and all above it. In a container only the last may exist, because it is mounted as the root. */
function upwards(group: string): string[] {
  const parent = path.posix.dirname(group)
  return parent === group ? [group] : [group, ...upwards(parent)]
}

/** `memory.high` counts like `memory.max`: processes beyond it are slowed down until nothing works any more. */
function roomByVersion2(directory: string): number | undefined {
  const limits = ['memory.max', 'memory.high'].flatMap((name) => numberIn(path.join(directory, name)) ?? [])
  const used = limits.length === 0 ? undefined : numberIn(path.join(directory, 'memory.current'))
  if (used === undefined) return undefined
  const cache = sumOf(path.join(directory, 'memory.stat'), ['active_file', 'inactive_file', 'slab_reclaimable'])
  return roomUnder(Math.min(...limits), used, cache)
}

function roomByVersion1(directory: string): number | undefined {
  const limit = numberIn(path.join(directory, 'memory.limit_in_bytes'))
  const used =
    limit === undefined || limit >= noLimit ? undefined : numberIn(path.join(directory, 'memory.usage_in_bytes'))
  if (limit === undefined || used === undefined) return undefined
  return roomUnder(
    limit,
    used,
    sumOf(path.join(directory, 'memory.stat'), ['total_active_file', 'total_inactive_file']),
  )
}

/** What is left below the limit. Cache that the kernel would give back first does not count as used. */
function roomUnder(limit: number, used: number, cache: number): number {
  return Math.max(0, limit - Math.max(0, used - cache))
}

function sumOf(file: string, names: string[]): number {
  const counts = new Map((read(file) ?? '').split('\n').map((line) => line.split(' ', 2) as [string, string]))
  return names.reduce((sum, name) => sum + (Number(counts.get(name)) || 0), 0)
}

/** Undefined for `max`, which means no limit, and when there is no such file. */
function numberIn(file: string): number | undefined {
  const text = read(file)?.trim() ?? ''
  return /^\d+$/.test(text) ? Number(text) : undefined
}

function read(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
