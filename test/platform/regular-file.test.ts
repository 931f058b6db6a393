import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as net from 'node:net'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { beginningOf, copyRegular, isNoText, readRegular, specialKind } from '../../src/platform/regular-file.ts'

let root: string
beforeEach(() => void (root = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-regular-'))))
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))
const at = (name: string) => path.join(root, name)
const errorOf = (call: () => unknown) => {
  try {
    return call()
  } catch (error) {
    return error
  }
}

it('reads, begins and copies a file, also behind a link; there need be none', () => {
  fs.writeFileSync(at('file'), Buffer.from([0x61, 0xff, 0x62]))
  fs.symlinkSync('file', at('link'))
  for (const name of ['file', 'link']) {
    expect(readRegular(at(name))).toEqual(Buffer.from([0x61, 0xff, 0x62]))
    expect(beginningOf(at(name), 2)).toEqual(Buffer.from([0x61, 0xff]))
    expect(copyRegular(at(name), at('copy'))).toBe(true)
    expect(fs.readFileSync(at('copy'))).toEqual(fs.readFileSync(at('file')))
  }
  expect([readRegular(at('none')), beginningOf(at('none'), 2), copyRegular(at('none'), at('other'))]).toEqual([
    undefined,
    undefined,
    false,
  ])
  expect(fs.existsSync(at('other'))).toBe(false)
})

it.each([
  ['a pipe', () => void execFileSync('mkfifo', [at('it')])],
  [
    'a pipe',
    () => {
      execFileSync('mkfifo', [at('far')])
      fs.symlinkSync('far', at('it'))
    },
  ],
  ['a device', () => fs.symlinkSync('/dev/zero', at('it'))],
  ['a directory', () => fs.mkdirSync(at('it'))],
])('is held up by no other thing, and names it: %s', (what, make) => {
  make()
  const name = Buffer.from(at('it'))
  for (const call of [
    () => readRegular(name),
    () => beginningOf(at('it'), 1),
    () => copyRegular(at('it'), at('copy')),
  ]) {
    const error = errorOf(call)
    expect(isNoText(error)).toBe(true)
    expect(String(error)).toContain(`cannot understand ${at('it')}: it is ${what}`)
  }
  expect(fs.existsSync(at('copy'))).toBe(false)
})

it('says what can be saved in no way: not of a file, a directory or a link', async () => {
  fs.writeFileSync(at('file'), '')
  fs.symlinkSync('file', at('link'))
  execFileSync('mkfifo', [at('pipe')])
  const server = net.createServer().listen(at('socket'))
  await new Promise((resolve) => server.once('listening', resolve))
  const kinds = ['file', '.', 'link', 'pipe', 'socket'].map((name) => specialKind(fs.lstatSync(at(name))))
  expect(kinds).toEqual([undefined, undefined, undefined, 'a pipe', 'a socket'])
  expect(String(errorOf(() => readRegular(at('socket'))))).toContain('it is a socket')
  server.close()
})
