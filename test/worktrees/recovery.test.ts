import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openMirror } from '../../src/worktrees/mirrors.ts'
import { listRecovery, recoveryCommands, saveWork } from '../../src/worktrees/recovery.ts'
import { addWorktree, removeWorktree } from '../../src/worktrees/worktrees.ts'
import { createGround, type Ground } from '../helpers/git-repository.ts'

const branch = 'fix/issue-1'
const now = new Date('2026-03-04T05:06:07.089Z')
let ground: Ground
let place: string
const running = () => ({ lockFile: ground.lockFile, env: ground.env, timeoutMs: 30_000 })
beforeEach(async () => {
  ground = createGround({
    'a.txt': 'one\n',
    'gone.txt': 'x',
    '.gitignore': '*.log\n',
    '.gitattributes': '* text=auto\n',
  })
  place = ground.worktree('one')
  await openMirror({ path: ground.mirror, url: ground.url, ...running() })
  await addWorktree({ mirror: ground.mirror, path: place, branch, ...running() })
})
afterEach(() => ground.cleanup())

const save = (more: { now?: Date; name?: string } = {}) =>
  saveWork({ path: place, mirror: ground.mirror, branch, name: 'forge.test-owner-repo-1', now, ...running(), ...more })
const git = (...args: string[]) => ground.git(place, ...args)
const mirror = (...args: string[]) => ground.git(ground.mirror, ...args)
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
const remove = () => removeWorktree({ mirror: ground.mirror, path: place, branch, deleteBranch: true, ...running() })
/** Runs the printed commands as a person would; where the work came back. */
const recover = (ref: string) => {
  const directory = path.join(ground.root, "where it's back")
  for (const command of recoveryCommands(ref, ground.mirror, directory)) {
    execFileSync('/bin/sh', ['-c', command], { cwd: ground.root, env: ground.env, stdio: 'pipe' })
  }
  return directory
}

describe('saveWork', () => {
  it('has nothing to save in a clean worktree', async () => {
    write('x.log', 'ignored')
    expect(await save()).toBeUndefined()
    expect(await listRecovery({ mirror: ground.mirror, ...running() })).toEqual([])
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
    })
    await remove()
    await openMirror({ path: ground.mirror, url: ground.url, ...running() })
    mirror('gc', '--quiet', '--prune=now')

    const back = recover(saved?.ref ?? '')
    for (const [file, content] of Object.entries(files)) {
      expect(fs.readFileSync(path.join(back, file)).equals(Buffer.from(content))).toBe(true)
    }
    expect(fs.statSync(path.join(back, 'binary.bin')).mode & 0o111).not.toBe(0)
    expect(fs.readlinkSync(path.join(back, 'link'))).toBe('nowhere/at all')
    expect(fs.existsSync(path.join(back, 'gone.txt'))).toBe(false)
    expect(ground.git(back, 'rev-parse', 'HEAD')).toBe(head)
    expect(ground.git(back, 'status', '--porcelain')).toBe(status)
  })

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
    expect(fs.readdirSync(path.dirname(ground.mirror))).toEqual(['repo.git'])
  })

  it('keeps what was staged and is different in the files', async () => {
    write('a.txt', 'staged')
    git('add', 'a.txt')
    write('a.txt', 'changed again')
    const { ref } = (await save()) ?? { ref: '' }
    expect(mirror('show', `${ref}:a.txt`)).toBe('changed again')
    expect(mirror('show', `${ref}^2:a.txt`)).toBe('staged')
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
    expect(mirror('log', '--format=%P', '-1', ref).split(' ')).toEqual([detached, onBranch, stash])
    expect(mirror('show', `${stash}:a.txt`)).toBe('stashed')
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
    expect(mirror('show', `${ref}:a.txt`)).toContain('<<<<<<<')
  })

  it('saves the commits of a worktree whose directory is gone', async () => {
    const head = commit('x.txt')
    fs.rmSync(place, { recursive: true })
    const { ref } = (await save()) ?? { ref: '' }
    await remove()
    expect(mirror('rev-parse', `${ref}^`)).toBe(head)
    expect(mirror('show', `${ref}:x.txt`)).toBe('x.txt')
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
    expect(mirror('log', '-1', '--format=%an <%ae> %cn <%ce> %ct', saved?.ref ?? '')).toBe(
      `kugetsu <kugetsu@localhost> kugetsu <kugetsu@localhost> ${Math.floor(now.getTime() / 1000)}`,
    )
    expect(mirror('show', `${saved?.ref ?? ''}:new.txt`)).toBe('n')
    expect(fs.existsSync(marker)).toBe(false)
  })

  it('never replaces what was saved before', async () => {
    write('new.txt', 'first')
    const { ref } = (await save()) ?? { ref: '' }
    write('new.txt', 'second')
    await expect(save()).rejects.toMatchObject({ code: 'save_failed' })
    expect(mirror('show', `${ref}:new.txt`)).toBe('first')
    const later = await save({ now: new Date(now.getTime() + 1) })
    expect(mirror('show', `${later?.ref ?? ''}:new.txt`)).toBe('second')
  })

  it.each(['../../heads/main', '-x', 'a..b.lock', ''])('makes a ref of any name: "%s"', async (name) => {
    write('new.txt', 'n')
    const { ref } = (await save({ name })) ?? { ref: '' }
    expect(ref).toMatch(/^refs\/kugetsu\/recovery\/[^/]+\/[^/]+$/)
    expect(mirror('rev-parse', '--verify', ref)).toMatch(/^[0-9a-f]{40}$/)
  })
})

describe('saveWork refuses', () => {
  const nothingSaved = async () => expect(await listRecovery({ mirror: ground.mirror, ...running() })).toEqual([])

  it('a repository inside the worktree, whose files it could not keep', async () => {
    ground.git(ground.root, 'clone', '--quiet', ground.remote, path.join(place, 'sub', 'inner'))
    await expect(save()).rejects.toMatchObject({
      code: 'unsavable',
      message: expect.stringContaining('sub/inner') as string,
    })
    await nothingSaved()
  })

  it('a directory that is not a worktree of the mirror', async () => {
    fs.rmSync(path.join(place, '.git'))
    git('init', '--quiet')
    await expect(save()).rejects.toMatchObject({ code: 'unsavable' })
  })

  it('when it cannot read all', async () => {
    fs.writeFileSync(path.join(ground.mirror, 'worktrees', 'one', 'index'), 'garbage, not an index')
    await expect(save()).rejects.toThrow(/index/)
    await nothingSaved()
  })
})

it('listRecovery tells what is there, newest first', async () => {
  write('new.txt', 'n')
  const first = await save()
  const second = await save({ now: new Date(now.getTime() + 60_000) })
  const list = await listRecovery({ mirror: ground.mirror, ...running() })
  expect(list.map(({ ref }) => ref)).toEqual([second?.ref, first?.ref])
  expect(list[1]).toMatchObject({ summary: first?.summary })
  expect(new Date(list[1]?.savedAt ?? 0).getTime()).toBe(Math.floor(now.getTime() / 1000) * 1000)
})
