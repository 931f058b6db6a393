import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { lostParts, mendWorktree } from '../../src/worktrees/mend.ts'
import { openMirror } from '../../src/worktrees/mirror/mirror.ts'
import { addWorktree } from '../../src/worktrees/worktrees.ts'
import { createGround, type Ground } from '../helpers/git-repository.ts'

// One ground for all: each test has a copy of it in its place.
let ground: Ground
let entry: string
const kept = () => path.join(ground.root, 'kept')
const home = () => path.join(ground.root, 'home')
beforeAll(async () => {
  ground = createGround({ 'a.txt': 'one\n' })
  await open()
  await add('one')
  write('a.txt', 'mine\n')
  git('commit', '--quiet', '--all', '--message', 'Mine')
  write('new.txt', 'new\n')
  write('a.txt', 'more\n')
  fs.cpSync(home(), kept(), { recursive: true })
})
afterAll(() => ground.cleanup())
beforeEach(() => {
  fs.rmSync(home(), { recursive: true, force: true })
  fs.cpSync(kept(), home(), { recursive: true })
  entry = path.join(ground.mirror, 'worktrees', 'one')
})

const mended: string[][] = []
const open = () => openMirror(ground.repository, { url: ground.url, onMended: (parts) => mended.push(parts) })
const place = () => ground.worktree('one')
const options = () => ({ mirror: ground.repository, path: place(), branch: 'fix/one' })
const add = (name: string) =>
  addWorktree({
    ...options(),
    path: ground.worktree(name),
    branch: `fix/${name}`,
  })
const write = (file: string, text: string) => fs.writeFileSync(path.join(place(), file), text)
const git = (...args: string[]) => ground.git(place(), ...args)
/** Of git, and that no file was touched. */
const state = () => [
  git('log', '--format=%s', 'HEAD'),
  git('status', '--porcelain', '--branch'),
  ...['a.txt', 'new.txt'].map((name) => fs.readFileSync(path.join(place(), name), 'utf8')),
]
const asBefore = ['Mine\nChange a.txt', '## fix/one\n M a.txt\n?? new.txt', 'more\n', 'new\n']
const branchFile = () => path.join(ground.mirror, 'refs', 'heads', 'fix', 'one')
const nothing = Buffer.alloc(41)
const pipe = (file: string) => {
  fs.rmSync(file)
  execFileSync('mkfifo', [file])
}

describe('a worktree in which git does not work', () => {
  it.each<[string[], () => void]>([
    [['its .git file'], () => fs.rmSync(path.join(place(), '.git'))],
    [['its .git file'], () => fs.writeFileSync(path.join(place(), '.git'), '')],
    [['its place in the mirror'], () => fs.writeFileSync(path.join(entry, 'gitdir'), '')],
    [['the link of one to the mirror'], () => fs.rmSync(path.join(entry, 'commondir'))],
    [['its HEAD'], () => fs.writeFileSync(path.join(entry, 'HEAD'), nothing)],
    [['its branch'], () => fs.writeFileSync(branchFile(), '')],
    [['its index'], () => fs.writeFileSync(path.join(entry, 'index'), '')],
    [['its index'], () => fs.rmSync(path.join(entry, 'index'))],
    [['its index'], () => pipe(path.join(entry, 'index'))],
    [['its .git file'], () => pipe(path.join(place(), '.git'))],
    [['HEAD of the mirror'], () => fs.writeFileSync(path.join(ground.mirror, 'HEAD'), nothing)],
    [
      ['its HEAD', 'its index'],
      () => {
        fs.writeFileSync(branchFile(), nothing)
        fs.writeFileSync(path.join(entry, 'HEAD'), '')
        fs.writeFileSync(path.join(entry, 'index'), nothing)
      },
    ],
    [
      ['its entry in the mirror', 'its place in the mirror', 'the link of one to the mirror', 'its HEAD', 'its index'],
      () => fs.rmSync(entry, { recursive: true }),
    ],
  ])('is mended where it has lost %j', async (parts, lose) => {
    expect(lostParts(options())).toEqual([])
    lose()
    expect(lostParts(options())).toContain(parts[0])
    expect(await mendWorktree(options())).toEqual(parts)
    expect(lostParts(options())).toEqual([])
    expect(state()).toEqual(asBefore)
  })

  it('is mended in a home that was moved', async () => {
    const elsewhere = path.join(ground.root, 'elsewhere')
    fs.renameSync(home(), elsewhere)
    try {
      const moved = (at: string) => at.replace(home(), elsewhere)
      const there = { mirror: ground.repository.at(moved(ground.mirror)), path: moved(place()), branch: 'fix/one' }
      await mendWorktree(there)
      expect(ground.git(there.path, 'status', '--porcelain', '--branch')).toBe(asBefore[1])
    } finally {
      fs.renameSync(elsewhere, home())
    }
  })

  it('is left as it is where it cannot be told what it was, and the way out is said', async () => {
    fs.rmSync(ground.mirror, { recursive: true })
    expect(() => lostParts(options())).toThrow(
      expect.objectContaining({
        code: 'worktree_broken',
        hint: expect.stringContaining('Move that directory away') as string,
      }),
    )
  })

  it('is left alone where it belongs to another repository, or is none', () => {
    const other = path.join(ground.root, 'other')
    ground.git(ground.root, 'clone', '--quiet', ground.remote, other)
    fs.writeFileSync(path.join(place(), '.git'), `gitdir: ${path.join(other, '.git')}\n`)
    expect(lostParts({ ...options(), mirror: ground.repository.at(`${ground.mirror}x`) })).toEqual([])
    expect(lostParts({ ...options(), path: path.join(ground.root, 'nowhere') })).toEqual([])
    expect(lostParts({ ...options(), path: other })).toEqual([])
  })
})

it.each<[string, () => void]>([
  ['an empty branch', () => fs.writeFileSync(branchFile(), '')],
  ['an entry without a link to the mirror', () => fs.writeFileSync(path.join(entry, 'commondir'), '')],
  ['an empty HEAD of the mirror', () => fs.writeFileSync(path.join(ground.mirror, 'HEAD'), '')],
])('%s keeps no other issue from being started', async (_what, lose) => {
  lose()
  const newest = ground.push('main', { [`b${Math.random()}`]: 'two\n' })
  mended.length = 0
  await open()
  expect(mended).toHaveLength(1)
  expect(await add('two')).toMatchObject({ created: true, head: newest })
  expect(state()).toEqual(asBefore)
})
