import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openMirror } from '../../../src/worktrees/mirror/mirror.ts'
import { packMirror, isWorthPacking } from '../../../src/worktrees/mirror/pack.ts'
import { createGround, type Ground } from '../../helpers/git-repository.ts'

let ground: Ground
beforeEach(async () => {
  ground = createGround({ 'a.txt': 'one\n' })
  await openMirror(ground.repository, { url: ground.url })
})
afterEach(() => ground.cleanup())

const pack = () => packMirror(ground.repository)
const packs = () => fs.readdirSync(path.join(ground.mirror, 'objects', 'pack')).filter((name) => name.endsWith('.pack'))

it('packs a mirror of many packs into one, and keeps what no ref reaches', async () => {
  expect(isWorthPacking(ground.mirror)).toBe(false)
  const git = (input: string, ...args: string[]) =>
    execFileSync('git', args, { cwd: ground.mirror, env: ground.env, input, encoding: 'utf8' }).trim()
  const blob = (text: string) => git(text, 'hash-object', '-w', '--stdin')
  const packed = Array.from({ length: 51 }, (_, index) => blob(`packed ${index}`))
  for (const sha of packed) git(`${sha}\n`, 'pack-objects', '-q', 'objects/pack/pack')
  ground.git(ground.mirror, 'prune-packed')
  const loose = blob('loose')
  expect(packs().length).toBeGreaterThan(50)
  expect(isWorthPacking(ground.mirror)).toBe(true)
  await pack()
  expect(isWorthPacking(ground.mirror)).toBe(false)
  expect(packs().length).toBe(1)
  for (const sha of [...packed, loose]) expect(ground.git(ground.mirror, 'cat-file', '-t', sha)).toBe('blob')
})

it('is packed when it has about as many loose objects as git itself would pack', () => {
  const directory = path.join(ground.mirror, 'objects', '17')
  fs.mkdirSync(directory, { recursive: true })
  const name = (number: number) => path.join(directory, number.toString(16).padStart(38, '0'))
  for (let number = 0; number < 26; number++) fs.writeFileSync(name(number), '')
  fs.writeFileSync(path.join(directory, 'tmp_obj_1'), '')
  expect(isWorthPacking(ground.mirror)).toBe(false)
  fs.writeFileSync(name(26), '')
  expect(isWorthPacking(ground.mirror)).toBe(true)
})
