/** A clock on the wall that jumps, in processes that run: a library for LD_PRELOAD, and the file that says how far. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'

const source = fileURLToPath(new URL('../fixtures/clock/jumping-clock.c', import.meta.url))

export interface JumpingClock {
  /** What gives a process, and all that it starts, this clock. */
  env: { LD_PRELOAD: string; JUMPING_CLOCK: string }
  /** Sets it so many seconds off the real one, for all its processes at once. */
  set: (seconds: number) => void
  /** What it says now. */
  now: () => Date
  remove: () => void
}

/** Why there can be none here; undefined where there can. */
export function noJumpingClock(): string | undefined {
  if (process.platform !== 'linux') return 'it takes Linux'
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'there is no C compiler (cc)'
  }
}

/** A clock that is right as yet. Throws where noJumpingClock has a reason. */
export function createJumpingClock(): JumpingClock {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-clock-'))
  const library = path.join(directory, 'jumping-clock.so')
  const file = path.join(directory, 'offset')
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'], { stdio: 'pipe' })
  let offset = 0
  // In place and always as long: who has it mapped sees the new number at once, and never the end of the file.
  const set = (seconds: number) => {
    offset = seconds
    const descriptor = fs.openSync(file, fs.existsSync(file) ? 'r+' : 'w')
    fs.writeSync(descriptor, `${seconds}`.padEnd(32), 0)
    fs.closeSync(descriptor)
  }
  set(0)
  return {
    env: { LD_PRELOAD: library, JUMPING_CLOCK: file },
    set,
    now: () => new Date(Date.now() + offset * 1000),
    remove: () => fs.rmSync(directory, { recursive: true, force: true }),
  }
}
