import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KugetsuError } from '../../../src/core/errors.ts'
import { writeServer } from '../../../src/server/server-file.ts'
import { currentProcess } from '../../../src/platform/processes.ts'
import { admit } from '../../../src/sessions/starting/admission.ts'
import { memoryRoom } from '../../../src/sessions/slots/memory.ts'
import { slotHolders, type Holder } from '../../../src/sessions/slots/slots.ts'
import { createServiceHome, type ServiceHome } from '../../helpers/service-home.ts'

let home: ServiceHome
beforeEach(() => {
  home = createServiceHome()
})
afterEach(() => home.cleanup())

function available(mb: number): void {
  fs.mkdirSync(path.join(home.system, 'proc'), { recursive: true })
  fs.writeFileSync(path.join(home.system, 'proc/meminfo'), `MemAvailable: ${mb * 1024} kB\n`)
}
const reserve = (mb: number) => fs.writeFileSync(home.paths.config, `MIN_FREE_MEMORY_MB=${mb}\n`)
const serverRuns = (more: { driver?: string; pid?: number } = {}) => {
  fs.mkdirSync(path.dirname(home.paths.server), { recursive: true })
  writeServer(home, {
    ...currentProcess(),
    ...more,
    password: 'x',
    version: '1',
    program: 'x',
    marker: 'm',
    started_at: 'now',
  })
}
const holder = (phase: Holder['phase'], secondsAgo: number): Holder => ({
  id: 's',
  issueRef: 'forge.test/me/app#1',
  session: 's',
  owner: undefined,
  takenAt: new Date(home.clock.now.getTime() - secondsAgo * 1000).toISOString(),
  phase,
})

describe('memoryRoom', () => {
  it('counts the server while none runs, and the agents that have not taken theirs yet', () => {
    available(1000)
    reserve(100)
    expect(memoryRoom(home, [])).toEqual({ agents: 5, availableMb: 1000, neededMb: 600 })
    serverRuns()
    expect(memoryRoom(home, [])).toEqual({ agents: 9, availableMb: 1000, neededMb: 200 })
    // Set up since long, begun just now; begun since long, or in a future that a clock has been in.
    expect(memoryRoom(home, [holder('held', 600), holder('run', 5)]).neededMb).toBe(400)
    expect(memoryRoom(home, [holder('run', 60), holder('run', -60)]).neededMb).toBe(200)
  })

  it('takes less for an agent of opencode 2, and for its server, if that ran last', () => {
    available(1000)
    reserve(100)
    serverRuns({ driver: 'opencode2' })
    expect(memoryRoom(home, [])).toEqual({ agents: 18, availableMb: 1000, neededMb: 150 })
    expect(memoryRoom(home, [holder('run', 5)]).neededMb).toBe(200)
    serverRuns({ driver: 'opencode2', pid: 999_999_999 })
    expect(memoryRoom(home, []).neededMb).toBe(350)
  })

  it('has no bound where it is not asked for, nor where it is not known', () => {
    expect(memoryRoom(home, []).agents).toBe(Infinity)
    available(0)
    expect(memoryRoom(home, []).agents).toBe(0)
    reserve(0)
    expect(memoryRoom(home, []).agents).toBe(Infinity)
  })

  it('takes a server that cannot be read for one that runs, and leaves it as it is', () => {
    available(1000)
    fs.mkdirSync(home.paths.server, { recursive: true })
    expect(memoryRoom(home, []).neededMb).toBe(256 + 100)
    expect(fs.statSync(home.paths.server).isDirectory()).toBe(true)
  })
})

describe('admit', () => {
  const ask = (issue: number, limit: number | undefined) =>
    admit(home, { issueRef: `forge.test/me/app#${issue}`, session: `s${issue}`, limit })

  it('refuses without memory as without a slot, with numbers and what to do, and leaves nothing', async () => {
    available(500)
    const error = await ask(1, 3).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(KugetsuError)
    expect(error).toMatchObject({
      message: 'too little memory for one more agent: 500 MB available, 756 MB needed',
      hint: expect.stringContaining('MIN_FREE_MEMORY_MB (256)'),
      code: 'no_memory',
      exitCode: 2,
    })
    expect(slotHolders(home)).toEqual([])
    expect(fs.readFileSync(home.paths.journal, 'utf8')).toContain('too little memory')
  })

  it('admits no more at once than there is memory for', async () => {
    available(756 + 100)
    const asked = await Promise.allSettled([1, 2, 3, 4].map((issue) => ask(issue, 4)))
    expect(asked.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected'])
    expect(slotHolders(home)).toHaveLength(2)
  })

  it('names the limit first, and asks nothing of a person who wants it now', async () => {
    available(756)
    await ask(1, 1)
    available(0)
    await expect(ask(2, 1)).rejects.toMatchObject({ code: 'no_free_slot' })
    await ask(3, undefined)
    expect(slotHolders(home)).toHaveLength(2)
  })
})
