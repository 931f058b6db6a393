import * as fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { appendLines, newestLines, type AppendLog } from '../../src/platform/append-log.ts'
import { tryExclusive } from '../../src/platform/locks.ts'

let root: string
let log: AppendLog
const warnings: string[] = []
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-append-log-'))
  log = { file: path.join(root, 'log'), lock: path.join(root, 'log.lock'), rotateAt: 100 }
  warnings.length = 0
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

const append = (...values: string[]) =>
  appendLines(
    log,
    values.map((value) => ({ value })),
  )
const read = () =>
  [...newestLines(log.file, (text) => warnings.push(text))]
    .reverse()
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { value: string }).value)
const long = 'x'.repeat(100)

describe('appendLines', () => {
  it('adds whole lines, in one file for its owner alone', () => {
    append()
    expect(fs.readdirSync(root)).toEqual([])
    append('one', 'two')
    append('a\nb')
    expect(fs.readFileSync(log.file, 'utf8')).toBe('{"value":"one"}\n{"value":"two"}\n{"value":"a\\nb"}\n')
    expect(fs.statSync(log.file).mode & 0o777).toBe(0o600)
    expect(fs.readdirSync(root)).toEqual(['log'])
  })

  it('moves a large file away, once, and keeps the one before no longer', () => {
    append(long)
    append('second')
    append('third')
    expect(read()).toEqual([long, 'second', 'third'])
    expect(fs.statSync(`${log.file}.1`).size).toBeGreaterThan(100)
    append(long)
    append('fifth')
    expect(read()).toEqual(['second', 'third', long, 'fifth'])
  })

  it('does so another time when another process is at it, or it cannot be done', () => {
    append(long)
    const release = tryExclusive(log.lock)
    append('second')
    expect(fs.existsSync(`${log.file}.1`)).toBe(false)
    release?.()
    fs.mkdirSync(`${log.file}.1`)
    append('third')
    expect(read()).toEqual([long, 'second', 'third'])
    expect(warnings).toEqual([expect.stringContaining('log.1: it is a directory')])
    fs.rmdirSync(`${log.file}.1`)
    append('fourth')
    expect(fs.readFileSync(log.file, 'utf8')).toBe('{"value":"fourth"}\n')
    expect(read()).toEqual([long, 'second', 'third', 'fourth'])
  })

  it.each([
    [1, ['mine', 'later']],
    [2, ['later', 'mine']],
  ])('loses nothing when others move the file away %i times between opening and writing', (times, wanted) => {
    append('first')
    const builtIn: { writeSync: typeof fs.writeSync } = process.getBuiltinModule('node:fs')
    const { writeSync } = builtIn
    builtIn.writeSync = ((...args: Parameters<typeof writeSync>) => {
      builtIn.writeSync = writeSync
      syncBuiltinESMExports()
      for (let time = 0; time < times; time++) {
        fs.renameSync(log.file, `${log.file}.1`)
        fs.writeFileSync(log.file, '{"value":"later"}\n')
      }
      return writeSync(...args)
    }) as typeof writeSync
    syncBuiltinESMExports()
    append('mine')
    expect(
      read()
        .filter((value) => value !== 'first')
        .slice(-2),
    ).toEqual(wanted)
  })

  it('sets aside what is far larger than a log of ours', () => {
    append(long)
    append('second')
    fs.truncateSync(log.file, 60_000_000)
    append('third')
    expect(read()).toEqual([long, 'third'])
    expect(fs.readdirSync(root).filter((name) => name.startsWith('log.unreadable-'))).toHaveLength(1)
  })
})

describe('newestLines', () => {
  it('is empty without a log', () => {
    expect(read()).toEqual([])
    expect(warnings).toEqual([])
  })

  it('reads the older part only when it is asked for', () => {
    append('one')
    fs.mkdirSync(`${log.file}.1`)
    const [last, first] = newestLines(log.file, (text) => warnings.push(text))
    expect([last, first]).toEqual(['', '{"value":"one"}'])
    expect(warnings).toEqual([])
    expect(read()).toEqual(['one'])
    expect(warnings).toHaveLength(1)
  })

  it('misses no line when the file moves away meanwhile', () => {
    append('one')
    const lines = newestLines(log.file, (text) => warnings.push(text))
    const first = lines.next().value
    fs.renameSync(log.file, `${log.file}.1`)
    expect([first, ...lines].filter(Boolean)).toEqual(['{"value":"one"}', '{"value":"one"}'])
  })

  it('keeps a line that was cut off in the older part from the newer part', () => {
    fs.writeFileSync(`${log.file}.1`, '{"value":"older"}')
    append('newer')
    expect(read()).toEqual(['older', 'newer'])
  })
})
