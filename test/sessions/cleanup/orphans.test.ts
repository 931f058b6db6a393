import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tryExclusive } from '../../../src/platform/locks.ts'
import { openQueue } from '../../../src/queue/file-queue.ts'
import { destroyIssue } from '../../../src/sessions/cleanup/destroy.ts'
import type { Orphan } from '../../../src/sessions/cleanup/orphan.ts'
import { findOrphans } from '../../../src/sessions/cleanup/orphans.ts'
import { listSaved, recoverWork } from '../../../src/sessions/cleanup/recover.ts'
import { changeIndex, changeSession, forgetSession, readIndex, readSession } from '../../../src/sessions/file/store.ts'
import { createIssueGround, type IssueGround } from '../../helpers/issue-ground.ts'

let ground: IssueGround
beforeEach(() => {
  ground = createIssueGround({ 'a.txt': 'one\n', '.gitignore': '*.log\n' })
})
afterEach(() => ground.cleanup())

const orphans = () => findOrphans(ground.service, readIndex(ground.service)!)
const found = async () => (await orphans()).map(({ kind, what }) => [kind, path.basename(what)])
async function only(kind: Orphan['kind']): Promise<Orphan> {
  const [one, ...more] = (await orphans()).filter((each) => each.kind === kind)
  if (one === undefined || more.length > 0) throw new Error(`not one ${kind}: ${JSON.stringify(await found())}`)
  return one
}
const mirror = () => ground.service.paths.mirror({ host: 'forge.test', owner: 'me', repo: 'app' })
const write = (place: string, file: string, text = file) => fs.writeFileSync(path.join(place, file), text)
const commit = (place: string, file: string) => {
  write(place, file)
  ground.git(place, 'add', file)
  ground.git(place, 'commit', '--quiet', '--message', `Add ${file}`)
}

it('nothing is left over where every session has what it needs', async () => {
  await ground.issue(1)
  expect(await found()).toEqual([])
})

describe('a worktree that no session names', () => {
  it('goes when nothing in it would be lost, its branch and what is ignored kept safe', async () => {
    const { name, path: place } = await ground.issue(1)
    await ground.issue(2)
    write(place, 'x.log')
    await forgetSession(ground.service, name)
    const orphan = await only('worktree')
    expect(orphan).toMatchObject({ issueRef: 'forge.test/me/app#1', what: place })
    expect((await orphan.look()).reasons).toEqual([])
    await orphan.remove()
    expect(fs.existsSync(place)).toBe(false)
    expect(await found()).toEqual([])
    const [saved] = await listSaved(ground.service)
    await recoverWork(ground.service, saved!, {})
    expect(fs.readFileSync(path.join(place, 'x.log'), 'utf8')).toBe('x.log')
    expect(readSession(ground.service, name)).toMatchObject({ worktree_path: place, state: 'idle' })
  })

  it('stays with work in it, while somebody is at it, and when it is nothing that is known', async () => {
    const { name, path: place } = await ground.issue(1)
    await forgetSession(ground.service, name)
    const orphan = await only('worktree')
    const release = tryExclusive(ground.service.paths.lock(`issue-${name}`))
    await expect(orphan.remove()).rejects.toMatchObject({ code: 'busy' })
    release?.()
    write(place, 'new.txt')
    expect(await orphan.look()).toMatchObject({ reasons: ['1 untracked file: new.txt'], isUnclear: false })
    await expect(orphan.remove()).rejects.toMatchObject({ code: 'work_at_risk' })
    expect(fs.readFileSync(path.join(place, 'new.txt'), 'utf8')).toBe('new.txt')
    fs.mkdirSync(ground.file('worktrees', 'mine'))
    write(ground.file('worktrees', 'mine'), 'file')
    const mine = (await orphans()).find(({ what }) => path.basename(what) === 'mine')
    expect(await mine?.look()).toMatchObject({
      reasons: ['cannot tell what is in it: it is not a git worktree'],
      isUnclear: true,
    })
    await expect(mine?.remove()).rejects.toMatchObject({ code: 'work_at_risk' })
  })

  it('is none while a task waits for it, which it may be prepared for', async () => {
    const { name } = await ground.issue(1)
    await forgetSession(ground.service, name)
    const queue = openQueue(ground.service)
    const { id } = await queue.add({ issue_ref: 'forge.test/me/app#1', message: 'do it' })
    expect(await found()).toEqual([])
    await queue.remove([id], () => true)
    await only('worktree')
  })

  it('stays when a session has it by the time it is to go', async () => {
    const { name, path: place } = await ground.issue(1)
    await forgetSession(ground.service, name)
    const orphan = await only('worktree')
    await ground.issue(1)
    await expect(orphan.remove()).rejects.toThrow(/a session uses it now/)
    expect(fs.existsSync(place)).toBe(true)
  })

  it('stays when its session file could not be understood', async () => {
    const { name } = await ground.issue(1)
    fs.writeFileSync(path.join(ground.service.paths.sessions, `${name}.json`), 'damaged')
    for (const orphan of await orphans()) {
      expect((await orphan.look()).reasons).toEqual([expect.stringMatching(/^cannot tell what its session file says/)])
    }
    expect((await found()).map(([kind]) => kind)).toEqual(['index_entry', 'worktree'])
  })

  it('stays outside of the home, where the bash tool put its own', async () => {
    const { name } = await ground.issue(1)
    const root = path.join(ground.root, '.kugetsu-worktrees')
    ground.git(ground.root, 'clone', '--quiet', ground.remote, path.join(root, 'one'))
    ground.git(ground.root, 'clone', '--quiet', ground.remote, path.join(root, 'two'))
    await changeSession(
      ground.service,
      name,
      (current) => current && { ...current, worktree_path: path.join(root, 'one') },
    )
    const outside = (await orphans()).filter(({ what }) => what.startsWith(root))
    expect(outside.map(({ what }) => path.basename(what))).toEqual(['two'])
    expect((await outside[0]?.look())?.reasons).toEqual([expect.stringContaining('outside of this home')])
  })
})

describe('a session file that is in no index', () => {
  const loseIndex = () => changeIndex(ground.service, (index) => ({ ...index, issues: {} }))

  it('goes with its worktree when nothing would be lost, and stays otherwise or with an agent at work', async () => {
    const { name, path: place } = await ground.issue(1)
    await loseIndex()
    commit(place, 'mine.txt')
    expect((await (await only('session_file')).look()).reasons).toEqual(['1 unpushed commit: Add mine.txt'])
    ground.git(place, 'push', '--quiet')
    await changeSession(ground.service, name, (current) => current && { ...current, state: 'starting' })
    expect((await (await only('session_file')).look()).reasons).toEqual(['an agent is at work on it'])
    await changeSession(ground.service, name, (current) => current && { ...current, state: 'idle' })
    await (await only('session_file')).remove()
    expect([fs.existsSync(place), readSession(ground.service, name)]).toEqual([false, undefined])
  })

  it('goes alone where another session has the same worktree', async () => {
    const { path: place, name } = await ground.issue(1)
    write(place, 'new.txt')
    await changeSession(ground.service, 'copy', () => ({ ...readSession(ground.service, name)!, note: 'a copy' }))
    const orphan = await only('session_file')
    expect((await orphan.look()).reasons).toEqual([])
    await orphan.remove()
    expect([readSession(ground.service, 'copy'), fs.existsSync(path.join(place, 'new.txt'))]).toEqual([undefined, true])
    expect(await found()).toEqual([])
  })
})

it('a mirror with an unreadable entry is named and stays, with its worktrees, and the rest is still found', async () => {
  const { name, path: place } = await ground.issue(1)
  const { name: other, path: gone } = await ground.issue(2)
  await forgetSession(ground.service, name)
  fs.rmSync(gone, { recursive: true })
  await changeIndex(ground.service, (index) => ({ ...index, issues: { 'forge.test/me/app#9': 'gone.json' } }))
  const head = path.join(mirror(), 'worktrees', path.basename(gone), 'HEAD')
  fs.rmSync(head)
  fs.mkdirSync(head)
  const warnings: string[] = []
  const home = { ...ground.service, warn: (text: string) => warnings.push(text) }
  const all = await findOrphans(home, readIndex(home)!)
  expect(all.map(({ kind, what }) => [kind, path.basename(what)])).toEqual([
    ['session_file', `${other}.json`],
    ['index_entry', 'app#9'],
    ['worktree', path.basename(place)],
  ])
  expect(warnings).toEqual([expect.stringContaining(mirror())])
  const worktree = all.at(-1)!
  expect(await worktree.look()).toMatchObject({ isUnclear: true })
  await expect(worktree.remove()).rejects.toMatchObject({ code: 'work_at_risk' })
  expect(fs.existsSync(path.join(place, 'a.txt'))).toBe(true)
})

describe('an entry of a worktree that is gone', () => {
  it('goes, with its branch kept; but not with what only it has', async () => {
    const { path: one } = await ground.issue(1)
    const { path: two } = await ground.issue(2)
    const { path: three } = await ground.issue(3)
    commit(one, 'mine.txt')
    ground.git(two, 'checkout', '--quiet', '--detach')
    commit(two, 'detached.txt')
    write(three, 'a.txt', 'staged')
    ground.git(three, 'add', 'a.txt')
    const head = ground.git(one, 'rev-parse', 'HEAD')
    for (const place of [one, two, three]) fs.rmSync(place, { recursive: true })
    const entries = (await orphans()).filter(({ kind }) => kind === 'registration')
    expect(await Promise.all(entries.map(async (entry) => (await entry.look()).reasons))).toEqual([
      [],
      ['its detached HEAD has unpushed commits (1)'],
      ['changes were staged in it'],
    ])
    await entries[0]?.remove()
    await expect(entries[1]?.remove()).rejects.toMatchObject({ code: 'work_at_risk' })
    expect(fs.readdirSync(path.join(mirror(), 'worktrees'))).toHaveLength(2)
    expect(ground.git(mirror(), 'rev-parse', 'fix/issue-1')).toBe(head)
  })

  it('goes when a killed "git worktree add" left it locked; one that was locked on purpose stays', async () => {
    const { path: one } = await ground.issue(1)
    const { path: two } = await ground.issue(2)
    ground.git(two, 'worktree', 'lock', '--reason', 'on a disk that is away', two)
    fs.writeFileSync(path.join(mirror(), 'worktrees', path.basename(one), 'locked'), 'initializing')
    for (const place of [one, two]) fs.rmSync(place, { recursive: true })
    const entries = (await orphans()).filter(({ kind }) => kind === 'registration')
    expect(await Promise.all(entries.map(async (entry) => (await entry.look()).reasons))).toEqual([
      [],
      ['it is locked: on a disk that is away'],
    ])
    await entries[0]?.remove()
    expect(fs.readdirSync(path.join(mirror(), 'worktrees'))).toEqual([path.basename(two)])
  })
})

describe('a mirror that nothing uses', () => {
  it('goes once its remote has answered, and with nothing in it that is not there', async () => {
    const { name, path: place } = await ground.issue(1)
    commit(place, 'mine.txt')
    await destroyIssue(ground.service, name, { force: true })
    const unused = await only('mirror')
    expect((await unused.look()).reasons).toEqual(['saved work is based on it (1): kugetsu recover'])
    ground.service.clock.now = new Date(ground.service.clock.now.getTime() + 31 * 86_400_000)
    const expired = await only('recovery')
    expect(expired.issueRef).toBe('forge.test/me/app#1')
    await expired.remove()
    expect(await found()).toEqual([['mirror', 'app.git']])
    fs.renameSync(ground.remote, `${ground.remote}.away`)
    await expect(unused.remove()).rejects.toMatchObject({ code: 'fetch_failed' })
    expect(fs.existsSync(mirror())).toBe(true)
    fs.renameSync(`${ground.remote}.away`, ground.remote)
    ground.git(mirror(), 'branch', 'other', 'origin/main')
    ground.git(ground.root, '-C', mirror(), 'update-ref', 'refs/heads/other', newCommit())
    expect((await unused.look()).reasons).toEqual(['unpushed commits are in it (1)'])
    await expect(unused.remove()).rejects.toMatchObject({ code: 'work_at_risk' })
    ground.git(mirror(), 'branch', '-D', 'other')
    await unused.remove()
    expect(fs.existsSync(mirror())).toBe(false)
    expect((await ground.issue(1)).path).toBe(place)
  })

  it('stays with a tag that was never pushed, and goes with those that were', async () => {
    const { name, path: place } = await ground.issue(1)
    for (const tag of ['pushed', 'mine']) ground.git(place, 'tag', '-a', tag, '-m', `release notes of ${tag}`)
    ground.git(place, 'tag', 'light')
    ground.git(place, 'push', '--quiet', 'origin', 'pushed')
    await destroyIssue(ground.service, name, { force: false })
    const unused = await only('mirror')
    expect((await unused.look()).reasons).toEqual([])
    const error = { code: 'work_at_risk', message: 'it has what its remote is not known to have (refs/tags/mine)' }
    await expect(unused.remove()).rejects.toMatchObject(error)
    expect(ground.git(mirror(), 'cat-file', '-p', 'mine')).toContain('release notes of mine')
    ground.git(mirror(), 'tag', '-d', 'mine')
    await unused.remove()
    expect(fs.existsSync(mirror())).toBe(false)
  })

  it('stays with a ref that names no commit, and with what git-lfs and git-annex keep in it', async () => {
    const { name } = await ground.issue(1)
    fs.writeFileSync(path.join(ground.root, 'note'), 'a note')
    const blob = ground.git(mirror(), 'hash-object', '-w', path.join(ground.root, 'note'))
    ground.git(mirror(), 'update-ref', 'refs/mine/note', blob)
    ground.git(mirror(), 'update-ref', 'refs/mine/tree', 'origin/main^{tree}')
    await destroyIssue(ground.service, name, { force: false })
    const unused = await only('mirror')
    expect((await unused.look()).reasons).toEqual([
      'it has what its remote is not known to have (refs/mine/note, refs/mine/tree)',
    ])
    for (const ref of ['note', 'tree']) ground.git(mirror(), 'update-ref', '-d', `refs/mine/${ref}`)
    for (const [directory, program] of Object.entries({ 'lfs/objects': 'git-lfs', annex: 'git-annex' })) {
      fs.mkdirSync(path.join(mirror(), directory, 'ab'), { recursive: true })
      expect((await unused.look()).reasons).toEqual([])
      fs.writeFileSync(path.join(mirror(), directory, 'ab', 'x'), 'x')
      expect((await unused.look()).reasons).toEqual([`files of ${program} are in ${path.join(mirror(), directory)}`])
      fs.rmSync(path.join(mirror(), directory, 'ab', 'x'))
    }
    await unused.remove()
    expect(fs.existsSync(mirror())).toBe(false)
  })

  const newCommit = () => ground.git(mirror(), 'commit-tree', '-m', 'x', '-p', 'origin/main', 'origin/main^{tree}')

  it('is none while a session is of its repository', async () => {
    const { name, path: place } = await ground.issue(1)
    fs.rmSync(place, { recursive: true })
    expect(await found()).toEqual([['registration', name]])
  })
})

describe('destroy', () => {
  it('needs no --force for a worktree that is missing, when nothing is lost; and says what would be', async () => {
    const { name, path: place } = await ground.issue(1)
    commit(place, 'mine.txt')
    fs.rmSync(place, { recursive: true })
    const destroy = () => destroyIssue(ground.service, name, { force: false })
    await expect(destroy()).rejects.toThrow('1 unpushed commit: Add mine.txt')
    ground.git(mirror(), 'push', '--quiet', 'origin', 'fix/issue-1')
    expect(await destroy()).toMatchObject({ recovery: undefined })
  })

  it('has the same protection for a clone of its own, and what it had comes back', async () => {
    const { name, path: place } = await ground.issue(1)
    fs.rmSync(place, { recursive: true })
    fs.rmSync(mirror(), { recursive: true })
    const own = path.join(ground.root, '.kugetsu-worktrees', name)
    ground.git(ground.root, 'clone', '--quiet', ground.remote, own)
    ground.git(own, 'checkout', '--quiet', '-b', 'fix/issue-1')
    commit(own, 'mine.txt')
    write(own, 'new.txt')
    await changeSession(ground.service, name, (current) => current && { ...current, worktree_path: own })
    const destroy = (force: boolean) => destroyIssue(ground.service, name, { force })
    await expect(destroy(false)).rejects.toThrow('1 untracked file: new.txt; 1 unpushed commit: Add mine.txt')
    const { recovery } = await destroy(true)
    expect([fs.existsSync(own), readSession(ground.service, name)]).toEqual([false, undefined])
    const [saved] = await listSaved(ground.service)
    expect(saved).toMatchObject({ ref: recovery?.ref, issue: { id: '1' } })
    const back = await recoverWork(ground.service, saved!, {})
    expect(back).toMatchObject({ path: place, branch: 'fix/issue-1', issueRef: 'forge.test/me/app#1' })
    expect(fs.readdirSync(place).sort()).toEqual(['.git', '.gitignore', 'a.txt', 'mine.txt', 'new.txt'])
    await expect(recoverWork(ground.service, saved!, {})).rejects.toMatchObject({ code: 'work_exists' })
    expect((await ground.issue(1)).path).toBe(place)
  })
})
