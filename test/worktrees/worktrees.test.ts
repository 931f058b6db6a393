import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { savedRepositoryOf } from '../../src/worktrees/mirror/list.ts'
import { openMirror } from '../../src/worktrees/mirror/mirror.ts'
import { addWorktree, discardWorktree, removeWorktree } from '../../src/worktrees/worktrees.ts'
import { createGround, type Ground } from '../helpers/git-repository.ts'

let ground: Ground
beforeEach(async () => {
  ground = createGround({ 'a.txt': 'one\n' })
  await open()
})
afterEach(() => ground.cleanup())

const open = () => openMirror(ground.repository, { url: ground.url })
const place = (name: string) => ({
  mirror: ground.repository,
  path: ground.worktree(name),
})
const add = (name: string, more: { branch?: string; base?: string } = {}) =>
  addWorktree({ ...place(name), branch: `fix/${name}`, ...more })
const inside = (name: string, ...args: string[]) => ground.git(ground.worktree(name), ...args)
const read = (name: string, file: string) => fs.readFileSync(path.join(ground.worktree(name), file), 'utf8')
const write = (name: string, file: string, text: string) => {
  const place = path.join(ground.worktree(name), file)
  fs.mkdirSync(path.dirname(place), { recursive: true })
  fs.writeFileSync(place, text)
}
const branches = () => ground.git(ground.mirror, 'for-each-ref', '--format=%(refname:short)', 'refs/heads').split('\n')
const entries = () => {
  const directory = path.join(ground.mirror, 'worktrees')
  return fs.existsSync(directory) ? fs.readdirSync(directory).sort() : []
}
const commit = (name: string, file: string) => {
  write(name, file, file)
  inside(name, 'add', '--all')
  inside(name, 'commit', '--quiet', '--message', `Add ${file}`)
  return inside(name, 'rev-parse', 'HEAD')
}

/** As the user's own exclude file says. */
const ignore = (name: string) => {
  fs.mkdirSync(path.join(ground.mirror, 'info'), { recursive: true })
  fs.appendFileSync(path.join(ground.mirror, 'info', 'exclude'), `${name}\n`)
}

describe('addWorktree', () => {
  it('starts a new branch at the default branch, clean', async () => {
    const head = ground.git(ground.remote, 'rev-parse', 'main')
    expect(await add('one')).toEqual({
      created: true,
      moved: false,
      isOfRemote: true,
      isUntouched: true,
      branchCreated: true,
      branch: 'fix/one',
      baseBranch: 'main',
      head,
    })
    expect(inside('one', 'rev-parse', '--abbrev-ref', 'HEAD')).toBe('fix/one')
    expect(inside('one', 'status', '--porcelain')).toBe('')
    expect(read('one', 'a.txt')).toBe('one\n')
    expect(inside('one', 'worktree', 'list', '--porcelain')).not.toContain('locked')
  })

  it('starts at the base it is given', async () => {
    const head = ground.push('next', { 'n.txt': 'n' })
    await open()
    expect(await add('one', { base: 'next' })).toEqual({
      created: true,
      moved: false,
      isOfRemote: true,
      isUntouched: true,
      branchCreated: true,
      branch: 'fix/one',
      baseBranch: 'next',
      head,
    })
  })

  it('names the branches there are when the base is unknown, and leaves nothing', async () => {
    ground.push('next', { 'n.txt': 'n' })
    await open()
    await expect(add('one', { base: 'nxt' })).rejects.toMatchObject({
      code: 'unknown_base',
      hint: expect.stringMatching(/main.*next|next.*main/) as string,
    })
    expect(fs.existsSync(ground.worktree('one'))).toBe(false)
    expect(branches()).toEqual([''])
    expect(entries()).toEqual([])
  })

  it('goes on with the branch where the remote has it', async () => {
    const head = ground.push('fix/one', { 'b.txt': 'b' })
    await open()
    expect(await add('one')).toEqual({
      created: true,
      moved: false,
      isOfRemote: true,
      isUntouched: false,
      branchCreated: false,
      branch: 'fix/one',
      baseBranch: 'main',
      head,
    })
    expect(read('one', 'b.txt')).toBe('b')
    expect(inside('one', 'rev-parse', '--abbrev-ref', '@{upstream}')).toBe('origin/fix/one')
  })

  it('goes on with a local branch and its unpushed commits', async () => {
    await add('one')
    const head = commit('one', 'mine.txt')
    await removeWorktree({ ...place('one'), branch: 'fix/one', deleteBranch: false })
    ground.push('main', { 'a.txt': 'two\n' })
    await open()
    expect(await add('one')).toMatchObject({ created: true, branchCreated: false, head })
    expect(read('one', 'mine.txt')).toBe('mine.txt')
  })

  it('moves a local branch without commits of its own up to the base', async () => {
    await add('one')
    await discardWorktree({ ...place('one'), branch: 'fix/one', deleteBranch: false })
    const head = ground.push('main', { 'a.txt': 'two\n' })
    await open()
    expect(await add('one')).toMatchObject({ branchCreated: false, head })
  })

  it('lets a plain push through to a branch of the same name', async () => {
    await add('one')
    const head = commit('one', 'mine.txt')
    inside('one', 'push', '--quiet')
    expect(ground.git(ground.remote, 'rev-parse', 'fix/one')).toBe(head)
  })

  it('keeps an existing worktree as it is, whatever branch it is on', async () => {
    await add('one')
    inside('one', 'checkout', '--quiet', '-b', 'elsewhere')
    const head = commit('one', 'mine.txt')
    write('one', 'a.txt', 'changed')
    write('one', 'new.txt', 'new')
    expect(await add('one')).toEqual({
      created: false,
      moved: false,
      isOfRemote: false,
      isUntouched: false,
      branchCreated: false,
      branch: 'elsewhere',
      baseBranch: 'main',
      head,
    })
    expect(inside('one', 'status', '--porcelain')).toBe('M a.txt\n?? new.txt')
    expect(read('one', 'a.txt')).toBe('changed')
  })

  describe('that is there already and that nobody has worked in', () => {
    const asNew = {
      created: false,
      moved: true,
      isOfRemote: true,
      isUntouched: true,
      branchCreated: false,
      branch: 'fix/one',
    }

    it('is moved up to where a new one would begin', async () => {
      const before = (await add('one')).head
      expect(await add('one')).toEqual({ ...asNew, moved: false, baseBranch: 'main', head: before })
      const head = ground.push('main', { 'a.txt': 'two\n', 'more/b.txt': 'b' })
      await open()
      expect(await add('one')).toEqual({ ...asNew, baseBranch: 'main', head })
      expect([read('one', 'a.txt'), read('one', 'more/b.txt')]).toEqual(['two\n', 'b'])
      expect(inside('one', 'status', '--porcelain')).toBe('')
    })

    it('is moved to another base when that is asked for', async () => {
      await add('one')
      const head = ground.push('next', { 'n.txt': 'n' })
      ground.push('main', { 'a.txt': 'two\n' })
      await open()
      expect(await add('one', { base: 'next' })).toEqual({ ...asNew, baseBranch: 'next', head })
      expect(read('one', 'n.txt')).toBe('n')
    })

    it('goes on with the branch where the remote has it by now, which is then worked on', async () => {
      await add('one')
      const head = ground.push('fix/one', { 'b.txt': 'b' })
      await open()
      expect(await add('one')).toEqual({ ...asNew, isUntouched: false, baseBranch: 'main', head })
    })

    it('is moved up also where opencode has put its $schema into the configuration of the project', async () => {
      ground.push('main', { 'opencode.json': '{ "model": "a/b" }' })
      await open()
      await add('one')
      write('one', 'opencode.json', '{\n  "$schema": "https://opencode.ai/config.json", "model": "a/b" }')
      const head = ground.push('main', { 'opencode.json': '{ "model": "a/c" }' })
      await open()
      expect(await add('one')).toEqual({ ...asNew, baseBranch: 'main', head })
      expect(read('one', 'opencode.json')).toBe('{ "model": "a/c" }')
    })

    describe('also where git calls files changed that it wrote itself', () => {
      const author = () => path.join(ground.root, 'author')
      const shown = () => {
        // Git looks at the contents once the file is not as old as it was when git wrote it.
        fs.utimesSync(path.join(ground.worktree('one'), 'crlf.txt'), 1, 1)
        return inside('one', 'status', '--porcelain')
      }
      const addTwo = async () => {
        ground.push('main', { '.gitattributes': '*.txt text eol=lf\n' })
        fs.writeFileSync(path.join(ground.root, 'crlf'), 'a\r\nb\r\n')
        const blob = ground.git(author(), 'hash-object', '-w', '--no-filters', path.join(ground.root, 'crlf'))
        ground.git(author(), 'update-index', '--add', '--cacheinfo', `100644,${blob},crlf.txt`)
        ground.git(author(), 'commit', '--quiet', '--message', 'Add crlf.txt')
        ground.git(author(), 'push', '--quiet', 'origin', 'main')
        ground.git(author(), 'reset', '--hard', '--quiet')
        await open()
        await add('one')
        expect(shown()).toBe('M crlf.txt')
        const newest = ground.git(author(), 'commit-tree', 'HEAD^{tree}', '-p', 'HEAD', '-m', 'Go on')
        ground.git(author(), 'push', '--quiet', 'origin', `${newest}:main`)
        await open()
        return newest
      }

      it('is moved up', async () => {
        const head = await addTwo()
        expect(await add('one')).toEqual({ ...asNew, baseBranch: 'main', head })
        expect(read('one', 'crlf.txt')).toBe('a\r\nb\r\n')
      })

      it.each([
        ['one of them was changed', () => write('one', 'crlf.txt', 'a\r\nc\r\n')],
        ['one was made executable', () => fs.chmodSync(path.join(ground.worktree('one'), 'crlf.txt'), 0o755)],
        ['one is staged', () => inside('one', 'add', 'crlf.txt')],
      ])('is left as it is where %s', async (_what, work) => {
        await addTwo()
        const head = inside('one', 'rev-parse', 'HEAD')
        work()
        const before = inside('one', 'status', '--porcelain')
        expect(await add('one')).toMatchObject({ moved: false, isUntouched: false, head })
        expect(inside('one', 'status', '--porcelain')).toBe(before)
      })
    })

    it.each([
      ['a changed file', () => write('one', 'a.txt', 'changed')],
      ['a new file', () => write('one', 'new.txt', 'new')],
      [
        'a changed file that git was told not to look at',
        () => (inside('one', 'update-index', '--skip-worktree', 'a.txt'), write('one', 'a.txt', 'changed')),
      ],
      ['a staged file', () => (write('one', 'new.txt', 'new'), inside('one', 'add', 'new.txt'))],
      ['a commit', () => commit('one', 'mine.txt')],
      ['another branch', () => inside('one', 'checkout', '--quiet', '-b', 'elsewhere')],
      ['no branch', () => inside('one', 'checkout', '--quiet', '--detach')],
      ['a bisect', () => inside('one', 'bisect', 'start')],
      [
        'a commit that was pushed under another name',
        () => (commit('one', 'mine.txt'), inside('one', 'push', '--quiet', 'origin', 'HEAD:login')),
      ],
      ['an ignored file that the remote has by now', () => (ignore('local'), write('one', 'local', 'mine'))],
      [
        'an ignored directory that the remote has by now',
        () => (ignore('l'), fs.mkdirSync(path.join(ground.worktree('one'), 'l')), write('one', 'l/b', 'mine')),
      ],
    ])('is left as it is with %s', async (_what, work) => {
      await add('one')
      work()
      const state = () => [
        inside('one', 'rev-parse', 'HEAD'),
        inside('one', 'status', '--porcelain'),
        read('one', 'a.txt'),
        ...['local', 'l/b'].map((file) => fs.existsSync(path.join(ground.worktree('one'), file)) && read('one', file)),
      ]
      const before = state()
      ground.push('main', { 'a.txt': 'two\n', local: 'theirs', 'l/b': 'theirs' })
      await open()
      expect(await add('one')).toMatchObject({ created: false, isUntouched: false, head: before[0] })
      expect(state()).toEqual(before)
    })
  })

  it('takes a place in which there are directories and no file, as a start that was killed leaves it', async () => {
    fs.mkdirSync(path.join(ground.worktree('two'), 'apps', 'deep'), { recursive: true })
    await add('two')
    expect(inside('two', 'status', '--porcelain')).toBe('')
    expect(read('two', 'a.txt')).toBe('one\n')
  })

  it('takes an empty directory, and no other', async () => {
    fs.mkdirSync(ground.worktree('one'), { recursive: true })
    expect(await add('one')).toMatchObject({ created: true })
    fs.mkdirSync(ground.worktree('two'))
    write('two', 'precious', 'x')
    await expect(add('two')).rejects.toMatchObject({ code: 'path_taken' })
    expect(read('two', 'precious')).toBe('x')
    expect(branches()).toEqual(['fix/one'])
  })

  it('does not take a repository of somebody else for its worktree', async () => {
    ground.git(ground.root, 'clone', '--quiet', ground.remote, ground.worktree('one'))
    await expect(add('one')).rejects.toMatchObject({ code: 'path_taken' })
    expect(read('one', 'a.txt')).toBe('one\n')
  })

  it('names the worktree that has the branch checked out', async () => {
    await add('one')
    await expect(add('two', { branch: 'fix/one' })).rejects.toMatchObject({
      code: 'branch_in_use',
      message: expect.stringContaining(ground.worktree('one')) as string,
    })
    expect(fs.existsSync(ground.worktree('two'))).toBe(false)
  })

  it('makes eight at once on one mirror', async () => {
    const names = Array.from({ length: 8 }, (_, number) => `issue-${number}`)
    const added = await Promise.all(
      names.map(async (name) => {
        await open()
        return await add(name)
      }),
    )
    expect(added.every(({ created, branchCreated }) => created && branchCreated)).toBe(true)
    expect(names.map((name) => inside(name, 'status', '--porcelain', '--branch'))).toEqual(
      names.map((name) => `## fix/${name}`),
    )
  })

  it('undoes everything when the checkout fails', async () => {
    ground.push('broken', { '.gitattributes': '*.bin filter=broken\n', 'x.bin': 'x' })
    ground.git(ground.root, 'config', '--global', 'filter.broken.smudge', 'false')
    ground.git(ground.root, 'config', '--global', 'filter.broken.required', 'true')
    await open()
    await expect(add('one', { base: 'broken' })).rejects.toMatchObject({ code: 'checkout_failed' })
    expect(fs.readdirSync(path.dirname(ground.worktree('one')))).toEqual([])
    expect(entries()).toEqual([])
    expect(branches()).toEqual([''])
  })
})

describe('what a killed git worktree add left', () => {
  it('is swept: an entry locked while initializing, without a directory', async () => {
    await add('one')
    fs.rmSync(ground.worktree('one'), { recursive: true })
    fs.writeFileSync(path.join(ground.mirror, 'worktrees', 'one', 'locked'), 'initializing\n')
    await add('two')
    expect(entries()).toEqual(['two'])
    expect(await add('one')).toMatchObject({ created: true, branchCreated: false })
  })

  it.each([
    ['its lock', []],
    ['its path', ['locked']],
  ])('is swept: an entry that was cut off before %s was written', async (_, written) => {
    const entry = path.join(ground.mirror, 'worktrees', 'one')
    fs.mkdirSync(entry, { recursive: true })
    for (const name of written) fs.writeFileSync(path.join(entry, name), 'initializing')
    expect(await add('one')).toMatchObject({ created: true, branchCreated: true })
    expect(entries()).toEqual(['one'])
  })

  it('is made again when the checkout was cut off', async () => {
    ground.git(
      ground.mirror,
      'worktree',
      'add',
      '--no-checkout',
      '--lock',
      '-b',
      'fix/one',
      ground.worktree('one'),
      'origin/main',
    )
    write('one', 'a.txt', 'on')
    expect(await add('one')).toMatchObject({ created: true })
    expect(read('one', 'a.txt')).toBe('one\n')
    expect(inside('one', 'status', '--porcelain')).toBe('')
  })

  it('stays where it has an index: somebody may have work there, wherever that is', async () => {
    await add('one')
    const entry = path.join(ground.mirror, 'worktrees', 'one')
    fs.rmSync(path.join(entry, 'gitdir'))
    await add('two')
    expect(fs.existsSync(path.join(entry, 'index'))).toBe(true)
  })

  it('is made again after a real SIGKILL at any moment', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 400 }, (_, number) => [`d${number % 20}/f${number}.txt`, `${number}\n`]),
    )
    ground.push('main', files)
    await open()
    const target = ground.worktree('one')
    // Killed as soon as something of it shows: the entry, the directory, the first files.
    const signs = [path.join(ground.mirror, 'worktrees'), target, path.join(target, '.git'), path.join(target, 'd1')]
    for (const sign of signs) {
      const args = ['worktree', 'add', '--lock', '-B', 'fix/one', target, 'origin/main']
      const git = spawn('git', args, { cwd: ground.mirror, env: ground.env, stdio: 'ignore', detached: true })
      const gone = once(git, 'exit')
      while (!fs.existsSync(sign) && git.exitCode === null) await new Promise((resolve) => setImmediate(resolve))
      if (git.exitCode === null && git.pid !== undefined) process.kill(-git.pid, 'SIGKILL')
      await gone
      expect(await add('one')).toMatchObject({ created: true })
      expect(inside('one', 'status', '--porcelain')).toBe('')
      expect(read('one', 'd19/f399.txt')).toBe('399\n')
      expect(entries()).toHaveLength(1)
      await removeWorktree({ ...place('one'), branch: 'fix/one', deleteBranch: true })
      expect(entries()).toEqual([])
    }
  })

  it('of a worktree whose directory was deleted does not stop a new one, and its detached commits are kept', async () => {
    await add('one')
    inside('one', 'checkout', '--quiet', '--detach')
    const head = commit('one', 'mine.txt')
    fs.rmSync(ground.worktree('one'), { recursive: true })
    expect(await add('one')).toMatchObject({ created: true })
    const saved = savedRepositoryOf(ground.mirror)
    const kept = ground.git(saved, 'for-each-ref', '--format=%(objectname) %(refname)', 'refs/kugetsu')
    expect(kept).toContain(`${head} refs/kugetsu/recovery/one/`)
  })

  it('of another issue is not swept while its directory is there', async () => {
    await add('one')
    fs.writeFileSync(path.join(ground.mirror, 'worktrees', 'one', 'locked'), 'initializing\n')
    write('one', 'new.txt', 'new')
    await add('two')
    expect(read('one', 'new.txt')).toBe('new')
    expect(entries()).toEqual(['one', 'two'])
  })

  it('of a worktree that somebody locked on purpose stays', async () => {
    await add('one')
    ground.git(ground.mirror, 'worktree', 'lock', '--reason', 'on a stick', ground.worktree('one'))
    fs.rmSync(ground.worktree('one'), { recursive: true })
    await expect(add('one', { branch: 'other' })).rejects.toMatchObject({ code: 'worktree_locked' })
    expect(entries()).toEqual(['one'])
  })
})

describe('removeWorktree', () => {
  it('removes it with everything in it, locked or not, and can be repeated', async () => {
    await add('one')
    write('one', 'new.txt', 'new')
    ground.git(ground.mirror, 'worktree', 'lock', ground.worktree('one'))
    const remove = () => removeWorktree({ ...place('one'), branch: 'fix/one', deleteBranch: false })
    expect(await remove()).toEqual({ removed: true, branchDeleted: true, leftBehind: undefined })
    expect(fs.readdirSync(path.dirname(ground.worktree('one')))).toEqual([])
    expect(ground.git(ground.mirror, 'worktree', 'list')).not.toContain('one')
    expect(await remove()).toEqual({ removed: false, branchDeleted: false, leftBehind: undefined })
  })

  it('clears what a removal that was killed had moved away', async () => {
    await add('one')
    const moved = path.join(path.dirname(ground.worktree('one')), '.one.999999999-1.0a1b2c3d.tmp')
    fs.renameSync(ground.worktree('one'), moved)
    await removeWorktree({ ...place('one'), branch: 'fix/one', deleteBranch: true })
    expect(fs.readdirSync(path.dirname(moved))).toEqual([])
    expect(entries()).toEqual([])
  })

  it('keeps a branch with unpushed commits, unless told otherwise', async () => {
    await add('one')
    const head = commit('one', 'mine.txt')
    expect(await removeWorktree({ ...place('one'), branch: 'fix/one', deleteBranch: false })).toMatchObject({
      branchDeleted: false,
    })
    expect(ground.git(ground.mirror, 'rev-parse', 'fix/one')).toBe(head)
    expect(await removeWorktree({ ...place('one'), branch: 'fix/one', deleteBranch: true })).toMatchObject({
      branchDeleted: true,
    })
    expect(branches()).toEqual([''])
  })

  it('keeps a branch that another worktree is on', async () => {
    await add('one')
    await add('two')
    await removeWorktree({ ...place('one'), branch: 'fix/two', deleteBranch: true })
    expect(branches()).toContain('fix/two')
  })

  it('clears an entry whose directory is gone already', async () => {
    await add('one')
    fs.rmSync(ground.worktree('one'), { recursive: true })
    expect(await removeWorktree({ ...place('one'), deleteBranch: false })).toMatchObject({ removed: true })
    expect(entries()).toEqual([])
  })

  it('deletes read-only directories too', async () => {
    await add('one')
    const cache = path.join(ground.worktree('one'), 'cache')
    fs.mkdirSync(path.join(cache, 'deep'), { recursive: true })
    write('one', 'cache/deep/file', 'x')
    fs.chmodSync(path.join(cache, 'deep'), 0o555)
    fs.chmodSync(cache, 0o555)
    expect(await removeWorktree({ ...place('one'), deleteBranch: false })).toMatchObject({ leftBehind: undefined })
    expect(fs.readdirSync(path.dirname(ground.worktree('one')))).toEqual([])
  })
})

describe('discardWorktree', () => {
  it('deletes the branch of a start that is undone, but never commits', async () => {
    await add('one')
    await add('two')
    commit('two', 'mine.txt')
    const discard = (name: string) => discardWorktree({ ...place(name), branch: `fix/${name}`, deleteBranch: true })
    expect(await discard('one')).toMatchObject({ removed: true, branchDeleted: true })
    expect(await discard('two')).toMatchObject({ removed: true, branchDeleted: false })
    expect(branches()).toEqual(['fix/two'])
  })
})
