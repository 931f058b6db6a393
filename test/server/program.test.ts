import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { compare } from '../../src/core/versions.ts'
import { opencode } from '../../src/opencode/driver.ts'
import { checkOpencode, findOpencode } from '../../src/server/program.ts'
import { waitFor } from '../helpers/wait-for.ts'

const testedVersion = opencode.versions.tested

let root: string
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'kugetsu-program-'))
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

/** A program that does what the lines of shell say. */
function program(name: string, ...lines: string[]): string {
  const file = path.join(root, name)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, ['#!/bin/sh', ...lines, ''].join('\n'), { mode: 0o755 })
  return file
}

const saying = (version: string) => program('opencode', `echo '${version}'`)
const env = { PATH: process.env['PATH'] }

describe('finding opencode', () => {
  it('takes the first one on the PATH that can be run', () => {
    const real = program('second/opencode', 'true')
    fs.chmodSync(program('first/opencode', 'true'), 0o644)
    fs.mkdirSync(path.join(root, 'zeroth', 'opencode'), { recursive: true })
    const directories = ['', 'zeroth', 'first', 'second'].map((name) => name && path.join(root, name))
    expect(findOpencode({ PATH: directories.join(':') })).toBe(real)
  })

  it('takes KUGETSU_OPENCODE instead, as a path or as a name on the PATH', () => {
    const mine = program('mine', 'true')
    program('opencode', 'true')
    expect(findOpencode({ PATH: root, KUGETSU_OPENCODE: mine })).toBe(mine)
    expect(findOpencode({ PATH: root, KUGETSU_OPENCODE: 'mine' })).toBe(mine)
  })

  it('says what is missing and how to get it', () => {
    expect(() => findOpencode({ PATH: root })).toThrow(
      expect.objectContaining({
        message: 'no opencode on the PATH',
        code: 'no_opencode',
        hint: expect.stringContaining('npm install -g opencode-ai'),
      }),
    )
    expect(() => findOpencode({ PATH: root, KUGETSU_OPENCODE: '/nowhere/opencode' })).toThrow(
      expect.objectContaining({ message: expect.stringContaining('/nowhere/opencode'), code: 'no_opencode' }),
    )
  })
})

describe('checking opencode', () => {
  it('accepts what the tests run on, and 1.2 as the oldest', async () => {
    expect(await checkOpencode(saying(testedVersion), env)).toEqual({
      path: path.join(root, 'opencode'),
      version: testedVersion,
      driver: opencode,
    })
    expect(await checkOpencode(saying('1.2.0'), env)).toMatchObject({ version: '1.2.0' })
  })

  it('finds the version in whatever else is printed', async () => {
    expect(await checkOpencode(saying('opencode v1.3.2 (linux)'), env)).toMatchObject({ version: '1.3.2' })
  })

  it('warns of a newer one than was tested', async () => {
    const { warning } = await checkOpencode(saying('1.99.0'), env)
    expect(warning).toContain('1.99.0')
    expect(warning).toContain(testedVersion)
  })

  it('refuses one that is too old', async () => {
    await expect(checkOpencode(saying('1.1.9'), env)).rejects.toMatchObject({
      code: 'opencode_too_old',
      message: expect.stringMatching(/1\.1\.9.*1\.2/),
      hint: expect.stringContaining(root),
    })
  })

  it('refuses one of version 3, whose API may be another', async () => {
    await expect(checkOpencode(saying('3.0.1'), env)).rejects.toMatchObject({
      code: 'opencode_unsupported',
      message: expect.stringMatching(/3\.0\.1.*1\.2 to 1\.x, 2\.0 to 2\.x/),
      hint: expect.stringContaining(root),
    })
  })

  it('refuses one that fails, or that does not tell its version', async () => {
    await expect(checkOpencode(program('opencode', 'echo broken >&2', 'exit 3'), env)).rejects.toMatchObject({
      code: 'opencode_broken',
      message: expect.stringContaining('exit code 3'),
    })
    await expect(checkOpencode(saying('hello'), env)).rejects.toMatchObject({ code: 'opencode_broken' })
  })

  it('ends one that hangs, with what holds its output', async () => {
    const pid = path.join(root, 'pid')
    const file = program('opencode', `sleep 300 & echo $! > ${pid}`, 'wait')
    await expect(checkOpencode(file, env, undefined, 500)).rejects.toMatchObject({
      code: 'opencode_broken',
      message: expect.stringContaining('not answered within 0.5 s'),
    })
    const child = Number(fs.readFileSync(pid, 'utf8'))
    await waitFor('the end of its child', () => !fs.existsSync(`/proc/${child}`))
  })

  it('gives it the environment it was given and no other', async () => {
    const file = program('opencode', 'test -z "$HOME" && echo "1.${MINOR}.0"')
    expect(await checkOpencode(file, { PATH: process.env['PATH'], MINOR: '7' })).toMatchObject({ version: '1.7.0' })
  })
})

describe('the path of a home', () => {
  it.each([
    '/home/me/a b',
    '/home/me/100%',
    '/home/me/50% off',
    '/home/me/%20 and 50%', // no URL, so opencode takes it as it is
  ])('may be %s', (home) => {
    expect(() => opencode.requireWorkable(home)).not.toThrow()
  })

  it.each(['/home/me/a%20b', '/home/me/a%2Fb'])('may not be %s', (home) => {
    expect(() => opencode.requireWorkable(home)).toThrow(/opencode cannot work in \/home/)
  })
})

describe('comparing versions', () => {
  it('goes by their numbers', () => {
    expect(compare('1.10.0', '1.9.9')).toBe(1)
    expect(compare('1.2.0', '1.2')).toBe(0)
    expect(compare('0.9.9', '1.0.0')).toBe(-1)
    expect(compare('1.2.3-beta', '1.2.3')).toBe(0)
  })
})
