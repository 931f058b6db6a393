/** What processes take of the machine, as Linux tells it. */
import * as fs from 'node:fs'

/** Proportional set size of the processes together, in bytes: memory they share with others counts by its share. */
export function memoryOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (memoryOfOne(pid) ?? 0), 0)
}

function memoryOfOne(pid: number): number | undefined {
  try {
    const kilobytes = /^Pss: +(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
  } catch {
    return undefined // it has ended
  }
}

export interface Activity {
  /** Time on a processor, all threads, in milliseconds. */
  cpuMs: number
  /** How often one of its threads went to sleep, and so was woken. */
  wakeUps: number
}

/** What a process has done since it began. */
export function activityOf(pid: number): Activity {
  const threads = fs.readdirSync(`/proc/${pid}/task`)
  const read = (thread: string, file: string) => fs.readFileSync(`/proc/${pid}/task/${thread}/${file}`, 'utf8')
  const activity = { cpuMs: 0, wakeUps: 0 }
  for (const thread of threads) {
    activity.cpuMs += Number(read(thread, 'schedstat').split(' ')[0]) / 1e6
    activity.wakeUps += Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(read(thread, 'status'))?.[1] ?? 0)
  }
  return activity
}

/** What is left to processes that start now, in bytes. */
export function availableMemory(): number {
  const kilobytes = /^MemAvailable: +(\d+) kB$/m.exec(fs.readFileSync('/proc/meminfo', 'utf8'))?.[1]
  return Number(kilobytes ?? 0) * 1024
}
