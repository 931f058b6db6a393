import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { currentProcess, identify } from '../../../src/platform/processes.ts'
import { requireBase } from '../../../src/sessions/file/store.ts'
import { close, reopen } from '../../../src/sessions/slots/closing.ts'
import { slotHolders } from '../../../src/sessions/slots/slots.ts'
import { takeSlot } from '../../../src/sessions/slots/take-slot.ts'
import { createServiceHome, type ServiceHome } from '../../helpers/service-home.ts'

let home: ServiceHome
beforeEach(() => {
  home = createServiceHome()
})
afterEach(() => home.cleanup())

const take = () => takeSlot(home, { issueRef: 'a/b/c#1', session: 'x', owner: currentProcess(), limit: 3 })

it('a home that a living process closes gives no slot, and leaves no reservation', async () => {
  const other = spawn('sleep', ['600'])
  await once(other, 'spawn')
  fs.writeFileSync(home.paths.closing, JSON.stringify({ owner: identify(other.pid ?? 0) }))
  await expect(take()).rejects.toMatchObject({ code: 'closing' })
  expect(() => requireBase(home)).toThrow(/ends the agents of this home/)
  expect(slotHolders(home)).toEqual([])
  other.kill('SIGKILL')
  await once(other, 'exit')
  expect(await take()).toMatchObject({ admitted: true })
})

it('the process that closes it, and a spoiled file, keep nobody out', async () => {
  close(home)
  expect(await take()).toMatchObject({ admitted: true })
  reopen(home)
  expect(fs.existsSync(home.paths.closing)).toBe(false)
  fs.writeFileSync(home.paths.closing, 'nonsense')
  expect(await take()).toMatchObject({ admitted: true })
  expect(fs.readdirSync(home.paths.home).some((name) => name.startsWith('closing.json.unreadable-'))).toBe(true)
})
