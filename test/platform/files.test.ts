import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KugetsuError } from '../../src/core/errors.ts'
import {
  appendText,
  createExclusive,
  ensureDirectory,
  isNoText,
  listDirectory,
  readLog,
  readSmall,
  readText,
  removeFile,
  rotateInPlace,
  setAside,
  writeAtomic,
} from '../../src/platform/files.ts'
import { buildProgram } from '../helpers/programs.ts'
import { waitFor } from '../helpers/wait-for.ts'

let root: string
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-files-'))
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

const at = (...parts: string[]) => path.join(root, ...parts)
const modeOf = (file: string) => fs.statSync(file).mode & 0o777
const errorOf = (work: () => unknown): KugetsuError => {
  try {
    work()
  } catch (error) {
    if (error instanceof KugetsuError) return error
    throw error
  }
  throw new Error('it did not fail')
}

describe('writeAtomic', () => {
  it('writes a private file, whole, and leaves nothing else', () => {
    const text = 'ä'.repeat(500_000)
    writeAtomic(at('state.json'), text)
    expect(fs.readFileSync(at('state.json'), 'utf8')).toBe(text)
    expect(modeOf(at('state.json'))).toBe(0o600)
    expect(fs.readdirSync(root)).toEqual(['state.json'])
  })

  it('replaces a file, and makes a public one private', () => {
    fs.writeFileSync(at('state.json'), 'a longer old text', { mode: 0o644 })
    writeAtomic(at('state.json'), 'new')
    expect(fs.readFileSync(at('state.json'), 'utf8')).toBe('new')
    expect(modeOf(at('state.json'))).toBe(0o600)
  })

  it('replaces a link and not what the link points to', () => {
    fs.writeFileSync(at('precious'), 'keep me')
    fs.symlinkSync(at('precious'), at('state.json'))
    writeAtomic(at('state.json'), 'new')
    expect(fs.readFileSync(at('precious'), 'utf8')).toBe('keep me')
    expect(fs.lstatSync(at('state.json')).isFile()).toBe(true)
  })

  it('leaves no temporary file when the place is taken by a directory', () => {
    fs.mkdirSync(at('state.json', 'inner'), { recursive: true })
    expect(errorOf(() => writeAtomic(at('state.json'), 'new'))).toMatchObject({ code: 'unwritable' })
    expect(fs.readdirSync(root)).toEqual(['state.json'])
  })

  it('says what to do when there is no such directory', () => {
    const error = errorOf(() => writeAtomic(at('missing', 'state.json'), 'new'))
    expect(error.message).toContain(at('missing', 'state.json'))
    expect(error.hint).toContain('KUGETSU_DIR')
    expect(fs.readdirSync(root)).toEqual([])
  })
})

describe('createExclusive', () => {
  it('creates a private file once', () => {
    expect(createExclusive(at('one'), 'first')).toBe(true)
    expect(createExclusive(at('one'), 'second')).toBe(false)
    expect(fs.readFileSync(at('one'), 'utf8')).toBe('first')
    expect(modeOf(at('one'))).toBe(0o600)
    expect(fs.readdirSync(root)).toEqual(['one'])
  })

  it('takes a dangling link and a directory for something that is there', () => {
    fs.symlinkSync(at('nowhere'), at('link'))
    fs.mkdirSync(at('directory'))
    expect(createExclusive(at('link'), 'x')).toBe(false)
    expect(createExclusive(at('directory'), 'x')).toBe(false)
    expect(fs.readdirSync(root)).toEqual(['directory', 'link'])
  })

  it('has exactly one winner among eight processes, whose content is there whole', async () => {
    const files = Array.from({ length: 40 }, (_, index) => at('race', `file-${index}`))
    fs.mkdirSync(at('race'))
    const racer = await buildProgram('create-racer')
    try {
      const racers = Array.from('abcdefgh', (name) => ({ name, run: racer.start({ name, files }) }))
      await waitFor('all racers at the line', () => racers.every(({ run }) => run.said().includes('ready')))
      for (const { run } of racers) run.go()
      expect(await Promise.all(racers.map(({ run }) => run.ended))).toEqual(racers.map(() => 0))
      for (const file of files) {
        const winners = racers.filter(({ run }) => run.said().split('\n').includes(`won ${file}`))
        expect(winners, file).toHaveLength(1)
        expect(fs.readFileSync(file, 'utf8')).toBe(winners[0]?.name.repeat(1000))
      }
      expect(fs.readdirSync(at('race'))).toHaveLength(files.length)
    } finally {
      await racer.remove()
    }
  })
})

describe('reading', () => {
  it('takes what is not there for nothing', () => {
    fs.writeFileSync(at('file'), 'text')
    expect(readText(at('file'))).toBe('text')
    expect(readText(at('missing'))).toBeUndefined()
    expect(readText(at('file', 'below'))).toBeUndefined()
    expect(listDirectory(at('missing'))).toEqual([])
    expect(removeFile(at('missing'))).toBe(false)
    expect(removeFile(at('file'))).toBe(true)
    expect(listDirectory(root)).toEqual([])
  })

  it('names what cannot be read', () => {
    fs.symlinkSync('loop', at('loop'))
    for (const read of [readText, readLog, listDirectory]) {
      expect(errorOf(() => read(at('loop')))).toMatchObject({ code: 'unreadable' })
      expect(errorOf(() => read(at('loop'))).message).toContain(at('loop'))
    }
  })

  it.each([
    ['a directory', (file: string) => fs.mkdirSync(file)],
    ['a pipe', (file: string) => void execFileSync('mkfifo', [file])],
    ['a device without an end', (file: string) => fs.symlinkSync('/dev/zero', file)],
    ['a gigabyte', (file: string) => fs.writeFileSync(file, '') ?? fs.truncateSync(file, 1e9)],
    ['broken characters', (file: string) => fs.writeFileSync(file, Buffer.from([0x7b, 0xff, 0x7d]))],
  ])('does not take %s for state, and is not held up by it', (_, make) => {
    make(at('state.json'))
    const error = errorOf(() => readText(at('state.json')))
    expect([error.code, isNoText(error)]).toEqual(['no_text', true])
    expect(error.message).toContain(at('state.json'))
  })

  it('reads a log whatever its bytes', () => {
    fs.writeFileSync(at('log'), Buffer.from([0x61, 0xff, 0x62]))
    expect(readLog(at('log'))).toBe('a\ufffdb')
    expect(readLog(at('missing'))).toBeUndefined()
    fs.mkdirSync(at('folder'))
    expect(isNoText(errorOf(() => readLog(at('folder'))))).toBe(true)
  })
})

describe('readSmall', () => {
  it('reads a small file, and tells of it when asked', () => {
    fs.writeFileSync(at('small'), 'täxt')
    expect(readSmall(at('small'), { stat: false })).toEqual({ text: 'täxt', stat: undefined })
    expect(readSmall(at('small'), { stat: true })?.stat?.size).toBe(5)
  })

  it('leaves to others what is no ordinary file, as one whose bytes are no text', () => {
    fs.writeFileSync(at('bytes'), Buffer.from('{"a":"\xff"}', 'latin1'))
    fs.writeFileSync(at('empty'), '')
    fs.writeFileSync(at('large'), 'x'.repeat(65_536))
    fs.mkdirSync(at('directory'))
    fs.symlinkSync(at('large'), at('link'))
    execFileSync('mkfifo', [at('pipe')])
    for (const name of ['missing', 'bytes', 'empty', 'large', 'directory', 'link', 'pipe']) {
      expect(readSmall(at(name), { stat: true }), name).toBeUndefined()
    }
  })
})

describe('appendText', () => {
  it('makes a private file and adds to it', () => {
    appendText(at('log'), 'one\n')
    appendText(at('log'), 'two\n')
    expect(fs.readFileSync(at('log'), 'utf8')).toBe('one\ntwo\n')
    expect(modeOf(at('log'))).toBe(0o600)
  })

  it.each([
    ['a link', (file: string) => fs.symlinkSync(at('precious'), file)],
    ['a link to nowhere', (file: string) => fs.symlinkSync(at('nowhere'), file)],
    ['a pipe', (file: string) => void execFileSync('mkfifo', [file])],
    ['a directory', (file: string) => fs.mkdirSync(file)],
  ])('writes nothing through %s in its place, and keeps that', (_, make) => {
    fs.writeFileSync(at('precious'), 'keep me')
    make(at('log'))
    appendText(at('log'), 'text\n')
    expect(fs.readFileSync(at('log'), 'utf8')).toBe('text\n')
    expect(fs.lstatSync(at('log')).isFile()).toBe(true)
    expect(fs.readdirSync(root).filter((name) => name.startsWith('log.unreadable-'))).toHaveLength(1)
    expect(fs.readFileSync(at('precious'), 'utf8')).toBe('keep me')
    expect(fs.existsSync(at('nowhere'))).toBe(false)
  })
})

describe('ensureDirectory', () => {
  it('makes private directories, and leaves one that is there as it is', () => {
    ensureDirectory(at('a', 'b'))
    expect([modeOf(at('a')), modeOf(at('a', 'b'))]).toEqual([0o700, 0o700])
    fs.mkdirSync(at('open'), { mode: 0o755 })
    fs.chmodSync(at('open'), 0o755)
    ensureDirectory(at('open'))
    expect(modeOf(at('open'))).toBe(0o755)
  })

  it('says which directory it cannot make', () => {
    fs.writeFileSync(at('file'), '')
    expect(errorOf(() => ensureDirectory(at('file', 'below')))).toMatchObject({ code: 'unwritable' })
  })
})

describe('setAside', () => {
  it('keeps the bytes under another name, each time a new one', () => {
    const now = new Date('2026-05-04T03:02:01.000Z')
    const asides = ['first', 'second'].map((text) => {
      fs.writeFileSync(at('state.json'), text)
      return setAside(at('state.json'), now) ?? ''
    })
    expect(asides.map((file) => fs.readFileSync(file, 'utf8'))).toEqual(['first', 'second'])
    expect(path.basename(asides[0] ?? '')).toMatch(/^state\.json\.unreadable-2026/)
    expect(fs.existsSync(at('state.json'))).toBe(false)
    expect(setAside(at('state.json'), now)).toBeUndefined()
  })
})

describe('rotateInPlace', () => {
  it('leaves a log that is large to whoever has it open, empty, and keeps what was in it', () => {
    fs.writeFileSync(at('log'), 'old\n', { mode: 0o600 })
    const writer = fs.openSync(at('log'), 'a')
    try {
      expect(rotateInPlace(at('log'))).toBe(false)
      fs.writeSync(writer, `${'x'.repeat(5_000_000)}\n`)
      expect(rotateInPlace(at('log'))).toBe(true)
      fs.writeSync(writer, 'new\n')
      expect(fs.readFileSync(at('log'), 'utf8')).toBe('new\n')
      expect(fs.readFileSync(at('log.1'), 'utf8')).toBe(`old\n${'x'.repeat(5_000_000)}\n`)
      expect(modeOf(at('log.1'))).toBe(0o600)
      expect(fs.readdirSync(root).sort()).toEqual(['log', 'log.1'])
    } finally {
      fs.closeSync(writer)
    }
  })

  it('touches nothing through a link, nor what is not there', () => {
    fs.writeFileSync(at('elsewhere'), 'x'.repeat(6_000_000))
    fs.symlinkSync('elsewhere', at('log'))
    expect([rotateInPlace(at('log')), rotateInPlace(at('none'))]).toEqual([false, false])
    expect(fs.statSync(at('elsewhere')).size).toBe(6_000_000)
  })
})
