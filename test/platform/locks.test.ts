import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { KugetsuError } from '../../src/core/errors.ts'
import { exclusively, removeLock, tryExclusive } from '../../src/platform/locks.ts'
import { inOrder } from '../../src/platform/order.ts'
import { buildProgram, type Program } from '../helpers/programs.ts'
import { waitFor } from '../helpers/wait-for.ts'

let root: string
let file: string
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-locks-'))
  file = path.join(root, 'locks', 'thing.lock')
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

const held = (run: { said: () => string }) => waitFor('the holder to have the lock', () => run.said().includes('held'))

describe('exclusively', () => {
  let holder: Program
  let visitor: Program
  beforeAll(async () => {
    holder = await buildProgram('lock-holder')
    visitor = await buildProgram('lock-visitor')
  })
  afterAll(async () => {
    await holder.remove()
    await visitor.remove()
  })

  it('lets no two processes in at once', async () => {
    const inside = path.join(root, 'inside')
    const visits = Array.from({ length: 6 }, () => visitor.start({ file, inside, times: 30 }))
    expect(await Promise.all(visits.map(({ ended }) => ended))).toEqual(visits.map(() => 0))
    expect(visits.map((visit) => visit.said())).toEqual(visits.map(() => 'met 0\n'))
    expect(fs.statSync(file).size).toBe(0)
  })

  it('lets no two processes in at once while its file is removed again and again', async () => {
    const inside = path.join(root, 'inside')
    const visits = Array.from({ length: 4 }, () => visitor.start({ file, inside, times: 40 }))
    let rest = visits.length
    for (const { ended } of visits) void ended.then(() => rest--)
    let removed = 0
    while (rest > 0) {
      if (removeLock(file)) removed++
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(visits.map((visit) => visit.said())).toEqual(visits.map(() => 'met 0\n'))
    expect(removed).toBeGreaterThan(0)
  })

  it('is not taken by who has locked a file that is gone, though the next one has the inode of the one before it', async () => {
    tryExclusive(file)?.()
    const first = fs.lstatSync(file)
    const other = path.join(root, 'other')
    await waitFor('a time that is another', () => {
      fs.rmSync(other, { force: true })
      fs.writeFileSync(other, '')
      return fs.lstatSync(other).birthtimeMs > first.birthtimeMs
    })
    const { lstatSync } = fs
    let looks = 0
    // Between the looks of the one that takes it others do what they may: here it is opened, and here it is locked.
    const looking = ((...args: Parameters<typeof lstatSync>) => {
      if (args[0] === file && ++looks === 3) {
        fs.unlinkSync(file)
        fs.writeFileSync(file, '')
      }
      const found = lstatSync(...args)
      if (args[0] === file && looks === 2) {
        fs.unlinkSync(file)
        fs.writeFileSync(`${file}.between`, '') // has the inode now
        fs.writeFileSync(file, '')
        fs.unlinkSync(`${file}.between`)
      }
      return found
    }) as typeof lstatSync
    const builtIn: { lstatSync: typeof lstatSync } = process.getBuiltinModule('node:fs')
    builtIn.lstatSync = looking
    syncBuiltinESMExports()
    try {
      expect(tryExclusive(file)).toBeUndefined()
    } finally {
      builtIn.lstatSync = lstatSync
      syncBuiltinESMExports()
    }
    expect(looks).toBe(3)
    const release = tryExclusive(file)
    expect(release).toBeDefined()
    release?.()
  })

  it('lets no two callers of one process in at once', async () => {
    let inside = 0
    let most = 0
    const visit = () =>
      exclusively(file, { timeoutMs: 20_000 }, async () => {
        most = Math.max(most, ++inside)
        await new Promise((resolve) => setImmediate(resolve))
        inside--
      })
    await Promise.all(Array.from({ length: 10 }, visit))
    expect(most).toBe(1)
  })

  it('is free the moment its holder is killed', async () => {
    const run = holder.start({ file })
    await held(run)
    expect(tryExclusive(file)).toBeUndefined()
    run.child.kill('SIGKILL')
    expect(await run.ended).toBe('SIGKILL')
    const release = tryExclusive(file)
    expect(release).toBeDefined()
    release?.()
  })

  it('stays taken while its holder is suspended', async () => {
    const run = holder.start({ file })
    await held(run)
    run.child.kill('SIGSTOP')
    expect(tryExclusive(file)).toBeUndefined()
    run.child.kill('SIGCONT')
    run.go()
    expect(await run.ended).toBe(0)
  })

  it('gives up after its time with an error that says so, and does nothing', async () => {
    const release = tryExclusive(file)
    let worked = false
    const error = await exclusively(file, { timeoutMs: 30 }, () => (worked = true)).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(KugetsuError)
    expect(error).toMatchObject({ code: 'busy', exitCode: 1 })
    expect((error as KugetsuError).message).toContain('thing')
    expect(worked).toBe(false)
    release?.()
    expect(await exclusively(file, { timeoutMs: 0 }, () => 'worked')).toBe('worked')
  })

  it('ends its waiting when told to', async () => {
    const release = tryExclusive(file)
    const abort = new AbortController()
    const waiting = exclusively(file, { timeoutMs: 3_600_000, signal: abort.signal }, () => 'worked')
    abort.abort(new KugetsuError('interrupted', { code: 'interrupted' }))
    await expect(waiting).rejects.toThrow()
    release?.()
  })

  it('is free again after work that fails', async () => {
    const failing = exclusively(file, { timeoutMs: 0 }, () => Promise.reject(new Error('the work failed')))
    await expect(failing).rejects.toThrow('the work failed')
    expect(await exclusively(file, { timeoutMs: 0 }, () => 'worked')).toBe('worked')
  })

  it('sets aside what somebody else wrote in its place', async () => {
    fs.mkdirSync(path.dirname(file))
    fs.writeFileSync(file, 'not a lock at all\n'.repeat(100))
    expect(await exclusively(file, { timeoutMs: 5_000 }, () => 'worked')).toBe('worked')
    const [lock, aside, ...more] = fs.readdirSync(path.dirname(file)).sort()
    expect([lock, more]).toEqual(['thing.lock', []])
    expect(fs.readFileSync(path.join(path.dirname(file), aside ?? ''), 'utf8')).toContain('not a lock at all')
  })

  it.each([
    ['a directory', () => fs.mkdirSync(file)],
    ['a pipe', () => void execFileSync('mkfifo', [file])],
    ['a link to nowhere', () => fs.symlinkSync(path.join(root, 'target'), file)],
  ])('sets aside %s in its place, and makes nothing where a link points to', async (_, make) => {
    fs.mkdirSync(path.dirname(file))
    make()
    expect(await exclusively(file, { timeoutMs: 5_000 }, () => 'worked')).toBe('worked')
    expect(fs.lstatSync(file).isFile()).toBe(true)
    expect(fs.readdirSync(path.dirname(file))).toHaveLength(2)
    expect(fs.existsSync(path.join(root, 'target'))).toBe(false)
  })

  it('says what is wrong where no lock can be', () => {
    fs.writeFileSync(path.dirname(file), '')
    let error: unknown
    try {
      tryExclusive(file)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(KugetsuError)
    expect((error as KugetsuError).message).toContain(path.dirname(file))
  })
})

describe('inOrder', () => {
  let holder: Program
  beforeAll(async () => {
    holder = await buildProgram('order-holder')
  })
  afterAll(() => holder.remove())

  it('lets callers in one after the other', async () => {
    let inside = 0
    let most = 0
    const visit = () =>
      inOrder(file, { timeoutMs: 20_000 }, async () => {
        most = Math.max(most, ++inside)
        await new Promise((resolve) => setImmediate(resolve))
        inside--
      })
    await Promise.all(Array.from({ length: 5 }, visit))
    expect(most).toBe(1)
    expect(fs.readdirSync(path.dirname(file))).toEqual([])
  })

  // What lies at the lock's place, and nobody will ever take it away.
  const stuck = {
    'a lock of the future': (place: string) => {
      fs.mkdirSync(place)
      const future = new Date(Date.now() + 3_600_000)
      fs.utimesSync(place, future, future)
    },
    'a file': (place: string) => fs.writeFileSync(place, ''),
    'a directory with something in it': (place: string) => {
      fs.mkdirSync(path.join(place, 'full'), { recursive: true })
      fs.utimesSync(place, new Date(0), new Date(0))
    },
  }
  it.each(Object.keys(stuck) as (keyof typeof stuck)[])('is not held up for good by %s', async (what) => {
    fs.mkdirSync(path.dirname(file))
    stuck[what](`${file}.lock`)
    expect(await inOrder(file, { timeoutMs: 100 }, () => 'worked')).toBe('worked')
    // It was moved out of the way, so the next ones are in order again.
    const inside = await inOrder(file, { timeoutMs: 20_000 }, () => fs.readdirSync(path.dirname(file)).sort())
    expect(inside[0]).toBe('thing.lock.lock')
    expect(inside).toHaveLength(2)
  })

  it('goes on without a holder that is suspended, which comes to no harm by that', async () => {
    const run = holder.start({ file, stop: true, holdMs: 1_500 })
    await held(run)
    expect(await inOrder(file, { timeoutMs: 20_000 }, () => 'worked')).toBe('worked')
    run.child.kill('SIGCONT')
    expect(await run.ended).toBe(0)
    expect(run.said()).toBe('held\ndone\n')
  })

  it('survives that its lock is taken away while it holds it', async () => {
    const run = holder.start({ file, stop: false, holdMs: 2_500 })
    await held(run)
    fs.rmdirSync(`${file}.lock`)
    expect(await run.ended).toBe(0)
    expect(run.said()).toBe('held\ndone\n')
  })

  it('passes on what the work throws, and lets go', async () => {
    const failing = inOrder(file, { timeoutMs: 1_000 }, () => Promise.reject(new Error('the work failed')))
    await expect(failing).rejects.toThrow('the work failed')
    expect(fs.readdirSync(path.dirname(file))).toEqual([])
  })
})
