import { describe, expect, it } from 'vitest'
import { createWakeUp } from '../../src/daemon/wake-up.ts'

const longest = 2 ** 31 - 1

describe('a wake-up', () => {
  it('ends a wait that is going on', async () => {
    const wakeUp = createWakeUp()
    const waiting = wakeUp.wait(longest)
    wakeUp.now()
    await expect(waiting).resolves.toBeUndefined()
  })

  it('is remembered when nobody waits yet, once however often it rang', async () => {
    const wakeUp = createWakeUp()
    wakeUp.now()
    wakeUp.now()
    await wakeUp.wait(longest)
    let woken = false
    const second = wakeUp.wait(longest).then(() => (woken = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(woken).toBe(false)
    wakeUp.now()
    await second
  })

  it('comes by itself when its time is over', async () => {
    await expect(createWakeUp().wait(1)).resolves.toBeUndefined()
  })

  it('does not count for the next wait when it came during this one', async () => {
    const wakeUp = createWakeUp()
    const first = wakeUp.wait(longest)
    wakeUp.now()
    await first
    let woken = false
    const second = wakeUp.wait(longest).then(() => (woken = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(woken).toBe(false)
    wakeUp.now()
    await second
  })
})
