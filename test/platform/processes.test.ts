import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import {
  currentProcess,
  identify,
  isAlive,
  processesWith,
  signalGroup,
  type ProcessIdentity,
} from '../../src/platform/processes.ts'
import { killQuietly } from '../helpers/processes.ts'
import { waitFor } from '../helpers/wait-for.ts'

const started: ChildProcess[] = []
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
})

function start(program: string, args: string[], options: { env?: Record<string, string>; detached?: boolean } = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'], ...options })
  started.push(child)
  return child
}

/** The identity of a child that lives. */
function known(child: ChildProcess): ProcessIdentity {
  const identity = identify(child.pid ?? 0)
  if (identity === undefined) throw new Error('it does not live')
  return identity
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

describe('a process', () => {
  it('is alive until it is killed', async () => {
    const child = start('sleep', ['600'])
    const identity = known(child)
    expect(isAlive(identity)).toBe(true)
    await killed(child)
    expect(isAlive(identity)).toBe(false)
    expect(identify(identity.pid)).toBeUndefined()
  })

  it('that asks sees itself', () => {
    expect(currentProcess().pid).toBe(process.pid)
    expect(currentProcess()).toEqual(identify(process.pid))
    expect(isAlive(currentProcess())).toBe(true)
  })

  it('is alive while it is suspended', () => {
    const child = start('sleep', ['600'])
    child.kill('SIGSTOP')
    expect(isAlive(known(child))).toBe(true)
  })

  it('is not the one that had its pid before, nor one of before the last boot', () => {
    const identity = known(start('sleep', ['600']))
    expect(isAlive({ ...identity, start_time: `${identity.start_time}0` })).toBe(false)
    expect(isAlive({ ...identity, boot_id: 'another boot' })).toBe(false)
  })

  it('of another pid namespace counts as alive: it cannot be seen from here', async () => {
    const child = start('sleep', ['600'])
    const identity = known(child)
    await killed(child)
    expect(isAlive({ ...identity, pid_namespace: 'pid:[1]' })).toBe(true)
  })

  it('is found under a name with spaces and brackets', () => {
    const child = start('bash', ['-c', 'exec -a ") Z 1 (x" sleep 600'])
    expect(known(child).start_time).toMatch(/^\d+$/)
  })

  it('is dead as a zombie', async () => {
    // The shell becomes a sleep, which never asks how its child ended.
    const parent = start('sh', ['-c', 'sleep 600 & echo $!; exec sleep 601'])
    const [line] = (await once(parent.stdout ?? process.stdin, 'data')) as [Buffer]
    const pid = Number(line.toString())
    const identity = identify(pid)
    expect(identity).toBeDefined()
    // Until then it is a shell, which may ask.
    const isSleep = () => fs.readFileSync(`/proc/${parent.pid}/cmdline`, 'utf8').startsWith('sleep')
    await waitFor('the shell to become a sleep', () => !fs.existsSync('/proc/self') || isSleep())
    process.kill(pid, 'SIGKILL')
    await waitFor('the zombie', () => !isAlive(identity as ProcessIdentity))
    expect(identify(pid)).toBeUndefined()
    // Still in the process table: a signal of nothing reaches it.
    expect(process.kill(pid, 0)).toBe(true)
  })
})

describe('signalGroup', () => {
  it('reaches the children of a group leader too', async () => {
    const leader = start('sh', ['-c', 'sleep 600 & echo $!; wait'], { detached: true })
    const [line] = (await once(leader.stdout ?? process.stdin, 'data')) as [Buffer]
    const child = identify(Number(line.toString()))
    const identity = known(leader)
    const ended = once(leader, 'exit')
    try {
      expect(signalGroup(identity, 'SIGKILL')).toBe(true)
      await ended
      await waitFor('the end of the child', () => child !== undefined && !isAlive(child))
      expect(signalGroup(identity, 'SIGKILL')).toBe(false)
    } finally {
      if (child !== undefined) killQuietly(child.pid)
    }
  })

  it('leaves alone a group whose leader is another process by now, or cannot be seen', () => {
    const leader = start('sleep', ['600'], { detached: true })
    const identity = known(leader)
    expect(signalGroup({ ...identity, start_time: '1' }, 'SIGKILL')).toBe(false)
    expect(signalGroup({ ...identity, pid_namespace: 'pid:[1]' }, 'SIGKILL')).toBe(false)
    expect(isAlive(identity)).toBe(true)
  })
})

describe('processesWith', () => {
  it('finds processes by the whole of a variable', async () => {
    const value = `mark-${process.pid}-${Math.random()}`
    const child = start('sleep', ['600'], { env: { PATH: process.env['PATH'] ?? '', KG_MARK: value } })
    await waitFor('its environment', () => processesWith('KG_MARK', value).length > 0)
    expect(processesWith('KG_MARK', value)).toEqual([child.pid])
    expect(processesWith('KG_MARK', value.slice(0, -1))).toEqual([])
    expect(processesWith('MARK', value)).toEqual([])
    await killed(child)
    expect(processesWith('KG_MARK', value)).toEqual([])
  })
})
