import { describe, expect, it } from 'vitest'
import { entryOf } from '../../../src/opencode/entries.ts'
import { createRunningCalls } from '../../../src/daemon/following/running-calls.ts'

const wall = new Date('2026-05-01T12:00:00Z')

function stage(timeoutMs = 120_000) {
  const clock = { ms: 0 }
  const calls = createRunningCalls(
    () => wall,
    timeoutMs,
    () => clock.ms,
  )
  const part = (id: string, status: string, input: object = { command: 'make' }, startedAgoMs = 0) =>
    calls.entry(
      entryOf({
        id,
        type: 'tool',
        tool: 'bash',
        messageID: 'msg',
        sessionID: 'ses',
        callID: `call_${id}`,
        state: { status, input, time: { start: wall.getTime() - startedAgoMs } },
      })!,
    )
  return { calls, clock, part }
}

describe('a command of an agent', () => {
  it('is overdue half a minute after its timeout, and once a minute from then on', () => {
    const { calls, clock, part } = stage()
    expect(calls.restMs()).toBe(Infinity)
    expect(part('a', 'running', { command: 'make', timeout: 1000 })).toBe(true)
    expect(part('b', 'running')).toBe(false)
    expect(calls.restMs()).toBe(31_000)
    clock.ms = 30_999
    expect(calls.takeOverdue()).toEqual([])
    clock.ms = 31_000
    expect(calls.takeOverdue()).toMatchObject([{ callId: 'call_a', sessionId: 'ses' }])
    expect(calls.takeOverdue()).toEqual([])
    expect(calls.restMs()).toBe(60_000)
    part('a', 'completed')
    expect(calls.restMs()).toBe(119_000)
    clock.ms = 150_000
    expect(calls.takeOverdue()).toMatchObject([{ callId: 'call_b' }])
  })

  it('is counted from its start, whatever the clocks say, and by the timeout that opencode is set to', () => {
    const { calls, clock, part } = stage(600_000)
    part('a', 'running', { command: 'make' }, 590_000)
    expect(calls.restMs()).toBe(40_000)
    part('a', 'error')
    part('b', 'running', { command: 'make' }, -86_400_000)
    expect(calls.restMs()).toBe(630_000)
    part('c', 'running', { command: 'make' }, 86_400_000)
    expect(calls.restMs()).toBe(0)
    clock.ms = 1
    calls.keep(() => false)
    expect(calls.restMs()).toBe(Infinity)
  })

  it('is one of the tool that runs commands, and begun', () => {
    const { calls, part } = stage()
    part('a', 'running', { filePath: 'a.txt' })
    part('b', 'pending')
    expect(calls.restMs()).toBe(Infinity)
  })
})
