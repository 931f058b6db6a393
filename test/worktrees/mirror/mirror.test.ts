import * as fs from 'node:fs'
import * as path from 'node:path'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type MirrorOptions, openMirror } from '../../../src/worktrees/mirror/mirror.ts'
import { addWorktree } from '../../../src/worktrees/worktrees.ts'
import { createGround, type Ground } from '../../helpers/git-repository.ts'

let ground: Ground
beforeEach(() => {
  ground = createGround({ 'a.txt': 'one\n' })
})
afterEach(() => ground.cleanup())

const open = (more: Partial<MirrorOptions> = {}, signal?: AbortSignal) =>
  openMirror(ground.repository.with({ signal }), { url: ground.url, ...more })
const ref = (name: string) => ground.git(ground.mirror, 'rev-parse', name)
const siblings = () => fs.readdirSync(path.dirname(ground.mirror)).sort()
/** The loose and packed objects of a repository, counted. */
const objects = (repository: string) => ground.git(repository, 'rev-list', '--objects', '--all').split('\n').length

describe('openMirror', () => {
  it('clones once, then fetches', async () => {
    expect(await open()).toEqual({ created: true, defaultBranch: 'main' })
    const tip = ground.push('main', { 'a.txt': 'two\n' })
    expect(await open()).toEqual({ created: false, defaultBranch: 'main' })
    expect(ref('refs/remotes/origin/main')).toBe(tip)
    expect(siblings()).toEqual(['repo.git'])
  })

  it('has the whole history again where an agent has cut it off', async () => {
    ground.push('main', { 'a.txt': 'two\n' })
    await open()
    const path = ground.worktree('one')
    await addWorktree({ mirror: ground.repository, path, branch: 'fix/one' })
    const history = () => [
      ground.git(path, 'rev-parse', '--is-shallow-repository'),
      ground.git(path, 'rev-list', '--count', 'HEAD'),
    ]
    ground.git(path, 'fetch', '--quiet', '--depth=1', 'origin', 'main')
    expect(history()).toEqual(['true', '1'])
    await open()
    expect(history()).toEqual(['false', '2'])
  })

  it('does not keep what one agent has set for all', async () => {
    await open()
    const [one, two] = [ground.worktree('one'), ground.worktree('two')]
    for (const path of [one, two]) {
      await addWorktree({ mirror: ground.repository, path, branch: `fix/${path.slice(-3)}` })
    }
    const set = (name: string) => {
      try {
        return ground.git(two, 'config', name)
      } catch {
        return undefined
      }
    }
    ground.git(one, 'config', 'user.email', 'one "bot"@example.com') // in quotes: such a file is read by git
    ground.git(one, 'config', 'core.hooksPath', path.join(one, '.git-hooks'))
    ground.git(one, 'config', 'extensions.worktreeConfig', 'true')
    ground.git(one, 'config', '--worktree', 'user.name', 'One')
    expect(() => ground.git(two, 'status')).toThrow(/must be run in a work tree/)

    const undone: string[] = []
    await open({ onStray: (settings) => void undone.push(...settings) })
    expect(undone.sort()).toEqual([
      'core.bare=true',
      `core.hookspath=${path.join(one, '.git-hooks')}`,
      'user.email=one "bot"@example.com',
    ])
    expect([set('user.email'), set('core.hooksPath')]).toEqual(['test@example.com', undefined])
    expect([one, two, ground.mirror].map((each) => ground.git(each, 'rev-parse', '--is-bare-repository'))).toEqual([
      'false',
      'false',
      'true',
    ])
    expect(ground.git(one, 'config', 'user.name')).toBe('One')
    await addWorktree({ mirror: ground.repository, path: ground.worktree('three'), branch: 'main' })

    ground.git(one, 'config', 'core.hooksPath', '.husky/_') // of each worktree its own
    await open({ onStray: () => expect.unreachable() })
    expect(set('core.hooksPath')).toBe('.husky/_')
  })

  it('is bare and has no local branch', async () => {
    await open()
    expect(ground.git(ground.mirror, 'rev-parse', '--is-bare-repository')).toBe('true')
    expect(ground.git(ground.mirror, 'for-each-ref', 'refs/heads')).toBe('')
  })

  it('never touches local branches, and drops remote ones that are gone', async () => {
    ground.push('old', { 'b.txt': 'b' })
    await open()
    const local = ref('origin/main')
    ground.git(ground.mirror, 'branch', '--no-track', 'main', local)
    ground.git(ground.mirror, 'branch', '--no-track', 'old', local)
    ground.push('main', { 'a.txt': 'two\n' })
    ground.git(ground.remote, 'branch', '-D', 'old')
    await open()
    expect(ref('refs/heads/main')).toBe(local)
    expect(ref('refs/heads/old')).toBe(local)
    expect(ref('refs/remotes/origin/main')).not.toBe(local)
    expect(() => ref('refs/remotes/origin/old')).toThrow()
  })

  it('follows the default branch when its old one is gone', async () => {
    await open()
    ground.push('trunk', { 'a.txt': 'two\n' })
    ground.git(ground.remote, 'symbolic-ref', 'HEAD', 'refs/heads/trunk')
    ground.git(ground.remote, 'branch', '-D', 'main')
    expect(await open()).toEqual({ created: false, defaultBranch: 'trunk' })
  })

  it('follows the default branch when another one is it now, and asks once', async () => {
    await open()
    ground.push('next', { 'n.txt': 'n' })
    ground.git(ground.remote, 'symbolic-ref', 'HEAD', 'refs/heads/next')
    expect((await open()).defaultBranch).toBe('next')
    ground.push('next', { 'n.txt': 'm' })
    const trace = path.join(ground.root, 'trace')
    ground.env['GIT_TRACE2_EVENT'] = trace
    expect((await open()).defaultBranch).toBe('next')
    expect(fs.readFileSync(trace, 'utf8')).not.toContain('ls-remote')
  })

  it('knows no default branch when the remote names one that does not exist', async () => {
    ground.git(ground.remote, 'symbolic-ref', 'HEAD', 'refs/heads/nowhere')
    expect(await open()).toEqual({ created: true, defaultBranch: undefined })
    expect(await open()).toEqual({ created: false, defaultBranch: undefined })
  })

  it('goes where the URL points to when that changed', async () => {
    await open()
    const other = createGround({ 'other.txt': 'x' })
    try {
      await open({ url: other.url })
      expect(ref('origin/main')).toBe(other.git(other.remote, 'rev-parse', 'main'))
    } finally {
      other.cleanup()
    }
  })

  it('clones once however many ask at the same time', async () => {
    const opened = await Promise.all(Array.from({ length: 6 }, () => open()))
    expect(opened.filter(({ created }) => created)).toHaveLength(1)
    expect(new Set(opened.map(({ defaultBranch }) => defaultBranch))).toEqual(new Set(['main']))
  })

  it('shares a fetch that began after the call, not one that began before it', async () => {
    await open()
    const record = ground.lockFile.replace('.lock', '.fetches')
    const begun = () => Number(fs.readFileSync(record, 'utf8').split(' ')[0])
    const before = begun()
    await Promise.all(Array.from({ length: 6 }, () => open()))
    expect(begun()).toBe(before + 1)
    await open()
    expect(begun()).toBe(before + 2)
  })

  it('fetches all the same when the record of fetches is damaged', async () => {
    await open()
    fs.writeFileSync(ground.lockFile.replace('.lock', '.fetches'), 'garbage')
    const tip = ground.push('main', { 'a.txt': 'two\n' })
    await open()
    expect(ref('origin/main')).toBe(tip)
  })

  it('tells how it goes', async () => {
    const told: string[] = []
    await open({ onProgress: (text) => told.push(text) })
    expect(told.join('\n')).toMatch(/objects/)
  })

  it("goes by the user's own ssh where their settings lead the URL there", async () => {
    await open()
    const [ssh, asked] = [path.join(ground.root, 'own-ssh'), path.join(ground.root, 'asked')]
    fs.writeFileSync(ssh, `#!/bin/sh\ntouch ${asked}\nshift $(($# - 1))\nexec sh -c "$1"\n`, { mode: 0o755 })
    ground.git(ground.root, 'config', '--global', 'core.sshCommand', ssh)
    ground.git(ground.root, 'config', '--global', `url.ssh://there${ground.remote}.insteadOf`, ground.url)
    const tip = ground.push('main', { 'a.txt': 'two\n' })
    await open()
    expect([ref('origin/main'), fs.existsSync(asked)]).toEqual([tip, true])
  })

  it('runs no hook of a template', async () => {
    const marker = path.join(ground.root, 'ran')
    const template = path.join(ground.root, 'template')
    fs.mkdirSync(path.join(template, 'hooks'), { recursive: true })
    for (const hook of ['post-checkout', 'reference-transaction']) {
      fs.writeFileSync(path.join(template, 'hooks', hook), `#!/bin/sh\ntouch ${marker}\n`, { mode: 0o755 })
    }
    ground.git(ground.root, 'config', '--global', 'init.templateDir', template)
    await open()
    expect(fs.existsSync(path.join(ground.mirror, 'hooks', 'post-checkout'))).toBe(false)
    // also none that somebody puts there later
    fs.cpSync(path.join(template, 'hooks'), path.join(ground.mirror, 'hooks'), { recursive: true })
    ground.push('main', { 'a.txt': 'two\n' })
    await open()
    const place = { mirror: ground.repository, path: ground.worktree('one') }
    await addWorktree({ ...place, branch: 'fix/issue-1' })
    expect(fs.existsSync(marker)).toBe(false)
  })
})

describe('openMirror fails', () => {
  const nothingLeft = () => expect(fs.existsSync(path.dirname(ground.mirror)) ? siblings() : []).toEqual([])

  it.each([
    ['clone_failed', () => pathToFileURL(path.join(ground.root, 'nowhere.git')).href, 'repository not found'],
    ['clone_failed', () => 'http://user:hunter2@127.0.0.1:1/o/r.git', 'host unreachable'],
    ['clone_failed', () => 'ext::sh -c true', 'not allowed'],
    ['bad_url', () => '--upload-pack=touch', 'not a clone URL'],
  ])('%s: one clear line, nothing left', async (code, url, text) => {
    const error: unknown = await open({ url: url() }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code, message: expect.stringContaining(text) as string })
    expect((error as Error).message).not.toMatch(/\n|hunter2/)
    nothingLeft()
  })

  it('on an empty repository, and works after the first push', async () => {
    const empty = createGround()
    try {
      await expect(open({ url: empty.url })).rejects.toMatchObject({
        code: 'empty_repository',
        hint: expect.stringContaining('commit') as string,
      })
      nothingLeft()
      empty.push('main', { 'a.txt': 'a' })
      expect(await open({ url: empty.url })).toMatchObject({ created: true })
    } finally {
      empty.cleanup()
    }
  })

  it('when interrupted, and leaves nothing', async () => {
    await expect(open({}, AbortSignal.abort())).rejects.toThrow()
    nothingLeft()
  })

  it('when the remote is gone later, and keeps the mirror', async () => {
    await open()
    const tip = ref('origin/main')
    fs.renameSync(ground.remote, `${ground.remote}.away`)
    await expect(open()).rejects.toMatchObject({
      code: 'fetch_failed',
      message: expect.stringContaining('not found') as string,
    })
    expect(ref('origin/main')).toBe(tip)
  })
})

describe('what others left', () => {
  it('of a killed clone is swept, of a living one is not', async () => {
    const directory = path.dirname(ground.mirror)
    const dead = spawn('true')
    await once(dead, 'exit')
    const names = { dead: `.repo.git.${dead.pid ?? 0}-123.0123abcd.tmp`, foreign: '.other.git.1-1.0123abcd.tmp' }
    const started = fs.readFileSync('/proc/1/stat', 'utf8').split(') ')[1]?.split(' ')[19] ?? ''
    const living = `.repo.git.1-${started}.0123abcd.tmp`
    for (const name of [...Object.values(names), living])
      fs.mkdirSync(path.join(directory, name, 'clone'), { recursive: true })
    await open()
    expect(siblings()).toEqual([names.foreign, living, 'repo.git'].sort())
  })

  it('at the place of the mirror is set aside, not deleted', async () => {
    fs.mkdirSync(ground.mirror, { recursive: true })
    fs.writeFileSync(path.join(ground.mirror, 'precious'), 'x')
    expect(await open()).toMatchObject({ created: true })
    const aside = siblings().find((name) => name !== 'repo.git')
    expect(fs.readFileSync(path.join(path.dirname(ground.mirror), aside ?? '', 'precious'), 'utf8')).toBe('x')
  })

  it('as a damaged mirror with worktrees is left alone', async () => {
    await open()
    const place = { mirror: ground.repository, path: ground.worktree('one') }
    await addWorktree({ ...place, branch: 'fix/issue-1' })
    fs.rmSync(path.join(ground.mirror, 'HEAD'))
    await expect(open()).rejects.toMatchObject({ code: 'mirror_damaged' })
    expect(fs.existsSync(path.join(ground.mirror, 'objects'))).toBe(true)
  })

  it('as a lock file of a killed git does not stop a fetch for good', async () => {
    await open()
    const tip = ground.push('main', { 'a.txt': 'two\n' })
    fs.writeFileSync(path.join(ground.mirror, 'refs', 'remotes', 'origin', 'main.lock'), '')
    await open()
    expect(ref('origin/main')).toBe(tip)
  })
})

it('all worktrees share the objects of the mirror', async () => {
  await open()
  const before = objects(ground.mirror)
  for (const name of ['one', 'two']) {
    const place = { mirror: ground.repository, path: ground.worktree(name) }
    await addWorktree({ ...place, branch: `fix/${name}` })
    expect(fs.statSync(path.join(ground.worktree(name), '.git')).isFile()).toBe(true)
    expect(ground.git(ground.worktree(name), 'rev-parse', '--git-path', 'objects')).toBe(
      path.join(ground.mirror, 'objects'),
    )
  }
  expect(objects(ground.mirror)).toBe(before)
})
