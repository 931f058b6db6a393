import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { savedRepositoryOf } from '../../../src/worktrees/mirror/list.ts'
import { byteName, placeIn } from '../../../src/platform/byte-names.ts'
import { takeInventory } from '../../../src/worktrees/at-risk/inventory.ts'
import { openMirror } from '../../../src/worktrees/mirror/mirror.ts'
import { listRecovery, pointNamed } from '../../../src/worktrees/mirror/recovery-refs.ts'
import { saveWork } from '../../../src/worktrees/saving/save.ts'
import { restoreWork } from '../../../src/worktrees/saving/restore.ts'
import { dropRecovery, moveOldSaved } from '../../../src/worktrees/mirror/saved-repository.ts'
import { addWorktree, removeWorktree } from '../../../src/worktrees/worktrees.ts'
import { createGround, type Ground } from '../../helpers/git-repository.ts'

const branch = 'fix/issue-1'
const now = new Date('2026-03-04T05:06:07.089Z')
let ground: Ground
let place: string
beforeEach(async () => {
  ground = createGround({
    'a.txt': 'one\n',
    'gone.txt': 'x',
    '.gitignore': '*.log\n',
    '.gitattributes': '* text=auto\n',
  })
  place = ground.worktree('one')
  await openMirror(ground.repository, { url: ground.url })
  await addWorktree({ mirror: ground.repository, path: place, branch })
})
afterEach(() => ground.cleanup())

const save = async (more: { now?: Date; name?: string } = {}) => {
  const options = {
    path: place,
    mirror: ground.repository,
    branch,
    name: 'forge.test-owner-repo-1',
    now,
    ...more,
  }
  return saveWork(options, await takeInventory(options))
}
const git = (...args: string[]) => ground.git(place, ...args)
const mirror = (...args: string[]) => ground.git(ground.mirror, ...args)
/** In the repository of what is saved. */
const kept = (...args: string[]) => ground.git(savedRepositoryOf(ground.mirror), ...args)
const write = (file: string, bytes: string | Buffer) => {
  fs.mkdirSync(path.dirname(path.join(place, file)), { recursive: true })
  fs.writeFileSync(path.join(place, file), bytes)
}
const commit = (file: string) => {
  write(file, file)
  git('add', '--all')
  git('commit', '--quiet', '--message', `Add ${file}`)
  return git('rev-parse', 'HEAD')
}
const remove = () => removeWorktree({ mirror: ground.repository, path: place, branch, deleteBranch: true })
const list = () => listRecovery(ground.repository)
/** Puts what was saved into a directory; where it is. */
const recover = async (ref: string, at = { path: path.join(ground.root, "where it's back"), aside: true }) => {
  const point = (await list()).find((each) => each.ref === ref)
  if (point === undefined) throw new Error(`no ${ref}`)
  const restored = await restoreWork({ mirror: ground.repository, point, ...at })
  return { ...restored, path: at.path }
}
const here = () => ({ path: place, aside: false })
const readIn = (directory: string, file: string) => fs.readFileSync(path.join(directory, file), 'utf8')

describe('saveWork', () => {
  it('has nothing to save in a clean worktree', async () => {
    expect(await save()).toBeUndefined()
    expect(await list()).toEqual([])
  })

  it('brings every byte back after the worktree and its branch are gone', async () => {
    const head = commit('mine.txt')
    const bytes = Buffer.from([0, 255, 13, 10, 10, 13, 128])
    const files = {
      'a.txt': 'mixed\r\nline\nends\r\n',
      'dir/new file.txt': 'crlf\r\n',
      'binary.bin': bytes,
      'ö "q"\n': '',
    }
    for (const [file, content] of Object.entries(files)) write(file, content)
    fs.chmodSync(path.join(place, 'binary.bin'), 0o755)
    fs.symlinkSync('nowhere/at all', path.join(place, 'link'))
    fs.rmSync(path.join(place, 'gone.txt'))
    const status = git('status', '--porcelain')
    const saved = await save()
    expect(saved).toEqual({
      ref: 'refs/kugetsu/recovery/forge.test-owner-repo-1/2026-03-04T05-06-07-089Z',
      summary: '2 uncommitted changes, 4 untracked files, 1 unpushed commit of fix/issue-1',
      unsaved: [],
    })
    await remove()
    await openMirror(ground.repository, { url: ground.url })
    mirror('gc', '--quiet', '--prune=now')

    const { path: back, branch: under } = await recover(saved?.ref ?? '')
    expect(under).toMatch(/^recovered\/[0-9a-f]{8}\/fix\/issue-1$/)
    for (const [file, content] of Object.entries(files)) {
      expect(fs.readFileSync(path.join(back, file)).equals(Buffer.from(content))).toBe(true)
    }
    expect(fs.statSync(path.join(back, 'binary.bin')).mode & 0o111).not.toBe(0)
    expect(fs.readlinkSync(path.join(back, 'link'))).toBe('nowhere/at all')
    expect(fs.existsSync(path.join(back, 'gone.txt'))).toBe(false)
    expect(ground.git(back, 'rev-parse', 'HEAD')).toBe(head)
    expect(ground.git(back, 'status', '--porcelain')).toBe(status)
  })

  it.each(['has done it', 'was killed between its steps'])(
    'is where agents do not push once it is moved from where 0.1 had it, by a call that %s',
    async (how) => {
      const head = commit('mine.txt')
      write('new.txt', 'secret')
      const { ref = '' } = (await save()) ?? {}
      const saved = savedRepositoryOf(ground.mirror)
      mirror('fetch', '--quiet', saved, `${ref}:${ref}`)
      if (how === 'has done it') fs.rmSync(saved, { recursive: true })
      await remove()
      const move = () => moveOldSaved(ground.repository)
      await move()
      await move()
      expect(mirror('for-each-ref', 'refs/kugetsu/recovery')).toBe('')
      mirror('gc', '--quiet', '--prune=now')
      expect((await list()).map((point) => [point.ref, point.repository])).toEqual([[ref, saved]])
      const { path: back } = await recover(ref)
      expect([readIn(back, 'new.txt'), ground.git(back, 'rev-parse', 'HEAD')]).toEqual(['secret', head])
    },
  )

  it('leaves the worktree as it was', async () => {
    write('a.txt', 'staged')
    git('add', 'a.txt')
    write('a.txt', 'and changed again')
    write('new.txt', 'n')
    const index = path.join(ground.mirror, 'worktrees', 'one', 'index')
    const before = [fs.readFileSync(index).toString('hex'), git('status', '--porcelain'), git('rev-parse', 'HEAD')]
    await save()
    expect([fs.readFileSync(index).toString('hex'), git('status', '--porcelain'), git('rev-parse', 'HEAD')]).toEqual(
      before,
    )
    expect(fs.readdirSync(path.dirname(ground.mirror))).toEqual(['.repo.git.saved', 'repo.git'])
  })

  it.each([
    ['is whole', []],
    ['has no tree of its own yet', ['--all']],
  ])('keeps a change of the same length in the second in which the index was written, which %s', async (_, staging) => {
    // Git tells them apart by the time of the index alone then.
    ground.git(ground.root, 'config', '--global', 'core.trustctime', 'false')
    const index = path.join(ground.mirror, 'worktrees', 'one', 'index')
    const second = Math.floor(Date.now() / 1000) - 10
    const inThatSecond = (file: string) => fs.utimesSync(file, second, second)
    inThatSecond(path.join(place, 'a.txt'))
    git('update-index', '--really-refresh')
    write('b.txt', 'new')
    if (staging.length > 0) git('add', ...staging)
    inThatSecond(index)
    write('a.txt', 'two\n')
    inThatSecond(path.join(place, 'a.txt'))
    const { ref } = (await save()) ?? { ref: '' }
    expect(kept('show', `${ref}:a.txt`)).toBe('two')
  })

  it('keeps what was staged and is different in the files', async () => {
    write('a.txt', 'staged')
    git('add', 'a.txt')
    write('a.txt', 'changed again')
    const { ref } = (await save()) ?? { ref: '' }
    expect(kept('show', `${ref}:a.txt`)).toBe('changed again')
    expect(kept('show', `${ref}^2:a.txt`)).toBe('staged')
  })

  it('keeps the branch, a detached HEAD and the stashes', async () => {
    const onBranch = commit('x.txt')
    write('a.txt', 'stashed')
    git('stash', '--quiet')
    const stash = git('rev-parse', 'stash')
    git('checkout', '--quiet', '--detach', 'origin/main')
    const detached = commit('y.txt')
    const { ref } = (await save()) ?? { ref: '' }
    git('stash', 'clear')
    await remove()
    mirror('reflog', 'expire', '--expire=now', '--all')
    mirror('gc', '--quiet', '--prune=now')
    expect(kept('log', '--format=%P', '-1', ref).split(' ')).toEqual([detached, onBranch, stash])
    expect(kept('show', `${stash}:a.txt`)).toBe('stashed')
  })

  it('keeps the files of a conflict', async () => {
    const base = git('rev-parse', 'HEAD')
    write('a.txt', 'mine\n')
    git('commit', '--quiet', '--all', '--message', 'mine')
    git('checkout', '--quiet', '-b', 'other', base)
    write('a.txt', 'theirs\n')
    git('commit', '--quiet', '--all', '--message', 'theirs')
    expect(() => git('merge', branch)).toThrow()
    const { ref } = (await save()) ?? { ref: '' }
    expect(kept('show', `${ref}:a.txt`)).toContain('<<<<<<<')
  })

  it('saves the commits of a worktree whose directory is gone', async () => {
    const head = commit('x.txt')
    fs.rmSync(place, { recursive: true })
    const { ref } = (await save()) ?? { ref: '' }
    await remove()
    expect(kept('rev-parse', `${ref}^`)).toBe(head)
    expect(kept('show', `${ref}:x.txt`)).toBe('x.txt')
  })

  it('needs no identity, and runs no hook and no filter', async () => {
    const marker = path.join(ground.root, 'ran')
    const trap = path.join(ground.root, 'trap')
    fs.writeFileSync(trap, `#!/bin/sh\ntouch ${marker}\ncat\n`, { mode: 0o755 })
    for (const hook of ['pre-commit', 'post-commit', 'reference-transaction', 'post-index-change']) {
      fs.mkdirSync(path.join(ground.mirror, 'hooks'), { recursive: true })
      fs.copyFileSync(trap, path.join(ground.mirror, 'hooks', hook))
    }
    write('.gitattributes', 'new.txt filter=trap\n')
    const settings = `[user]\n\tuseConfigOnly = true\n[filter "trap"]\n\tclean = ${trap}\n\tsmudge = ${trap}\n[commit]\n\tgpgSign = true\n`
    fs.writeFileSync(path.join(ground.root, 'gitconfig'), settings)
    write('new.txt', 'n')
    const saved = await save()
    expect(kept('log', '-1', '--format=%an <%ae> %cn <%ce> %ct', saved?.ref ?? '')).toBe(
      `kugetsu <kugetsu@localhost> kugetsu <kugetsu@localhost> ${Math.floor(now.getTime() / 1000)}`,
    )
    expect(kept('show', `${saved?.ref ?? ''}:new.txt`)).toBe('n')
    expect(fs.existsSync(marker)).toBe(false)
  })

  it('never replaces what was saved before', async () => {
    write('new.txt', 'first')
    const { ref } = (await save()) ?? { ref: '' }
    write('new.txt', 'second')
    await expect(save()).rejects.toMatchObject({ code: 'save_failed' })
    expect(kept('show', `${ref}:new.txt`)).toBe('first')
    const later = await save({ now: new Date(now.getTime() + 1) })
    expect(kept('show', `${later?.ref ?? ''}:new.txt`)).toBe('second')
  })

  it.each(['../../heads/main', '-x', 'a..b.lock', ''])('makes a ref of any name: "%s"', async (name) => {
    write('new.txt', 'n')
    const { ref } = (await save({ name })) ?? { ref: '' }
    expect(ref).toMatch(/^refs\/kugetsu\/recovery\/[^/]+\/[^/]+$/)
    expect(kept('rev-parse', '--verify', ref)).toMatch(/^[0-9a-f]{40}$/)
  })
})

describe('what is saved', () => {
  it('is nothing that a push of an agent takes along, nor a gc of the mirror', async () => {
    commit('mine.txt')
    write('x.log', 'SECRET=1')
    write('caf\u00e9', 'new')
    const published = git('rev-parse', 'origin/main')
    const { ref } = (await save()) ?? { ref: '' }
    await remove()
    const other = path.join(ground.root, 'other.git')
    ground.git(ground.root, 'init', '--quiet', '--bare', other)
    mirror('push', '--quiet', '--mirror', other)
    const pushed = ground.git(other, 'for-each-ref', '--format=%(objectname) %(refname)').split('\n')
    expect(pushed.filter((line) => !line.startsWith(published))).toEqual([])
    // The remote drops what the saved work is based on.
    ground.git(ground.remote, 'update-ref', '-d', 'refs/heads/main')
    mirror('fetch', '--quiet', '--prune')
    mirror('gc', '--quiet', '--prune=now')
    const back = await recover(ref, here())
    expect([readIn(back.path, 'x.log'), readIn(back.path, 'mine.txt')]).toEqual(['SECRET=1', 'mine.txt'])
    await dropRecovery(ground.repository, (await list())[0]!)
    expect(mirror('for-each-ref', 'refs/kugetsu')).toBe('')
    expect(fs.readdirSync(path.dirname(ground.mirror))).toEqual(['repo.git'])
  })

  it('comes back with the commits of its reflog, whatever its files are called', async () => {
    const parked = commit('x.txt')
    git('reset', '--quiet', '--hard', 'HEAD^')
    const name = byteName(Buffer.from([0x63, 0x61, 0x66, 0xe9, 0x0a, 0x22, 0x5c]))
    const ignored = byteName(Buffer.from([0xff, 0x2e, 0x6c, 0x6f, 0x67]))
    for (const each of [name, ignored]) fs.writeFileSync(placeIn(place, each), 'bytes')
    const { ref } = (await save()) ?? { ref: '' }
    await remove()
    mirror('gc', '--quiet', '--prune=now')
    await recover(ref, here())
    mirror('gc', '--quiet', '--prune=now')
    expect(git('reflog', '--format=%H').split('\n')).toContain(parked)
    expect([name, ignored].map((each) => fs.readFileSync(placeIn(place, each), 'utf8'))).toEqual(['bytes', 'bytes'])
  })
})

describe('files that git says nothing of', () => {
  it.each(['--assume-unchanged', '--skip-worktree'])('come back as they are (%s)', async (flag) => {
    write('link-to-be', 'x')
    fs.symlinkSync('a.txt', path.join(place, 'link'))
    commit('b.txt')
    git('push', '--quiet', 'origin', `HEAD:refs/heads/pushed`)
    git('update-index', flag, 'a.txt', 'b.txt', 'gone.txt', 'link', 'link-to-be')
    expect(await save()).toBeUndefined()
    write('a.txt', 'only\r\nhere\n')
    fs.rmSync(path.join(place, 'gone.txt'))
    fs.rmSync(path.join(place, 'link'))
    fs.symlinkSync('b.txt', path.join(place, 'link'))
    fs.chmodSync(path.join(place, 'link-to-be'), 0o755)
    const saved = await save()
    expect(saved?.summary).toContain('3 uncommitted changes')
    await remove()
    const back = await recover(saved?.ref ?? '', here())
    expect(readIn(back.path, 'a.txt')).toBe('only\r\nhere\n')
    expect(fs.readlinkSync(path.join(back.path, 'link'))).toBe('b.txt')
    expect(fs.statSync(path.join(back.path, 'link-to-be')).mode & 0o100).toBe(0o100)
  })

  it('are those of a sparse checkout, which are not there and stay so', async () => {
    write('dir/c.txt', 'c')
    commit('b.txt')
    git('push', '--quiet', 'origin', `HEAD:refs/heads/pushed`)
    git('sparse-checkout', 'set', '--no-cone', '/a.txt')
    expect(fs.existsSync(path.join(place, 'dir'))).toBe(false)
    expect(await save()).toBeUndefined()
    write('a.txt', 'changed\n')
    const saved = await save()
    expect(kept('ls-tree', '-r', '--name-only', saved?.ref ?? '')).toContain('dir/c.txt')
  })

  it('come back too where the settings of the user ignore them, and those of the repository do not', async () => {
    const everywhere = path.join(ground.root, 'ignored-everywhere')
    fs.writeFileSync(everywhere, '*.local\n')
    ground.git(ground.root, 'config', '--global', 'core.excludesFile', everywhere)
    git('config', 'core.excludesFile', '/dev/null')
    write('notes.local', 'notes')
    write('dir/more.local', 'more')
    const saved = await save()
    await remove()
    const back = await recover(saved?.ref ?? '', here())
    expect([readIn(back.path, 'notes.local'), readIn(back.path, 'dir/more.local')]).toEqual(['notes', 'more'])
  })
})

it('a file that only its owner may read is so again', async () => {
  for (const name of ['key', 'dir/deep/key', 'a.txt']) write(name, name)
  for (const name of ['key', 'dir/deep/key', 'a.txt']) fs.chmodSync(path.join(place, name), 0o600)
  write('dir/public', 'x')
  fs.chmodSync(path.join(place, 'dir', 'public'), 0o644)
  const saved = await save()
  await remove()
  const back = await recover(saved?.ref ?? '', here())
  const modes = ['key', 'dir/deep/key', 'a.txt', 'dir/public'].map(
    (name) => fs.statSync(path.join(back.path, name)).mode & 0o777,
  )
  expect(modes).toEqual([0o600, 0o600, 0o600, 0o644])
})

describe('what was in progress', () => {
  const conflicting = () => {
    const base = git('rev-parse', 'HEAD')
    git('checkout', '--quiet', '-b', 'series')
    const series = ['two', 'three', 'four'].map((text) => {
      write('a.txt', `${text}\n`)
      git('commit', '--quiet', '--all', '--message', `Make it ${text}`)
      return git('rev-parse', 'HEAD')
    })
    git('checkout', '--quiet', branch)
    write('a.txt', 'mine\n')
    git('commit', '--quiet', '--all', '--message', 'Make it mine')
    return { base, series }
  }
  /** Destroys it, with what no ref names, and puts it back. */
  const anew = async () => {
    const { ref } = (await save()) ?? { ref: '' }
    await remove()
    mirror('reflog', 'expire', '--expire=now', '--all')
    mirror('gc', '--quiet', '--prune=now')
    const back = await recover(ref, here())
    mirror('gc', '--quiet', '--prune=now')
    return back
  }
  const readKept = (file: string) => readIn(place, path.join('.kugetsu-recovered', file))

  it('comes back as files: the patches of a git am that stopped', async () => {
    const { base } = conflicting()
    const mbox = path.join(ground.root, 'series.mbox')
    fs.writeFileSync(mbox, git('format-patch', '--stdout', `${base}..series`))
    git('branch', '--quiet', '-D', 'series')
    expect(() => git('am', mbox)).toThrow()
    const back = await anew()
    expect(back).toMatchObject({ inProgress: 'a git am', operationFiles: '.kugetsu-recovered' })
    expect(readKept('rebase-apply/0003')).toContain('+four')
    expect(git('status', '--porcelain')).toBe('')
    expect(fs.existsSync(path.join(ground.mirror, 'worktrees', 'one', 'rebase-apply'))).toBe(false)
  })

  it('comes back as files: the list and the message of a rebase, and its autostash as a stash', async () => {
    conflicting()
    write('gone.txt', 'put by')
    expect(() => git('rebase', '--autostash', 'series')).toThrow()
    fs.appendFileSync(path.join(ground.mirror, 'worktrees', 'one', 'rebase-merge', 'message'), 'and more about it')
    await anew()
    expect(readKept('rebase-merge/message')).toContain('and more about it')
    expect(readKept('rebase-merge/git-rebase-todo.backup')).toContain('Make it mine')
    expect(git('show', 'stash@{0}:gone.txt')).toBe('put by')
  })

  it.each(['cherry-pick', 'revert'])(
    'comes back with the commits that a %s of several has in its list',
    async (how) => {
      const { series } = conflicting()
      expect(() => git(how, '--no-edit', ...series)).toThrow()
      git('branch', '--quiet', '-D', 'series')
      write('a.txt', 'solved\n')
      git('commit', '--quiet', '--all', '--message', 'Solved')
      fs.rmSync(path.join(ground.mirror, 'worktrees', 'one', 'logs'), { recursive: true })
      expect((await anew()).inProgress).toBe('a cherry-pick or revert')
      expect(readKept('sequencer/todo')).toContain('Make it four')
      for (const each of series) expect(git('cat-file', '-t', each)).toBe('commit')
    },
  )

  it('comes back as files: the log of a bisect, and messages that were not committed', async () => {
    const { base } = conflicting()
    git('bisect', 'start', 'series', base)
    write('new.txt', 'n')
    const entry = path.join(ground.mirror, 'worktrees', 'one')
    fs.writeFileSync(path.join(entry, 'COMMIT_EDITMSG'), 'A long story\n')
    fs.writeFileSync(path.join(entry, 'SQUASH_MSG'), 'What was squashed\n')
    const back = await anew()
    expect(back.inProgress).toBe('a bisect')
    expect(['BISECT_LOG', 'COMMIT_EDITMSG', 'SQUASH_MSG'].map(readKept).join('')).toMatch(
      /good[^]*A long story[^]*squashed/,
    )
  })

  it('is saved where the directory of the worktree is gone', async () => {
    conflicting()
    expect(() => git('rebase', 'series')).toThrow()
    fs.rmSync(place, { recursive: true })
    const back = await anew()
    expect(readKept('rebase-merge/git-rebase-todo.backup')).toContain('Make it mine')
    expect(back.inProgress).toBe('a rebase')
  })

  it('leaves no directory where all was finished, and takes none that is there', async () => {
    conflicting()
    expect((await anew()).operationFiles).toBeUndefined()
    write('.kugetsu-recovered/mine.txt', 'mine')
    expect(() => git('merge', 'series')).toThrow()
    fs.rmSync(savedRepositoryOf(ground.mirror), { recursive: true })
    const back = await anew()
    expect(back.operationFiles).toBe('.kugetsu-recovered-2')
    expect(readIn(place, '.kugetsu-recovered-2/MERGE_MSG')).toContain('Merge branch')
    expect(readKept('mine.txt')).toBe('mine')
  })
})

describe('saveWork refuses', () => {
  const nothingSaved = async () => expect(await list()).toEqual([])

  it('a repository inside the worktree, whose files it could not keep', async () => {
    ground.git(ground.root, 'clone', '--quiet', ground.remote, path.join(place, 'sub', 'inner'))
    await expect(save()).rejects.toMatchObject({
      code: 'unsavable',
      message: expect.stringContaining('sub/inner') as string,
    })
    await nothingSaved()
  })

  it('a pipe in the place of a tracked file, by its name, and touches nothing', async () => {
    write('a.txt', 'mine')
    fs.rmSync(path.join(place, 'gone.txt'))
    execFileSync('mkfifo', [path.join(place, 'gone.txt')])
    await expect(save()).rejects.toMatchObject({
      code: 'unsavable',
      message: `not all of ${place} can be saved: gone.txt is a pipe in the place of a file, which cannot be saved`,
    })
    await nothingSaved()
    expect(fs.readFileSync(path.join(place, 'a.txt'), 'utf8')).toBe('mine')
    expect(fs.lstatSync(path.join(place, 'gone.txt')).isFIFO()).toBe(true)
  })

  it('a directory that is no worktree and no repository', async () => {
    fs.rmSync(path.join(place, '.git'))
    await expect(save()).rejects.toMatchObject({ code: 'unsavable' })
    await nothingSaved()
  })

  it('when it cannot read all', async () => {
    fs.writeFileSync(path.join(ground.mirror, 'worktrees', 'one', 'index'), 'garbage, not an index')
    await expect(save()).rejects.toThrow(/index/)
    await nothingSaved()
  })
})

describe('restoreWork', () => {
  it('brings branch, HEAD, index, files, ignored files and stashes back to where they were', async () => {
    const head = commit('mine.txt')
    write('a.txt', 'stashed')
    git('stash', 'push', '--quiet', '--message', 'put by')
    const stash = git('rev-parse', 'stash')
    write('a.txt', 'staged\r\n')
    write('both.txt', 'staged as it is')
    git('add', 'a.txt', 'both.txt')
    write('a.txt', 'and changed again')
    write('secret.log', 'ignored')
    fs.chmodSync(path.join(place, 'secret.log'), 0o644)
    const before = [git('status', '--porcelain', '--ignored'), git('ls-files', '--stage'), git('log', '--format=%H')]
    const saved = await save()
    expect(saved?.summary).toContain('1 stash, 1 ignored file of fix/issue-1')
    await remove()
    mirror('update-ref', '-d', 'refs/stash')
    mirror('gc', '--quiet', '--prune=now')
    const restored = await recover(saved?.ref ?? '', here())
    expect(restored).toMatchObject({ branch, head, renamed: {}, leftOut: [] })
    expect([git('status', '--porcelain', '--ignored'), git('ls-files', '--stage'), git('log', '--format=%H')]).toEqual(
      before,
    )
    expect([readIn(place, 'a.txt'), readIn(place, 'secret.log')]).toEqual(['and changed again', 'ignored'])
    expect(fs.statSync(path.join(place, 'secret.log')).mode & 0o777).toBe(0o600)
    expect(git('stash', 'list', '--format=%H %gs')).toBe(`${stash} On fix/issue-1: put by`)
    expect(git('worktree', 'list', '--porcelain')).not.toContain('locked')
  })

  it('leaves work that is there alone', async () => {
    commit('mine.txt')
    write('new.txt', 'n')
    const { ref } = (await save()) ?? { ref: '' }
    await expect(recover(ref, here())).rejects.toMatchObject({ code: 'branch_in_use' })
    await remove()
    await addWorktree({ mirror: ground.repository, path: place, branch })
    const other = commit('other.txt')
    await expect(recover(ref, { path: ground.worktree('two'), aside: false })).rejects.toMatchObject({
      code: 'branch_in_use',
    })
    await removeWorktree({ mirror: ground.repository, path: place, branch, deleteBranch: false })
    await expect(recover(ref, here())).rejects.toMatchObject({
      code: 'branch_taken',
      hint: expect.stringContaining('--to') as string,
    })
    expect(mirror('rev-parse', branch)).toBe(other)
    expect(fs.existsSync(place)).toBe(false)
    fs.mkdirSync(place)
    fs.writeFileSync(path.join(place, 'mine'), 'm')
    await expect(recover(ref, { ...here(), aside: true })).rejects.toMatchObject({ code: 'path_taken' })
    expect(readIn(place, 'mine')).toBe('m')
    expect(mirror('for-each-ref', '--format=%(refname)', 'refs/heads')).toBe(`refs/heads/${branch}`)
    expect((await recover(ref)).branch).toContain('recovered/')
  })

  it('brings a detached HEAD and a worktree without changes back', async () => {
    const onBranch = commit('x.txt')
    git('checkout', '--quiet', '--detach', 'origin/main')
    const detached = commit('y.txt')
    const { ref } = (await save()) ?? { ref: '' }
    await remove()
    expect(await recover(ref, here())).toMatchObject({ branch: undefined, head: detached })
    expect([mirror('rev-parse', branch), git('status', '--porcelain')]).toEqual([onBranch, ''])
    expect(readIn(place, 'y.txt')).toBe('y.txt')
  })

  it('brings what was staged in a worktree back whose directory is gone', async () => {
    write('a.txt', 'staged')
    git('add', 'a.txt')
    fs.rmSync(place, { recursive: true })
    const { ref } = (await save()) ?? { ref: '' }
    await remove()
    await recover(ref, here())
    expect([git('status', '--porcelain'), readIn(place, 'a.txt')]).toEqual(['M  a.txt', 'staged'])
  })

  it('brings a commit back that was only given a ref', async () => {
    const head = commit('x.txt')
    mirror('update-ref', 'refs/kugetsu/recovery/one/2026-03-04T05-06-07-089Z', head)
    await remove()
    expect(await recover('refs/kugetsu/recovery/one/2026-03-04T05-06-07-089Z')).toMatchObject({ head })
  })
})

describe('ignored files', () => {
  it('are saved when they are small, and told of when they are not', async () => {
    write('.gitignore', '*.log\nnode_modules/\nlocal/\n')
    git('commit', '--quiet', '--all', '--message', 'Ignore more')
    git('push', '--quiet')
    write('node_modules/m/index.js', 'm')
    write('local/.env', 'TOKEN=1')
    fs.writeFileSync(path.join(place, 'huge.log'), '')
    fs.truncateSync(path.join(place, 'huge.log'), 21 * 1024 * 1024)
    const saved = await save()
    expect(saved).toMatchObject({ summary: '1 ignored file of fix/issue-1', unsaved: ['huge.log (21 MB)'] })
    await remove()
    const back = await recover(saved?.ref ?? '', here())
    expect(readIn(place, 'local/.env')).toBe('TOKEN=1')
    expect(fs.existsSync(path.join(place, 'node_modules'))).toBe(false)
    expect(back.leftOut).toEqual(['huge.log (21 MB)', 'node_modules/'])
    expect(git('status', '--porcelain')).toBe('')
  })
})

describe('a clone of its own', () => {
  const clone = () => {
    fs.rmSync(place, { recursive: true })
    mirror('worktree', 'prune')
    ground.git(ground.root, 'clone', '--quiet', ground.remote, place)
    git('checkout', '--quiet', '-b', branch)
  }

  it.each(['with a mirror', 'without one'])('is saved with all that goes with it, %s', async (which) => {
    clone()
    if (which === 'without one') fs.rmSync(ground.mirror, { recursive: true })
    const head = commit('mine.txt')
    git('checkout', '--quiet', '-b', 'another')
    const another = commit('another.txt')
    git('checkout', '--quiet', branch)
    for (const text of ['first', 'second']) {
      write('a.txt', text)
      git('stash', 'push', '--quiet', '--message', text)
    }
    write('a.txt', 'changed')
    write('new.txt', 'n')
    write('x.log', 'ignored')
    const before = git('status', '--porcelain')
    const saved = await save()
    expect(saved?.summary).toBe(
      '1 uncommitted change, 1 untracked file, 2 unpushed commits, 2 stashes, 1 ignored file of fix/issue-1',
    )
    await remove()
    expect(fs.existsSync(place)).toBe(false)
    await openMirror(ground.repository, { url: ground.url })
    mirror('gc', '--quiet', '--prune=now')
    expect(await recover(saved?.ref ?? '', here())).toMatchObject({ branch, head })
    expect([git('status', '--porcelain'), git('rev-parse', 'another')]).toEqual([before, another])
    expect([readIn(place, 'a.txt'), readIn(place, 'x.log')]).toEqual(['changed', 'ignored'])
    expect(git('stash', 'list', '--format=%gs')).toBe('On fix/issue-1: second\nOn fix/issue-1: first')
    expect(git('log', '-1', '--format=%s', 'origin/main')).toBe('Change a.txt, gone.txt, .gitignore, .gitattributes')
  })

  it('has nothing to save when all of it is pushed, and leaves the mirror its branch', async () => {
    clone()
    commit('mine.txt')
    git('push', '--quiet', 'origin', branch)
    mirror('branch', 'fix/issue-1-of-the-mirror', 'origin/main')
    expect(await save()).toBeUndefined()
    const theirs = mirror('rev-parse', branch)
    await remove()
    expect(mirror('rev-parse', branch)).toBe(theirs)
  })

  it('that other worktrees depend on is not taken', async () => {
    clone()
    git('worktree', 'add', '--quiet', path.join(ground.root, 'dependent'))
    await expect(save()).rejects.toMatchObject({
      code: 'unsavable',
      message: expect.stringContaining('dependent') as string,
    })
  })

  it('of which only a part of the history was fetched is saved where the mirror has the rest', async () => {
    fs.rmSync(place, { recursive: true })
    mirror('worktree', 'prune')
    ground.push('main', { 'a.txt': 'two' })
    await openMirror(ground.repository, { url: ground.url })
    ground.git(ground.root, 'clone', '--quiet', '--depth=1', ground.url, place)
    const head = commit('mine.txt')
    const { ref } = (await save()) ?? { ref: '' }
    await remove()
    expect((await recover(ref)).head).toBe(head)
    expect(mirror('rev-list', '--count', head)).toBe('3')
  })
})

it('a worktree of another repository is saved, and its branch and the others there stay', async () => {
  fs.rmSync(place, { recursive: true })
  mirror('worktree', 'prune')
  const author = path.join(ground.root, 'author')
  ground.git(author, 'worktree', 'add', '--quiet', '-b', branch, place)
  const head = commit('mine.txt')
  expect(await save()).toBeUndefined()
  write('new.txt', 'n')
  const { ref } = (await save()) ?? { ref: '' }
  await remove()
  expect(ground.git(author, 'rev-parse', branch)).toBe(head)
  expect(ground.git(author, 'worktree', 'list').split('\n')).toHaveLength(1)
  const { path: back } = await recover(ref)
  expect([readIn(back, 'new.txt'), readIn(back, 'mine.txt')]).toEqual(['n', 'mine.txt'])
})

it('what a removal that was cut off had saved is not put behind what is left of it', async () => {
  commit('mine.txt')
  write('new.txt', 'never committed')
  const first = await save()
  // Killed after the worktree had been moved away; its entry and its branch are there.
  fs.renameSync(place, path.join(ground.root, 'away'))
  const second = await save({ now: new Date(now.getTime() + 60_000) })
  await remove()
  const points = await list()
  expect(points.map(({ ref }) => ref)).toEqual([second?.ref, first?.ref])
  // The same work, whichever of the two is meant.
  expect(pointNamed(points, points[0]?.id ?? '')).toBe(points[0])
  const back = await recover(second?.ref ?? '', here())
  expect([readIn(back.path, 'mine.txt'), readIn(back.path, 'new.txt')]).toEqual(['mine.txt', 'never committed'])
})

it('commits that came after what was saved are saved for themselves', async () => {
  commit('mine.txt')
  await save()
  const head = commit('later.txt')
  fs.renameSync(place, path.join(ground.root, 'away'))
  const second = await save({ now: new Date(now.getTime() + 60_000) })
  await remove()
  expect((await recover(second?.ref ?? '', here())).head).toBe(head)
})

it('listRecovery tells what is there, newest first; one can be named and dropped', async () => {
  write('new.txt', 'n')
  const first = await save()
  const second = await save({ now: new Date(now.getTime() + 60_000) })
  const points = await list()
  expect(points.map(({ ref }) => ref)).toEqual([second?.ref, first?.ref])
  expect(points[1]).toMatchObject({ summary: first?.summary, name: 'forge.test-owner-repo-1', savedAt: now })
  expect(points[1]?.expiresAt).toEqual(new Date('2026-04-03T05:06:07.089Z'))
  expect(points[1]?.record).toMatchObject({ on: branch, files: true, counts: { untracked: 1 } })
  expect(pointNamed(points, points[0]?.id ?? '')).toBe(points[0])
  expect(pointNamed(points, 'not-an-id')).toBeUndefined()
  await dropRecovery(ground.repository, points[0]!)
  expect((await list()).map(({ ref }) => ref)).toEqual([first?.ref])
})
