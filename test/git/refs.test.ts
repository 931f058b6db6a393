import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openMirror } from '../../src/worktrees/mirror/mirror.ts'
import { askRefs, readRefs, sameRefs } from '../../src/git/refs.ts'
import { createGround, type Ground } from '../helpers/git-repository.ts'

let ground: Ground
beforeEach(async () => {
  ground = createGround({ 'a.txt': 'one\n' })
  ground.push('fix/one', { 'b.txt': 'b' })
  await openMirror(ground.repository, { url: ground.url })
  git('branch', '--no-track', 'fix/two', 'origin/main')
})
afterEach(() => ground.cleanup())

const git = (...args: string[]) => ground.git(ground.mirror, ...args)
const file = (name: string) => path.join(ground.mirror, name)
const names = [
  'refs/heads/fix/two',
  'refs/heads/fix/one',
  'refs/heads/fix/two/below',
  'refs/remotes/origin/HEAD',
  'refs/remotes/origin/main',
  'refs/remotes/origin/fix/one',
  'refs/remotes/origin/fix/on',
]
const asked = () => askRefs(ground.repository, names)

describe('readRefs says what git says', () => {
  it.each([
    ['in files of their own', () => {}],
    ['packed', () => void git('pack-refs', '--all', '--prune')],
    [
      'packed, and changed since',
      () => {
        git('pack-refs', '--all', '--prune')
        git('branch', '--force', 'fix/two', 'origin/fix/one')
      },
    ],
    ['without a default branch', () => void git('symbolic-ref', 'refs/remotes/origin/HEAD', 'refs/remotes/origin/no')],
  ])('%s', async (_, change) => {
    change()
    const read = readRefs(ground.mirror, names)
    expect(read).toEqual(await asked())
    expect(read?.get('refs/heads/fix/two')?.commit).toBe(git('rev-parse', 'fix/two'))
    expect(sameRefs(read, await asked(), names)).toBe(true)
  })

  it('and tells one that was changed from one that stays', async () => {
    const before = readRefs(ground.mirror, names)
    git('branch', '--force', 'fix/two', 'origin/fix/one')
    const after = readRefs(ground.mirror, names)
    expect(sameRefs(before, after, ['refs/heads/fix/two'])).toBe(false)
    expect(sameRefs(before, after, ['refs/remotes/origin/HEAD', 'refs/remotes/origin/none'])).toBe(true)
    git('symbolic-ref', 'refs/remotes/origin/HEAD', 'refs/remotes/origin/fix/one')
    expect(sameRefs(after, readRefs(ground.mirror, names), ['refs/remotes/origin/HEAD'])).toBe(false)
  })
})

describe('readRefs leaves it to git', () => {
  it.each([
    ['an empty file', () => fs.writeFileSync(file('refs/heads/fix/two'), '')],
    ['half a commit', () => fs.writeFileSync(file('refs/heads/fix/two'), 'abc123\n')],
    ['no commit', () => fs.writeFileSync(file('refs/heads/fix/two'), `${'0'.repeat(40)}\n`)],
    ['a directory', () => fs.mkdirSync(file('refs/heads/fix/one'))],
    ['refs that are kept in another way', () => fs.mkdirSync(file('reftable'))],
    ['a file that leads elsewhere', () => fs.writeFileSync(file('refs/remotes/origin/HEAD'), 'ref: refs/../config\n')],
  ])('where it finds %s', (_, change) => {
    change()
    expect(readRefs(ground.mirror, names)).toBeUndefined()
  })

  it.each(['refs/heads/../../config', 'config', 'refs/heads/', '/etc/passwd', 'refs/heads/*', 'refs/heads/a.lock'])(
    'where it is asked for %s',
    (name) => expect(readRefs(ground.mirror, [name])).toBeUndefined(),
  )
})
