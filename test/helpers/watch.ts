/** Independent oracles for what may never be more than so many: what they count rests on nothing that kugetsu writes. */
import * as fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { leftovers } from './processes.ts'

export interface Watch {
  /** The most that were ever alive at one look. */
  most: () => number
  /** How many looks were taken. */
  looks: () => number
  /** Ends it. */
  stop: () => Promise<void>
}

/** Looks at the process table again and again: how many processes of a home have a command line that `matches`? */
export function watchProcesses(root: string, matches: RegExp, everyMs = 100): Watch {
  let most = 0
  let looks = 0
  let going = true
  const watching = (async () => {
    while (going) {
      const found = leftovers(root).filter(({ command }) => matches.test(command))
      const pids = new Set(found.map(({ pid }) => pid))
      // What is just being forked looks like its parent until it has become another program.
      most = Math.max(most, found.filter(({ pid }) => !pids.has(parentOf(pid))).length)
      looks++
      await sleep(everyMs)
    }
  })()
  return {
    most: () => most,
    looks: () => looks,
    stop: () => {
      going = false
      return watching
    },
  }
}

/** 0 when it is gone. */
function parentOf(pid: number): number {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return 0
  }
}
