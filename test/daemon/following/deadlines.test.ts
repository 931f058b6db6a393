import { describe, expect, it } from 'vitest'
import { allottedMs, createDeadlines } from '../../../src/daemon/following/deadlines.ts'
import { newMessageId } from '../../../src/driver/message-id.ts'
import type { Run } from '../../../src/sessions/file/session-file.ts'

const hour = 3_600_000
const noon = new Date('2026-05-01T12:00:00Z')
const after = (milliseconds: number) => new Date(noon.getTime() + milliseconds)
/** The ids of a process only rise, so the earliest is made first. */
const atNoon = newMessageId(noon)
const run = (more: Partial<Run> = {}): Run => ({
  slot: 's',
  message_ids: [atNoon],
  started_at: noon.toISOString(),
  deadline_at: after(hour).toISOString(),
  interruptions: 0,
  server: 'm',
  ...more,
})

/** A daemon with two clocks that a test sets: the one on the wall, and the one that only goes forth. */
function daemon(at: Date) {
  const clock = { wall: at, elapsedMs: 1_000_000 }
  const deadlines = createDeadlines(
    () => clock.wall,
    () => clock.elapsedMs,
    () => ({ boot_id: 'this boot', ms: clock.elapsedMs }),
  )
  return { clock, restMs: deadlines.restMs }
}

describe('the time that a run has left', () => {
  it('goes down to nothing, and is what others left of it', () => {
    const { clock, restMs } = daemon(after(hour / 4))
    expect(restMs(run())).toBe((3 / 4) * hour)
    clock.elapsedMs += hour / 2
    expect(restMs(run())).toBe(hour / 4)
    clock.elapsedMs += hour
    expect(restMs(run())).toBe(0)
  })

  it.each([24 * hour, -24 * hour])('is not changed by a clock that jumps by %d ms', (jump) => {
    const { clock, restMs } = daemon(noon)
    expect(restMs(run())).toBe(hour)
    clock.wall = after(jump)
    clock.elapsedMs += hour / 2
    expect(restMs(run())).toBe(hour / 2)
  })

  it('is never more than it was given, should the clock have been put back before the daemon began', () => {
    expect(daemon(after(-24 * hour)).restMs(run())).toBe(hour)
  })

  it.each([24 * hour, -24 * hour])('is what the up time says to a daemon that begins after a jump by %d ms', (jump) => {
    const { restMs } = daemon(after(jump))
    expect(restMs(run({ deadline_uptime: { boot_id: 'this boot', ms: 1_000_000 + hour / 4 } }))).toBe(hour / 4)
    expect(restMs(run({ slot: 'over', deadline_uptime: { boot_id: 'this boot', ms: 999_999 } }))).toBe(0)
    // No more than it was given, and after a boot there is only the clock on the wall.
    expect(restMs(run({ slot: 'odd', deadline_uptime: { boot_id: 'this boot', ms: 90_000_000 } }))).toBe(hour)
    const before = run({ slot: 'before', deadline_uptime: { boot_id: 'another', ms: 1_000_000 + hour / 4 } })
    expect(restMs(before)).toBe(jump > 0 ? 0 : hour)
  })

  it('is counted anew for a new deadline', () => {
    const { clock, restMs } = daemon(noon)
    restMs(run())
    clock.wall = after(hour / 2)
    clock.elapsedMs += hour / 2
    const steered = run({ message_ids: [newMessageId(clock.wall)], deadline_at: after(1.5 * hour).toISOString() })
    expect(restMs(steered)).toBe(hour)
  })

  it('was given as the run says, whatever the clocks were', () => {
    const resumed = {
      allotted_ms: hour,
      started_at: after(24 * hour).toISOString(),
      message_ids: [newMessageId(after(24 * hour))],
    }
    expect(allottedMs(run(resumed))).toBe(hour)
    expect(daemon(noon).restMs(run(resumed))).toBe(hour)
  })

  it('was given with the last prompt, or where that tells no time with the run', () => {
    expect(allottedMs(run())).toBe(hour)
    expect(allottedMs(run({ message_ids: ['msg_1'] }))).toBe(hour)
    expect(allottedMs(run({ message_ids: ['msg_1'], started_at: after(-hour).toISOString() }))).toBe(2 * hour)
  })
})
