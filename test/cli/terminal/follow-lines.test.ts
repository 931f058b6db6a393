import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { followLines } from '../../../src/cli/terminal/follow-lines.ts'
import { waitFor } from '../../helpers/wait-for.ts'

let directory: string
let log: string
let ending: AbortController
let printed: string[]
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-follow-'))
  log = path.join(directory, 'daemon.log')
  ending = new AbortController()
  printed = []
})
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }))

const follow = (last: number) => followLines(log, { last, signal: ending.signal }, (lines) => printed.push(...lines))
const until = (...lines: string[]) =>
  waitFor(`the lines ${lines.join()}`, () => JSON.stringify(printed) === JSON.stringify(lines))

describe('a log that is followed', () => {
  it('is shown from its last lines on, whole lines only, also when it is rotated, until that is ended', async () => {
    fs.writeFileSync(log, 'one\ntwo\nthree\nfo')
    const followed = follow(2)
    await until('two', 'three')
    fs.appendFileSync(log, 'ur\nfü')
    await until('two', 'three', 'four')
    fs.appendFileSync(log, 'nf\n')
    // The writer still has the file that was moved away, and the next one begins a new file.
    const writer = fs.openSync(log, 'a')
    fs.renameSync(log, `${log}.1`)
    fs.writeSync(writer, 'six\n')
    fs.closeSync(writer)
    fs.writeFileSync(log, 'seven\n')
    await until('two', 'three', 'four', 'fünf', 'six', 'seven')
    ending.abort()
    await expect(followed).rejects.toThrow('aborted')
  })

  it('is shown without a gap when it is copied and emptied, however much is in it again', async () => {
    fs.writeFileSync(log, 'one\n')
    const followed = follow(10)
    await until('one')
    const writer = fs.openSync(log, 'a')
    fs.writeSync(writer, 'two\n')
    fs.copyFileSync(log, `${log}.1`)
    fs.truncateSync(log)
    fs.writeSync(writer, 'three\nfour\nfive\n') // more than there was
    fs.closeSync(writer)
    await until('one', 'two', 'three', 'four', 'five')
    ending.abort()
    await expect(followed).rejects.toThrow('aborted')
  })

  it('may not be there yet', async () => {
    const followed = follow(10)
    fs.writeFileSync(log, 'first\n')
    await until('first')
    ending.abort()
    await expect(followed).rejects.toThrow('aborted')
  })
})
