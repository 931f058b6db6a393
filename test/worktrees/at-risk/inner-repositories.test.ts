import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeInventory, isAtRisk } from '../../../src/worktrees/at-risk/describe.ts'
import { type Inventory, takeInventory } from '../../../src/worktrees/at-risk/inventory.ts'
import { openMirror } from '../../../src/worktrees/mirrors.ts'
import { saveWork } from '../../../src/worktrees/recovery.ts'
import { addWorktree } from '../../../src/worktrees/worktrees.ts'
import { createGround, type Ground } from '../../helpers/git-repository.ts'

let ground: Ground
const running = () => ({ lockFile: ground.lockFile, env: ground.env, timeoutMs: 30_000 })
const options = (name: string) => ({
  path: ground.worktree(name),
  mirror: ground.mirror,
  branch: `fix/${name}`,
  ...running(),
})
beforeAll(async () => {
  ground = createGround({ 'a.txt': 'one\n', '.gitignore': 'scratch/\nnode_modules/\n.venv/\ntmp/\nvendor/\n*.log\n' })
  await openMirror({ path: ground.mirror, url: ground.url, ...running() })
})
afterAll(() => ground.cleanup())

/** A worktree of its own, and what is done in it. */
async function worktree(name: string) {
  await addWorktree(options(name))
  const at = (...parts: string[]) => path.join(ground.worktree(name), ...parts)
  const git = (place: string, ...args: string[]) => ground.git(at(place), '-c', 'protocol.file.allow=always', ...args)
  const write = (file: string, text = file) => {
    fs.mkdirSync(path.dirname(at(file)), { recursive: true })
    fs.writeFileSync(at(file), text)
  }
  const commit = (place: string, message: string) => {
    write(path.join(place, `${message}.txt`))
    git(place, 'add', '--all')
    git(place, 'commit', '--quiet', '--message', message)
  }
  const clone = (place: string, message?: string, from = ground.remote) => {
    ground.git(ground.root, 'clone', '--quiet', from, at(place))
    if (message !== undefined) commit(place, message)
  }
  return { at, git, write, commit, clone }
}

const about = (found: Inventory) =>
  found.unsavable.map((line) => line.replace(/ is a repository of its own, with/, ':'))

describe('the inventory names what only a repository inside the worktree has', () => {
  it('wherever that is', async () => {
    const { at, git, write, commit, clone } = await worktree('everywhere')
    git('', 'init', '--quiet', 'app')
    commit('app', 'scaffold')
    git('', 'add', '--all')
    git('', 'commit', '--quiet', '--message', 'Add app')
    git('', 'push', '--quiet', 'origin', 'HEAD')
    clone('scratch/work', 'only here')
    clone('scratch/work/scratch/inner', 'and here')
    clone('node_modules/dep', 'patched')
    clone('.venv/src/clean')
    write('.venv/src/clean/built.log')
    clone('vendor/pushed', 'gone')
    git('vendor/pushed', 'push', '--quiet', 'origin', 'HEAD:refs/heads/gone')
    ground.git(ground.remote, 'branch', '--quiet', '-D', 'gone')
    clone('vendor/kept', 'kept')
    git('vendor/kept', 'push', '--quiet', 'origin', 'HEAD:refs/heads/kept')
    clone('vendor/old')
    ground.push('main', { 'later.txt': 'x' })
    clone('tmp/left', undefined)
    git('tmp/left', 'checkout', '--quiet', '--detach')
    commit('tmp/left', 'detached')
    git('tmp/left', 'checkout', '--quiet', 'main')
    clone('tmp/stashed')
    write('tmp/stashed/a.txt', 'stashed')
    git('tmp/stashed', 'stash', '--quiet')
    git('', 'worktree', 'add', '--quiet', '-b', 'other', 'scratch/linked', 'origin/main')
    write('scratch/linked/new.txt')
    ground.git(ground.root, 'clone', '--quiet', '--bare', at('app'), at('scratch/bare.git'))
    write('node_modules/broken/.git/HEAD', '')
    write('node_modules/nowhere/.git', 'gitdir: /does/not/exist\n')

    const found = await takeInventory(options('everywhere'))
    expect(about(found).sort()).toEqual([
      'app/: 1 commit that no remote has (scaffold)',
      'node_modules/dep/: 1 commit that no remote has (patched)',
      'scratch/bare.git/: 1 commit that no remote has (scaffold)',
      'scratch/linked/: 1 change (new.txt)',
      'scratch/work/: 1 commit that no remote has (only here)',
      'scratch/work/scratch/inner/: 1 commit that no remote has (and here)',
      'tmp/left/: 1 commit that no remote has (detached)',
      expect.stringMatching(/^tmp\/stashed\/: \d commits that no remote has \(.*WIP on main/),
      'vendor/pushed/: 1 commit that no remote has (gone)',
    ])
    expect(found.unknown).toEqual(['node_modules/broken/ has a .git that is no whole repository'])
    expect(isAtRisk(found)).toBe(true)
    const save = saveWork({ ...options('everywhere'), name: 'x', now: new Date() }, found)
    await expect(save).rejects.toMatchObject({ code: 'unsavable', message: expect.stringContaining('app/') })
  })

  it('in a submodule, three deep, and in one that is not checked out any more', async () => {
    const remotes = ['c', 'b', 'a'].map((name) => path.join(ground.root, `${name}.git`))
    for (const [index, remote] of remotes.entries()) {
      const seed = `${remote}.seed`
      ground.git(ground.root, 'init', '--quiet', seed)
      fs.writeFileSync(path.join(seed, '.gitignore'), '*.log\n')
      const below = remotes[index - 1]
      if (below !== undefined)
        ground.git(seed, '-c', 'protocol.file.allow=always', 'submodule', 'add', '--quiet', below, 'deep')
      ground.git(seed, 'add', '--all')
      ground.git(seed, 'commit', '--quiet', '--message', 'First')
      ground.git(ground.root, 'clone', '--quiet', '--bare', seed, remote)
    }
    const { git, write, commit } = await worktree('modules')
    git('', 'submodule', 'add', '--quiet', remotes[2] ?? '', 'lib')
    git('', 'submodule', 'add', '--quiet', remotes[0] ?? '', 'put-away')
    git('', 'submodule', 'update', '--quiet', '--init', '--recursive')
    git('', 'commit', '--quiet', '--message', 'Add lib')
    git('', 'push', '--quiet', 'origin', 'HEAD')
    expect((await takeInventory(options('modules'))).unsavable).toEqual([])

    commit('lib/deep/deep', 'deepest')
    git('lib/deep/deep', 'checkout', '--quiet', '--detach', 'HEAD~1') // as its parent has it
    git('lib/deep', 'branch', 'local')
    git('lib/deep', 'checkout', '--quiet', 'local')
    write('lib/deep/x.log', 'ignored')
    git('put-away', 'checkout', '--quiet', '-b', 'mine')
    commit('put-away', 'put away')
    git('put-away', 'checkout', '--quiet', 'main')
    git('', 'submodule', 'deinit', '--quiet', 'put-away')
    expect(git('', 'status', '--porcelain')).toBe('')
    expect(about(await takeInventory(options('modules'))).sort()).toEqual([
      'lib/deep/: 1 ignored file (x.log)',
      'lib/deep/deep/: 1 commit that no remote has (deepest)',
      'put-away (a submodule that is not checked out): 1 commit that no remote has (put away)',
    ])
  })

  it('and refuses what would be saved as a mere pointer', async () => {
    const { clone } = await worktree('added')
    clone('added')
    const found = await takeInventory(options('added'))
    expect(found.unsavable).toEqual(['added/ is a repository of its own, which cannot be saved'])
  })

  it('and leaves a repository alone whose files are committed as files', async () => {
    const { at, git } = await worktree('fixture')
    ground.git(ground.root, 'clone', '--quiet', '--bare', ground.remote, at('fixture.git'))
    for (const place of ['refs/tags', 'objects/info', 'branches'])
      fs.rmSync(at('fixture.git', place), { recursive: true, force: true })
    fs.writeFileSync(at('fixture.git/refs/keep'), '')
    git('', 'add', '--all')
    git('', 'commit', '--quiet', '--message', 'Add a fixture')
    git('', 'push', '--quiet', 'origin', 'HEAD')
    expect(describeInventory(await takeInventory(options('fixture')))).toEqual([])
  })
})

it('cannot tell where something cannot be read, though git says that all is well', async () => {
  const { at } = await worktree('unreadable')
  // As root everything can be read, but no path of more than 4,096 bytes.
  const deep = 'd'.repeat(250)
  const make = `for i in $(seq 20); do mkdir ${deep} && cd ${deep} || exit 1; done; echo work > file`
  execFileSync('bash', ['-c', make], { cwd: at() })
  try {
    const found = await takeInventory(options('unreadable'))
    expect(found.unknown.join('\n')).toMatch(/cannot be read \(ENAMETOOLONG\)/)
    expect(isAtRisk(found)).toBe(true)
  } finally {
    execFileSync('rm', ['-rf', deep], { cwd: at() })
  }
  if (process.getuid?.() === 0) return
  fs.mkdirSync(at('closed'), { mode: 0 })
  expect((await takeInventory(options('unreadable'))).unknown.join('\n')).toMatch(/closed\/ cannot be read \(EACCES\)/)
})
