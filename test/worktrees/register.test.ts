import * as childProcess from 'node:child_process'
import nodeFs, * as fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openMirror } from '../../src/worktrees/mirror/mirror.ts'
import { addWorktree, beginWorktree } from '../../src/worktrees/worktrees.ts'
import { createGround, type Ground } from '../helpers/git-repository.ts'

let ground: Ground
beforeEach(async () => {
  ground = createGround({ 'a.txt': 'one\n', 'dir/b.txt': 'two\n' })
  await openMirror(ground.repository, { url: ground.url })
})
afterEach(() => ground.cleanup())

const trace = () => path.join(ground.root, 'trace')
const place = (name: string) => ({
  mirror: ground.repository.with({ env: { ...ground.env, GIT_TRACE: trace() } }),
  path: ground.worktree(name),
  branch: `fix/${name}`,
})
const git = (...args: string[]) => ground.git(ground.mirror, ...args)
const inside = (name: string, ...args: string[]) => ground.git(ground.worktree(name), ...args)
const inEntry = (name: string, file = '') => path.join(ground.mirror, 'worktrees', name, file)
const readEntry = (name: string, file: string) => fs.readFileSync(inEntry(name, file), 'utf8')
/** Adds one, and whether git was asked to register it. */
const addedByGit = async (name: string) => {
  fs.rmSync(trace(), { force: true })
  const added = await addWorktree(place(name))
  expect(added).toMatchObject({ created: true, head: inside(name, 'rev-parse', 'HEAD') })
  expect(inside(name, 'status', '--porcelain', '--branch')).toMatch(new RegExp(`^## fix/${name}(\\.\\.\\.|$)`))
  return /built-in: git worktree add/.test(fs.readFileSync(trace(), 'utf8'))
}

/** Runs `look` after each change that this process makes to files. */
async function lookingOn<T>(look: () => void, work: () => Promise<T>): Promise<T> {
  const names = ['mkdirSync', 'writeFileSync', 'renameSync', 'rmSync'] as const
  const originals = names.map((name) => nodeFs[name])
  let looking = false
  const files = nodeFs as unknown as Record<string, (...args: unknown[]) => unknown>
  names.forEach((name, index) => {
    files[name] = (...args) => {
      const result = (originals[index] as (...args: unknown[]) => unknown)(...args)
      if (!looking) {
        looking = true
        look()
        looking = false
      }
      return result
    }
  })
  syncBuiltinESMExports()
  try {
    return await work()
  } finally {
    Object.assign(nodeFs, Object.fromEntries(names.map((name, index) => [name, originals[index]])))
    syncBuiltinESMExports()
  }
}

describe('a worktree is registered', () => {
  it('as git does it', async () => {
    expect(await addedByGit('one')).toBe(false)
    git('worktree', 'add', '--quiet', '--no-track', '-b', 'fix/two', ground.worktree('two'), 'origin/main')
    for (const file of ['HEAD', 'gitdir', 'commondir']) {
      expect(readEntry('one', file), file).toBe(readEntry('two', file).replaceAll('two', 'one'))
    }
    const link = (name: string) => fs.readFileSync(path.join(ground.worktree(name), '.git'), 'utf8')
    expect(link('one')).toBe(link('two').replaceAll('two', 'one'))
    expect(fs.statSync(ground.worktree('one')).mode).toBe(fs.statSync(ground.worktree('two')).mode)
    expect(fs.statSync(inEntry('one')).mode).toBe(fs.statSync(inEntry('two')).mode)
    const left = fs.readdirSync(inEntry('two')).filter((name) => name !== 'ORIG_HEAD')
    expect(fs.readdirSync(inEntry('one'))).toEqual(expect.arrayContaining(left))
    const reflogs = ['fix/one', 'fix/two'].map((branch) => git('reflog', 'show', '--format=%H', branch))
    expect(reflogs[0]).toBe(reflogs[1])
    expect(git('for-each-ref', '--format=%(upstream)', 'refs/heads/fix/one')).toBe('')
    expect(git('fsck', '--connectivity-only')).toBe('')
    expect(git('worktree', 'prune', '--verbose', '--expire=now')).toBe('')
  })

  it('in one step: no other git meets half of it', async () => {
    await addWorktree(place('agents'))
    const states: string[] = []
    const look = () => {
      const listed = inside('agents', 'worktree', 'list', '--porcelain').split('\n\n')
      states.push(listed.find((entry) => entry.startsWith(`worktree ${ground.worktree('one')}\n`)) ?? 'nothing')
      expect(fs.existsSync(inEntry('one'))).toBe(states.at(-1) !== 'nothing')
      inside('agents', 'rev-list', '--count', '--all')
      inside('agents', 'fetch', '--quiet')
      expect(inside('agents', 'worktree', 'prune', '--verbose', '--expire=now')).toBe('')
    }
    ground.push('main', { 'a.txt': 'new\n' })
    await lookingOn(look, () => beginWorktree(place('one')))
    expect([...new Set(states)]).toEqual(['nothing', expect.stringMatching(/branch refs\/heads\/fix\/one\nlocked/)])
    ground.push('main', { 'a.txt': 'newer\n' })
    inside('agents', 'fetch', '--quiet')
    inside('agents', 'gc', '--quiet')
    expect(fs.existsSync(inEntry('one', 'HEAD'))).toBe(true)
  })

  it('on a branch that is there, with or without commits of its own', async () => {
    const own = git('commit-tree', 'origin/main^{tree}', '-p', 'origin/main', '-m', 'Not pushed yet')
    git('branch', '--no-track', 'fix/one', own)
    expect(await addedByGit('one')).toBe(false)
    expect(git('rev-parse', 'fix/one')).toBe(own)
    git('branch', '--no-track', 'fix/two', 'origin/main')
    const newest = ground.push('main', { 'a.txt': 'new\n' })
    git('fetch', '--quiet')
    git('pack-refs', '--all')
    expect(await addedByGit('two')).toBe(false)
    expect(git('rev-parse', 'fix/two')).toBe(newest)
  })

  it('on a branch of the remote, which it follows', async () => {
    const theirs = ground.push('fix/one', { 'c.txt': 'c' })
    git('fetch', '--quiet')
    expect(await addedByGit('one')).toBe(false)
    expect(inside('one', 'rev-parse', 'HEAD', '@{upstream}')).toBe(`${theirs}\n${theirs}`)
  })

  it('where the directory is there and empty', async () => {
    fs.mkdirSync(ground.worktree('one'), { recursive: true })
    expect(await addedByGit('one')).toBe(false)
  })

  it('in a place that is reached by a link', async () => {
    fs.mkdirSync(path.join(ground.root, 'elsewhere'))
    fs.symlinkSync(path.join(ground.root, 'elsewhere'), path.dirname(ground.worktree('one')))
    expect(await addedByGit('one')).toBe(false)
    expect(readEntry('one', 'gitdir')).toBe(`${path.join(ground.root, 'elsewhere', 'one', '.git')}\n`)
  })

  it('after one that was killed meanwhile', async () => {
    const dead = childProcess.spawnSync('true').pid
    const left = path.join(ground.mirror, `.added.${dead}-1.0123abcd.tmp`)
    fs.mkdirSync(left)
    // Before the entry is there: a directory that points nowhere.
    fs.mkdirSync(ground.worktree('one'), { recursive: true })
    fs.writeFileSync(path.join(ground.worktree('one'), '.git'), `gitdir: ${inEntry('one')}\n`)
    expect(await addedByGit('one')).toBe(false)
    expect(fs.existsSync(left)).toBe(false)
    // And after it: no files, no branch.
    await beginWorktree(place('two'))
    expect(git('branch', '--list', 'fix/two')).toBe('')
    expect(await addedByGit('two')).toBe(false)
  })
})

describe('git registers it', () => {
  it.each([
    ['a sparse checkout', () => void inside('agents', 'sparse-checkout', 'set', 'dir')],
    ['a setting of core that is not known here', () => void git('config', 'core.sharedRepository', 'group')],
    ['a configuration that includes another', () => void git('config', 'include.path', '/dev/null')],
    ['values that have to be parsed', () => void git('config', 'user.name', 'a "b" # c')],
    [
      'an entry of the same name',
      () => void git('worktree', 'add', '-q', '-b', 'x', path.join(ground.root, 'other', 'one'), 'origin/main'),
    ],
    ['a worktree in the middle of a bisect', () => void inside('agents', 'bisect', 'start', 'HEAD', 'HEAD~1')],
  ])('where there is %s', async (_, change) => {
    ground.push('main', { 'a.txt': 'new\n' })
    git('fetch', '--quiet')
    await addWorktree(place('agents'))
    change()
    expect(await addedByGit('one')).toBe(true)
  })

  it('and refuses a branch that a worktree is rebasing', async () => {
    await addWorktree(place('agents'))
    inside('agents', 'switch', '--quiet', '-c', 'fix/one')
    fs.writeFileSync(path.join(ground.worktree('agents'), 'a.txt'), 'mine\n')
    inside('agents', 'commit', '--quiet', '--all', '--message', 'Mine')
    ground.push('main', { 'a.txt': 'theirs\n' })
    git('fetch', '--quiet')
    expect(() => inside('agents', 'rebase', 'origin/main')).toThrow()
    await expect(addWorktree(place('one'))).rejects.toMatchObject({ code: 'worktree_failed' })
    expect(fs.existsSync(ground.worktree('one'))).toBe(false)
  })

  it.each([
    ['above', 'fix'],
    ['below', 'fix/one/more'],
  ])('and takes another name for a branch with another %s it, packed or not', async (_, other) => {
    git('branch', '--no-track', other, 'origin/main')
    expect(await addWorktree(place('one'))).toMatchObject({ branch: 'fix-one' })
    git('worktree', 'remove', '--force', ground.worktree('one'))
    git('pack-refs', '--all', '--prune')
    expect(await addWorktree(place('one'))).toMatchObject({ branch: 'fix-one' })
    expect(git('branch', '--list', 'fix/one')).toBe('')
  })
})
