import { describe, expect, it } from 'vitest'
import { groupOf, statuses, statusOf } from '../../../src/sessions/status/status.ts'

describe('the status of an issue', () => {
  it.each(['running', 'waiting', 'starting', 'interrupted'] as const)(
    'is its state while it has a run: %s',
    (state) => {
      expect(statusOf({ state })).toBe(state)
      expect(statusOf({ state, ended: 'finished', task: 'queued' })).toBe(state)
    },
  )

  it('is that of its task while no agent has it', () => {
    for (const state of [undefined, 'idle', 'error', 'timeout']) {
      expect(statusOf({ state, ended: 'finished', task: 'queued' })).toBe('queued')
      expect(statusOf({ state, task: 'starting' })).toBe('starting')
    }
    expect(statusOf({ state: 'interrupted', task: 'starting' })).toBe('starting')
  })

  it('is done only when the end is known to be one', () => {
    expect(statusOf({ state: 'idle', ended: 'finished' })).toBe('done')
    expect(statusOf({ state: 'idle', ended: 'stopped' })).toBe('stopped')
    for (const ended of [undefined, 'failed', 'timed_out', 'something new']) {
      expect(statusOf({ state: 'idle', ended })).toBe('stopped')
    }
    expect(statusOf({ state: 'a state of a later version' })).toBe('stopped')
    expect(statusOf({ state: undefined })).toBe('stopped')
  })

  it('is failed after an error and a timeout, however the run before had ended', () => {
    expect(statusOf({ state: 'error', ended: 'finished' })).toBe('failed')
    expect(statusOf({ state: 'timeout' })).toBe('failed')
  })

  it('has a place among those that need a person, go on, wait, have ended, in this order', () => {
    const groups = statuses.map(groupOf)
    expect(groups).toEqual(groups.toSorted((a, b) => a - b))
    expect(new Set(groups)).toEqual(new Set([0, 1, 2, 3]))
    expect(groupOf('waiting')).toBe(0)
    expect(groupOf('done')).toBe(3)
  })
})
