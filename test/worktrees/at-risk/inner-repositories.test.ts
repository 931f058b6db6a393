import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KugetsuError } from '../../../src/core/errors.ts'
import { describeInventory, isAtRisk } from '../../../src/worktrees/at-risk/describe.ts'
import {
  askAhead,
  type Inventory,
  type InventoryOptions,
  takeInventory,
} from '../../../src/worktrees/at-risk/inventory.ts'
import { createRemotes } from '../../../src/worktrees/at-risk/remotes.ts'
import { GitFailure } from '../../../src/git/failure.ts'
import { fetchMirror, openMirror } from '../../../src/worktrees/mirror/mirror.ts'
import { saveWork } from '../../../src/worktrees/saving/save.ts'
import { addWorktree } from '../../../src/worktrees/worktrees.ts'
import { createGround, type Ground } from '../../helpers/git-repository.ts'

let ground: Ground
const options = (name: string) => ({
  path: ground.worktree(name),
  mirror: ground.repository,
  branch: `fix/${name}`,
})
beforeAll(async () => {
  ground = createGround({ 'a.txt': 'one\n', '.gitignore': 'scratch/\nnode_modules/\n.venv/\ntmp/\nvendor/\n*.log\n' })
  await openMirror(ground.repository, { url: ground.url })
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
    expect(found.unknown).toEqual(['node_modules/broken/ has a .git that is not a complete repository'])
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

describe('the remotes of a repository inside the worktree are asked now', () => {
  const told = async (name: string, more: Partial<InventoryOptions> = {}) =>
    about(await takeInventory({ ...options(name), ...more })).sort()
  const askRemote = () => fetchMirror(ground.repository)
  const source = (name: string) => {
    const place = path.join(ground.root, name)
    ground.git(ground.root, 'init', '--quiet', place)
    const commit = (message: string) => ground.git(place, 'commit', '--quiet', '--allow-empty', '--message', message)
    commit('first')
    return { place, commit }
  }
  /** Every git that asks or fetches from a remote, a line each. */
  const requests = () => {
    const trace = path.join(ground.root, 'trace')
    fs.rmSync(trace, { force: true })
    const env = { ...ground.env, GIT_TRACE: trace }
    const made = () =>
      fs.existsSync(trace) ? (fs.readFileSync(trace, 'utf8').match(/built-in: git (ls-remote|fetch) .*/g) ?? []) : []
    return { env, made }
  }

  it('and one that is gone, or in the worktree itself, has nothing', async () => {
    const { at, clone, git } = await worktree('gone-source')
    const { place, commit } = source('only')
    commit('second')
    clone('scratch/copy', undefined, place)
    clone('scratch/of-copy', undefined, at('scratch/copy'))
    ground.git(place, 'branch', 'feature')
    ground.git(place, 'commit', '--quiet', '--amend', '--allow-empty', '--message', 'amended')
    clone('scratch/partly', undefined, place)
    git('scratch/partly', 'remote', 'add', 'upstream', ground.remote)
    ground.git(ground.root, 'clone', '--quiet', '--mirror', place, at('scratch/bare.git'))
    ground.git(ground.root, 'clone', '--quiet', '--depth=1', `file://${place}`, at('scratch/shallow'))
    expect(await told('gone-source')).toEqual([])
    fs.rmSync(place, { recursive: true })
    const gone = `; its remote could not be asked: ${place}: repository not found, or you have no access to it`
    expect(await told('gone-source')).toEqual([
      expect.stringMatching(/^scratch\/bare.git\/: 3 commits that may be nowhere else .*could not be asked/),
      `scratch/copy/: 2 commits that may be nowhere else (second, first)${gone}`,
      `scratch/of-copy/: 2 commits that may be nowhere else (second, first)${gone}`,
      expect.stringContaining('scratch/partly/: 3 commits that may be nowhere else'),
      `scratch/shallow/: 1 commit that may be nowhere else (amended)${gone}`,
    ])
  })

  it('also where they have gone on since, and not taken to have what they have dropped', async () => {
    const { at, clone } = await worktree('gone-on')
    const { place, commit } = source('lively')
    const git = (...args: string[]) => ground.git(place, ...args)
    clone('scratch/whole', undefined, place)
    commit('second')
    git('tag', '-a', '-m', 'v1', 'v1')
    ground.git(ground.root, 'clone', '--quiet', '--depth=1', `file://${place}`, at('scratch/shallow'))
    clone('scratch/dropped', undefined, place)
    git('checkout', '--quiet', '-b', 'side', 'HEAD^')
    commit('beside')
    git('checkout', '--quiet', '-')
    git('merge', '--quiet', '--no-edit', 'side')
    clone('scratch/branches', undefined, place)
    git('branch', '--quiet', '-D', 'side')
    commit('fourth')
    expect(await told('gone-on')).toEqual([])
    git('tag', '--delete', 'v1')
    git('reset', '--quiet', '--hard', 'HEAD~2^')
    commit('another')
    expect(await told('gone-on')).toEqual([
      expect.stringMatching(/^scratch\/branches\/: 3 commits that no remote has \(Merge branch 'side'/),
      'scratch/dropped/: 1 commit that no remote has (second)',
      'scratch/shallow/: 1 commit that no remote has (second)',
    ])
  })

  it('each once, a clone of the same repository not at all, and any that has all is enough', async () => {
    const { write, git, clone } = await worktree('asked-once')
    const [{ place: one }, { place: other }] = [source('first'), source('other')]
    write('a.txt', 'changed')
    git('', 'commit', '--quiet', '--all', '--message', 'Change')
    git('', 'push', '--quiet', 'origin', 'HEAD')
    clone('scratch/same')
    for (const name of ['a', 'b', 'c']) clone(`scratch/${name}`, undefined, one)
    clone('scratch/moved', undefined, other)
    git('scratch/moved', 'remote', 'add', 'new', path.join(ground.root, 'new'))
    fs.renameSync(other, path.join(ground.root, 'new'))
    const { env, made } = requests()
    const shared = { mirror: ground.repository.with({ env }), askRemote, remotes: createRemotes() }
    await askAhead({ ...options('asked-once'), ...shared })
    const before = made()
    const asked = before.filter((line) => line.includes('ls-remote')).map((line) => path.basename(line))
    expect(asked.sort()).toEqual(['first', 'new', 'other'])
    expect(await told('asked-once', shared)).toEqual([])
    expect(made()).toEqual(before)
  })

  it('but none whose host said nothing before', async () => {
    const remotes = createRemotes()
    const silence = new KugetsuError('x', { cause: new GitFailure('timed_out', undefined, '') })
    const asked: string[] = []
    const ask = (address: string) =>
      remotes.ask(address, 'refs', () => {
        asked.push(address)
        return Promise.reject(silence)
      })
    await expect(ask('https://me@a.test/one.git')).rejects.toBe(silence)
    await expect(ask('git@a.test:two.git')).rejects.toBe(silence)
    await expect(ask('https://b.test/one.git')).rejects.toBe(silence)
    expect(asked).toEqual(['https://me@a.test/one.git', 'https://b.test/one.git'])
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
