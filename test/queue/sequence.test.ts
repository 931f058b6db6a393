import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { takeNumber } from '../../src/queue/sequence.ts'
import { buildProgram } from '../helpers/programs.ts'

let directory: string
beforeEach(() => {
  directory = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'kg-numbers-')), 'numbers')
})
afterEach(() => fs.rmSync(path.dirname(directory), { recursive: true }))

const none = () => 0

describe('numbers', () => {
  it('grow, whatever the clock says, and leave one file behind', () => {
    expect([500, 600, 1, 600, 700].map((now) => takeNumber(directory, now, none))).toEqual([500, 600, 601, 602, 700])
    expect(fs.readdirSync(directory)).toEqual(['700'])
  })

  it('go on after the highest that is known when the directory is gone, or has only what is no number', () => {
    expect(takeNumber(directory, 5, () => 900)).toBe(901)
    fs.rmSync(directory, { recursive: true })
    fs.mkdirSync(directory)
    fs.writeFileSync(path.join(directory, 'notes'), '')
    expect(takeNumber(directory, 5, () => 950)).toBe(951)
    expect(fs.readdirSync(directory).sort()).toEqual(['951', 'notes'])
  })

  it('go on where something else lies in the place of the directory, which is kept', () => {
    fs.writeFileSync(directory, 'a file')
    expect(takeNumber(directory, 5, () => 900)).toBe(901)
    fs.rmSync(directory, { recursive: true })
    fs.symlinkSync('/nowhere', directory)
    expect(takeNumber(directory, 5, () => 950)).toBe(951)
    expect(fs.readdirSync(path.dirname(directory)).filter((name) => name.includes('.unreadable-'))).toHaveLength(2)
  })

  it('go on beside what cannot be cleared away, and say when there is nothing to go on to', () => {
    fs.mkdirSync(path.join(directory, '700', 'inner'), { recursive: true })
    expect([5, 6].map((now) => takeNumber(directory, now, none))).toEqual([701, 702])
    fs.writeFileSync(path.join(directory, '8999999999999'), '')
    expect(() => takeNumber(directory, 5, none)).toThrow(/cannot count on/)
  })

  it('that somebody has overtaken are not given out', () => {
    takeNumber(directory, 10, none)
    let asked = 0
    // Between its look and its claim another takes the same number and the next one, which clears the first away.
    const overtaken = () => {
      if (asked++ === 0) for (const now of [11, 12]) takeNumber(directory, now, none)
      return 10
    }
    fs.rmSync(path.join(directory, '10'))
    expect(takeNumber(directory, 11, overtaken)).toBe(13)
  })

  it('are given to one process each, in order', async () => {
    const program = await buildProgram('number-taker')
    try {
      const runs = Array.from({ length: 4 }, () => program.start({ directory, count: 150 }))
      for (const run of runs) run.go()
      await Promise.all(runs.map(({ ended }) => ended))
      const taken = runs.map((run) => run.said().trim().split('\n').map(Number))
      for (const own of taken) expect(own).toEqual(own.toSorted((a, b) => a - b))
      expect(new Set(taken.flat()).size).toBe(600)
    } finally {
      await program.remove()
    }
  })
})
