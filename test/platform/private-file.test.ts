import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withPrivateFile } from '../../src/platform/private-file.ts'

const name = 'sqlite-0123.node'
const bytes = Buffer.from('what is to be run')
const read = (file: string) => fs.readFileSync(file, 'utf8')

let root: string
let first: string
let second: string
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-private-'))
  first = path.join(root, 'a', 'kugetsu')
  second = path.join(root, 'b')
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

const used = () => withPrivateFile([first, second], name, bytes, read)
const modeOf = (file: string) => fs.statSync(file).mode & 0o777

describe('a private copy', () => {
  it('is made once, in a directory of the user alone', () => {
    expect(used()).toBe('what is to be run')
    expect([modeOf(first), modeOf(path.join(first, name))]).toEqual([0o700, 0o500])
    const { ino } = fs.statSync(path.join(first, name))
    expect(used()).toBe('what is to be run')
    expect(fs.statSync(path.join(first, name)).ino).toBe(ino)
    expect(fs.readdirSync(first)).toEqual([name])
    expect(fs.existsSync(second)).toBe(false)
  })

  it.each<[string, (file: string) => void]>([
    [
      'other bytes of the same length',
      (file) => fs.writeFileSync(file, 'what is not to run'.slice(1), { mode: 0o500 }),
    ],
    ['half of it', (file) => fs.writeFileSync(file, bytes.subarray(0, 5), { mode: 0o500 })],
    ['what others may write to', (file) => [fs.writeFileSync(file, bytes), fs.chmodSync(file, 0o722)]],
    ['a link', (file) => [fs.writeFileSync(`${file}x`, bytes), fs.symlinkSync(`${file}x`, file)]],
    ['a link to nothing', (file) => fs.symlinkSync('/nowhere', file)],
  ])('replaces %s', (_, spoil) => {
    fs.mkdirSync(first, { recursive: true, mode: 0o700 })
    spoil(path.join(first, name))
    expect(used()).toBe('what is to be run')
    const stat = fs.lstatSync(path.join(first, name))
    expect([stat.isFile(), stat.mode & 0o777]).toEqual([true, 0o500])
  })

  it.skipIf(process.getuid?.() !== 0)(
    "replaces another user's file, and does not use their directory (as root)",
    () => {
      used()
      fs.chownSync(path.join(first, name), 65_534, 65_534)
      expect(used()).toBe('what is to be run')
      expect(fs.statSync(path.join(first, name)).uid).toBe(0)
      fs.chownSync(first, 65_534, 65_534)
      expect(used()).toBe('what is to be run')
      expect(fs.readdirSync(second)).toEqual([name])
    },
  )

  it.each<[string, () => void]>([
    ['others may write to', () => fs.chmodSync(first, 0o777)],
    ['is a link', () => [fs.renameSync(first, `${first}x`), fs.symlinkSync(`${first}x`, first)]],
    ['is a file', () => [fs.rmdirSync(first), fs.writeFileSync(first, '')]],
  ])('is not made in a directory that %s', (_, spoil) => {
    fs.mkdirSync(first, { recursive: true, mode: 0o700 })
    spoil()
    expect(used()).toBe('what is to be run')
    expect(fs.readdirSync(second)).toEqual([name])
    expect(() => withPrivateFile([first], name, bytes, read)).toThrow(first)
  })

  it('is read by what was looked at, not by its name', () => {
    const swapped = withPrivateFile([first], name, bytes, (file) => {
      fs.renameSync(path.join(first, name), path.join(first, 'old'))
      fs.writeFileSync(path.join(first, name), 'somebody else was quicker')
      return read(file)
    })
    expect(swapped).toBe('what is to be run')
  })

  it('is looked for in the next directory where it cannot be used, and each reason is told', () => {
    const tried: string[] = []
    const refuse = (reason: string) => () => {
      tried.push(reason)
      throw new Error(reason)
    }
    expect(() => withPrivateFile([first, second], name, bytes, refuse('noexec'))).toThrow(
      `${first}: noexec; ${second}: noexec`,
    )
    expect(tried).toHaveLength(2)
  })

  it('takes away what older versions left, and nothing else', () => {
    fs.mkdirSync(first, { recursive: true, mode: 0o700 })
    const longAgo = new Date(Date.now() - 30 * 24 * 3_600_000)
    const files = ['sqlite-old.node', 'sqlite-recent.node', `${name}.abc`, 'other']
    for (const file of files) fs.writeFileSync(path.join(first, file), '')
    for (const file of ['sqlite-old.node', `${name}.abc`, 'other'])
      fs.utimesSync(path.join(first, file), longAgo, longAgo)
    used()
    expect(fs.readdirSync(first).sort()).toEqual(['other', name, 'sqlite-recent.node'].sort())
  })
})
