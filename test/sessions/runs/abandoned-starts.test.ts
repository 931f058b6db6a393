import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tryExclusive } from '../../../src/platform/locks.ts'
import { currentProcess } from '../../../src/platform/processes.ts'
import { freeAbandonedSlots } from '../../../src/sessions/runs/abandoned-starts.ts'
import { handOver, slotHolders } from '../../../src/sessions/slots/slots.ts'
import { takeSlot } from '../../../src/sessions/slots/take-slot.ts'
import { createServiceHome, type ServiceHome } from '../../helpers/service-home.ts'

let home: ServiceHome
beforeEach(() => (home = createServiceHome()))
afterEach(() => home.cleanup())

/** A slot of a command in a container that cannot be seen from here. */
async function taken(pidNamespace = 'pid:[1]'): Promise<string> {
  const owner = { ...currentProcess(), pid_namespace: pidNamespace }
  const admission = await takeSlot(home, { issueRef: 'a/b/c#1', session: 'a-b-c-1', owner, limit: 3 })
  if (!admission.admitted) throw new Error('no slot')
  return admission.slot
}

describe('a slot that was taken in another container', () => {
  it('is free once nobody has the lock of its issue', async () => {
    await taken()
    const release = tryExclusive(home.paths.lock('issue-a-b-c-1'))
    await freeAbandonedSlots(home)
    expect(slotHolders(home)).toHaveLength(1)
    release?.()
    await freeAbandonedSlots(home)
    expect(slotHolders(home)).toEqual([])
  })

  it('stays when its agent is at work', async () => {
    handOver(home, await taken())
    await freeAbandonedSlots(home)
    expect(slotHolders(home)).toHaveLength(1)
  })

  it('stays when it was taken here, by somebody who lives', async () => {
    await taken(currentProcess().pid_namespace)
    await freeAbandonedSlots(home)
    expect(slotHolders(home)).toHaveLength(1)
  })
})
