import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { commitsAhead } from '../../src/worktrees/at-risk/commits-ahead.ts'
import { fetchMirror, hasCommit, openMirror } from '../../src/worktrees/mirror/mirror.ts'
import { saveWork } from '../../src/worktrees/saving/save.ts'
import { takeInventory } from '../../src/worktrees/at-risk/inventory.ts'
import { addWorktree, removeWorktree } from '../../src/worktrees/worktrees.ts'
import { createGround, type Ground } from '../helpers/git-repository.ts'

let ground: Ground
let place: string
beforeEach(() => {
  ground = createGround({
    'a.txt': 'one\n',
    '.gitattributes': '*.txt filter=evil diff=evil merge=evil\n*.md filter=lfs\n',
  })
  ground.push('main', { 'b.md': 'pointer\n' })
  place = ground.worktree('one')
  fs.mkdirSync(at('ran'))
})
afterEach(() => ground.cleanup())

const at = (...parts: string[]) => path.join(ground.root, ...parts)
const work = () => ({ path: place, mirror: ground.repository, branch: 'fix/issue-1' })

/** A program that leaves a canary of that name wherever git runs it, and passes its input on. */
function trap(name: string, then = 'cat'): string {
  const file = at(`trap-${name}`)
  fs.writeFileSync(file, `#!/bin/sh\n: > '${at('ran', name)}'\n${then}\n`, { mode: 0o755 })
  return file
}
const ran = () => fs.readdirSync(at('ran'))

/** A git as anybody calls it, whatever comes of it: the traps are none of what they pretend to be. */
function careless(cwd: string, command: string): void {
  try {
    ground.git(cwd, command)
  } catch {
    // see above
  }
}

/** All that kugetsu does with a repository, from the first start to the end. */
async function wholeLife(): Promise<void> {
  await openMirror(ground.repository, { url: ground.url })
  await addWorktree({ ...work() })
  // Same size and time as before: git has to look into the file, and so runs its filter.
  fs.writeFileSync(path.join(place, 'a.txt'), 'two\n')
  fs.writeFileSync(path.join(place, 'new.txt'), 'new\n')
  await takeInventory({ ...work(), askRemote: () => fetchMirror(ground.repository) })
  await commitsAhead({ env: ground.env, timeoutMs: 30_000, path: place, branch: 'fix/issue-1', base: 'main' })
  await saveWork({ ...work(), name: 'forge.test-owner-repo-1', now: new Date() }, await takeInventory(work()))
  await removeWorktree({ ...work(), deleteBranch: true })
  await addWorktree({ ...work(), path: ground.worktree('two'), branch: 'fix/issue-2' })
}

/** What an agent, or a tool that it runs, may have written into the mirror. */
function armMirror(config = path.join(ground.mirror, 'config')): void {
  const hooks = path.join(ground.mirror, 'hooks')
  fs.mkdirSync(hooks, { recursive: true })
  for (const name of ['post-checkout', 'reference-transaction', 'post-index-change', 'pre-auto-gc', 'post-rewrite']) {
    fs.copyFileSync(trap(`hook-${name}`), path.join(hooks, name))
  }
  const set = (name: string, value: string) => execFileSync('git', ['config', '--file', config, '--add', name, value])
  set('core.hooksPath', hooks)
  set('core.fsmonitor', trap('fsmonitor'))
  set('core.sshCommand', trap('ssh', 'exit 1'))
  set('core.gitProxy', trap('git-proxy', 'exit 1'))
  set('core.askPass', trap('askpass'))
  set('core.editor', trap('editor'))
  set('core.pager', trap('pager'))
  set('core.alternateRefsCommand', trap('alternate-refs'))
  for (const kind of ['clean', 'smudge', 'process']) set(`filter.evil.${kind}`, trap(`filter-${kind}`))
  set('filter.evil.required', 'true')
  set('filter.EVIL=x.clean', trap('filter-odd'))
  set('filter.lfs.clean', trap('filter-lfs'))
  set('diff.external', trap('diff-external'))
  set('diff.evil.command', trap('diff-command'))
  set('diff.evil.textconv', trap('diff-textconv'))
  set('merge.evil.driver', trap('merge-driver'))
  set('credential.helper', trap('credential-helper'))
  set('remote.origin.uploadpack', trap('uploadpack', 'exit 1'))
  set('remote.origin.receivepack', trap('receivepack', 'exit 1'))
  set('remote.lazy.url', ground.url)
  set('remote.lazy.promisor', 'true')
  set('remote.lazy.uploadpack', trap('lazy-uploadpack', 'exit 1'))
  set('gpg.program', trap('gpg'))
  set('commit.gpgSign', 'true')
  set('log.showSignature', 'true')
  set('alias.status', `!${trap('alias')}`)
  set('submodule.recurse', 'true')
  set('gc.auto', '1')
  // Another repository to borrow from, so that the command for its refs has a reason to run.
  fs.writeFileSync(
    path.join(ground.mirror, 'objects', 'info', 'alternates'),
    path.join(ground.remote, 'objects') + '\n',
  )
}

describe('a mirror that an agent has tampered with', () => {
  beforeEach(async () => {
    await openMirror(ground.repository, { url: ground.url })
  })

  it.each([
    ['its configuration', () => armMirror()],
    [
      'a file that its configuration includes',
      () => {
        armMirror(at('included'))
        ground.git(ground.mirror, 'config', 'include.path', at('included'))
      },
    ],
    [
      'a file that it includes for some branches',
      () => {
        armMirror(at('included'))
        ground.git(ground.mirror, 'config', 'includeIf.onbranch:**.path', at('included'))
        ground.git(ground.mirror, 'config', `includeIf.gitdir:${ground.root}/.path`, at('included'))
      },
    ],
  ])('runs nothing that %s names', async (_, arm) => {
    arm()
    ground.push('main', { 'a.txt': 'newer\n' })
    await wholeLife()
    expect(ran()).toEqual([])
    expect(fs.readFileSync(path.join(ground.worktree('two'), 'a.txt'), 'utf8')).toBe('newer\n')
  })

  it('would run it in the hands of a git that is told nothing', async () => {
    await addWorktree(work())
    armMirror()
    fs.writeFileSync(path.join(place, 'a.txt'), 'two\n')
    careless(place, 'status')
    careless(place, 'fetch')
    expect(ran()).toEqual(expect.arrayContaining(['fsmonitor', 'filter-process', 'uploadpack']))
  })

  it('runs nothing that a worktree of its own names', async () => {
    await addWorktree(work())
    ground.git(ground.mirror, 'config', 'extensions.worktreeConfig', 'true')
    armMirror(path.join(ground.mirror, 'worktrees', 'one', 'config.worktree'))
    fs.writeFileSync(path.join(place, 'a.txt'), 'two\n')
    await wholeLife()
    expect(ran()).toEqual([])
  })

  it('is not asked where its configuration is a pipe, which would tell git something else than us', async () => {
    await openMirror(ground.repository, { url: ground.url })
    await addWorktree({ ...work() })
    const config = path.join(ground.mirror, 'worktrees', 'one', 'config.worktree')
    execFileSync('mkfifo', [config])
    expect((await takeInventory(work())).unknown).toContain(`cannot understand ${config}: it is a pipe`)
  })

  it('is not led to another repository by the file that says where it is', async () => {
    await addWorktree(work())
    const evil = at('evil.git')
    ground.git(ground.root, 'clone', '--quiet', '--bare', ground.remote, evil)
    armMirror(path.join(evil, 'config'))
    fs.writeFileSync(path.join(ground.mirror, 'worktrees', 'one', 'commondir'), `${evil}\n`)
    fs.writeFileSync(path.join(place, 'a.txt'), 'two\n')
    expect((await takeInventory(work())).unknown).toEqual([expect.stringContaining('is not a worktree of')])
    await expect(
      saveWork({ ...work(), name: 'x', now: new Date() }, await takeInventory(work())),
    ).rejects.toMatchObject({ code: 'unsavable' })
    expect(ran()).toEqual([])
  })

  it.each([
    ['its own configuration', (own: string) => armMirror(path.join(own, 'config'))],
    [
      'another repository to which it points',
      (own: string) => {
        const evil = at('evil.git')
        ground.git(ground.root, 'clone', '--quiet', '--bare', ground.remote, evil)
        armMirror(path.join(evil, 'config'))
        fs.writeFileSync(path.join(own, 'commondir'), `${evil}\n`)
      },
    ],
  ])('runs nothing that a clone in the place of the worktree names by %s', async (_, arm) => {
    ground.git(ground.root, 'clone', '--quiet', ground.remote, place)
    arm(path.join(place, '.git'))
    fs.writeFileSync(path.join(place, 'a.txt'), 'two\n')
    expect(await takeInventory(work())).toMatchObject({ uncommitted: ['a.txt'] })
    await saveWork({ ...work(), name: 'forge.test-owner-repo-1', now: new Date() }, await takeInventory(work()))
    expect(ran()).toEqual([])
    careless(place, 'status')
    expect(ran()).toContain('filter-process') // the trap is one
  })

  it('runs nothing of it to fetch one commit more', async () => {
    armMirror()
    ground.push('topic', { 'new.txt': 'new\n' })
    const commit = ground.git(ground.remote, 'rev-parse', 'topic')
    expect(await hasCommit(ground.repository, { commit, ref: 'refs/heads/topic' })).toBe(true)
    expect(ran()).toEqual([])
  })

  it('runs nothing that a submodule says of itself', async () => {
    await addWorktree(work())
    const module = path.join(place, 'module')
    ground.git(place, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', ground.url, 'module')
    ground.git(place, 'commit', '--quiet', '--message', 'Add a submodule')
    const config = path.join(ground.git(module, 'rev-parse', '--git-dir'), 'config')
    armMirror(path.resolve(module, config))
    fs.writeFileSync(path.join(module, 'a.txt'), 'two\n')
    expect(await takeInventory(work())).toMatchObject({ unsavable: [expect.stringContaining('module')] })
    expect(ran()).toEqual([])
    careless(place, 'status')
    expect(ran()).toContain('filter-process') // the trap is one
  })
})

describe("the user's own settings", () => {
  it('hold: a filter for all repositories, such as that of git-lfs, is run, whatever the mirror says it is', async () => {
    const smudge = at('smudge')
    fs.writeFileSync(smudge, '#!/bin/sh\ntr a-z A-Z\n', { mode: 0o755 })
    fs.writeFileSync(at('clean'), '#!/bin/sh\ntr A-Z a-z\n', { mode: 0o755 })
    ground.git(ground.root, 'config', '--global', 'filter.lfs.smudge', smudge)
    ground.git(ground.root, 'config', '--global', 'filter.lfs.clean', at('clean'))
    await openMirror(ground.repository, { url: ground.url })
    armMirror()
    await addWorktree(work())
    expect(fs.readFileSync(path.join(place, 'b.md'), 'utf8')).toBe('POINTER\n')
    fs.utimesSync(path.join(place, 'b.md'), new Date(), new Date(0))
    expect(await takeInventory(work())).toMatchObject({ uncommitted: [] })
    expect(ran()).toEqual([])
  })

  it('hold: the ssh command is theirs, and not the one of the mirror', async () => {
    await openMirror(ground.repository, { url: ground.url })
    armMirror()
    ground.git(ground.root, 'config', '--global', 'core.sshCommand', trap('users-ssh', 'exit 1'))
    const url = 'ssh://git@forge.test/owner/repo.git'
    await expect(openMirror(ground.repository, { url })).rejects.toMatchObject({ code: 'fetch_failed' })
    expect(ran()).toEqual(['users-ssh'])
  })
})

describe('a remote that asks for something', () => {
  const asked = async (url: string) => {
    await openMirror(ground.repository, { url: ground.url })
    armMirror()
    ground.git(ground.mirror, 'config', `credential.${new URL(url).origin}.helper`, trap('credential-helper-of-host'))
    await expect(openMirror(ground.repository, { url })).rejects.toMatchObject({ code: 'fetch_failed' })
  }

  it("asks the user's credential helper and none of the mirror's", async () => {
    ground.git(ground.root, 'config', '--global', 'credential.helper', trap('users-helper'))
    const closed = http.createServer((_, response) =>
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end(),
    )
    await once(closed.listen(0, '127.0.0.1'), 'listening')
    try {
      await asked(`http://127.0.0.1:${(closed.address() as AddressInfo).port}/owner/repo.git`)
    } finally {
      closed.closeAllConnections()
      closed.close()
    }
    expect(ran()).toEqual(['users-helper'])
  })

  it("goes through no proxy of the mirror's", async () => {
    await asked('git://127.0.0.1:1/owner/repo.git')
    expect(ran()).toEqual([])
  })
})

describe('what a repository holds', () => {
  it('runs nothing and writes nothing outside of its worktree', async () => {
    const outside = at('outside')
    fs.mkdirSync(outside)
    ground.push('main', {
      '.gitattributes': '* filter=evil diff=evil merge=evil ident export-subst\n*.enc working-tree-encoding=UTF-16\n',
      '.gitmodules': [
        '[submodule "evil"]',
        '\tpath = evil',
        `\turl = ext::${trap('ext')}`,
        '\tbranch = --upload-pack=x',
        '[submodule "-x"]',
        '\tpath = -x',
        `\turl = --upload-pack=${trap('upload-pack')}`,
        '[submodule "../../x"]',
        '\tpath = up',
        `\turl = file://${ground.remote}`,
        `\tupdate = !${trap('update')}`,
      ].join('\n'),
      '.gitconfig': `[core]\n\tfsmonitor = ${trap('gitconfig')}\n`,
      'hooks/post-checkout': '#!/bin/sh\n: > ran\n',
      [`${'n'.repeat(250)}`]: 'a long name\n',
      'A.txt': 'upper\n',
      '--upload-pack=x': 'named like an option\n',
      '-rf': 'x\n',
    })
    const author = at('author')
    fs.symlinkSync(outside, path.join(author, 'link'))
    fs.symlinkSync('/etc/passwd', path.join(author, 'passwd'))
    ground.git(author, 'add', 'link', 'passwd')
    ground.git(author, 'update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},evil`)
    ground.git(author, 'commit', '--quiet', '--message', 'Links and a submodule')
    ground.git(author, 'push', '--quiet', 'origin', 'main')
    await wholeLife()
    expect(ran()).toEqual([])
    expect(fs.readdirSync(outside)).toEqual([])
    const two = ground.worktree('two')
    expect(fs.lstatSync(path.join(two, 'link')).isSymbolicLink()).toBe(true)
    expect(fs.existsSync(path.join(two, '-rf'))).toBe(true)
  })

  it.each([
    ['with .git in its tree', '.git'],
    ['with .GIT in its tree', '.GIT'],
    ['with .. in its tree', '..'],
    ['with git~1 in its tree', 'git~1'],
  ])('%s does not reach the git directory', async (_, name) => {
    const author = at('author')
    const blob = execFileSync('git', ['hash-object', '-w', '--stdin'], {
      cwd: author,
      env: ground.env,
      input: `[core]\n\tfsmonitor = ${trap('tree')}\n`,
      encoding: 'utf8',
    }).trim()
    const tree = (entry: string) =>
      execFileSync('git', ['mktree'], { cwd: author, env: ground.env, input: entry, encoding: 'utf8' }).trim()
    const inner = tree(`100644 blob ${blob}\tconfig\n`)
    const bad = tree(`040000 tree ${inner}\t${name}\n100644 blob ${blob}\tz.txt\n`)
    const commit = ground.git(author, 'commit-tree', '-m', 'A tree that git would not make', bad)
    ground.git(author, 'push', '--quiet', '--force', 'origin', `${commit}:refs/heads/main`)
    await openMirror(ground.repository, { url: ground.url })
    const before = fs.readFileSync(path.join(ground.mirror, 'config'), 'utf8')
    const made = await addWorktree(work()).then(
      () => 'made',
      (error: unknown) => (error as { code?: string }).code,
    )
    expect(['made', 'checkout_failed']).toContain(made)
    await takeInventory(work())
    expect(ran()).toEqual([])
    expect(fs.readFileSync(path.join(ground.mirror, 'config'), 'utf8')).toBe(before)
    expect(fs.existsSync(path.join(path.dirname(place), 'config'))).toBe(false)
  })

  it('may have branches whose names look like options, and a strange default branch', async () => {
    const author = at('author')
    const odd = ['--upload-pack=x', '-x', '@{-1}x', 'a;touch x', '$(touch x)', 'ö"q', `${'l'.repeat(150)}`]
    const taken = odd.filter((name) => {
      try {
        ground.git(ground.remote, 'update-ref', `refs/heads/${name}`, ground.git(author, 'rev-parse', 'HEAD'))
        return true
      } catch {
        return false // git itself has no such name
      }
    })
    expect(taken).toEqual(
      expect.arrayContaining(['--upload-pack=x', '-x', 'a;touch', 'ö"q'].filter((n) => odd.includes(n))),
    )
    for (const name of taken) {
      ground.git(ground.remote, 'symbolic-ref', 'HEAD', `refs/heads/${name}`)
      fs.rmSync(ground.mirror, { recursive: true, force: true })
      const mirror = await openMirror(ground.repository, { url: ground.url })
      expect(mirror.defaultBranch).toBe(name)
      const directory = ground.worktree(`odd-${odd.indexOf(name)}`)
      await addWorktree({ ...work(), path: directory })
      expect(fs.existsSync(path.join(directory, 'a.txt'))).toBe(true)
      await addWorktree({ ...work(), path: `${directory}-base`, branch: 'fix/issue-3', base: name })
    }
    expect(fs.existsSync(path.join(ground.root, 'x'))).toBe(false)
  })
})
