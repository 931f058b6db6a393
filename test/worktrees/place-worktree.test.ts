import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { placeWorktree, type PlaceWorktreeOptions } from '../../src/worktrees/place-worktree.ts'
import { createGround, type Ground } from '../helpers/git-repository.ts'
import { waitFor } from '../helpers/wait-for.ts'

let ground: Ground
beforeEach(() => {
  ground = createGround({ 'a.txt': 'one\n' })
  fs.writeFileSync(at('ssh'), heldSsh, { mode: 0o700 })
})
afterEach(() => ground.cleanup())

/** In the place of ssh: runs what git wants to have run over there, as soon as `gate` exists; fails when it says so, or the test is over. */
const heldSsh = `#!/bin/sh
here=\${0%/*}
touch "$here/asked"
while [ ! -e "$here/gate" ]; do
  [ -e "$here/asked" ] || exit 1
  sleep 0.02
done
[ "$(cat "$here/gate")" = closed ] && exit 1
shift $(($# - 1))
exec sh -c "$1"
`

const at = (name: string) => path.join(ground.root, name)
const place = (name: string, more: Partial<PlaceWorktreeOptions> = {}) =>
  placeWorktree({
    mirror: ground.repository,
    url: ground.url,
    path: ground.worktree(name),
    branch: `fix/${name}`,
    ...more,
  })
/** The same, with a remote that answers when it is told to. `placed` resolves when all files are there. */
const placeHeld = (name: string, more: Partial<PlaceWorktreeOptions> = {}, signal?: AbortSignal) => {
  let placed = () => {}
  const isPlaced = new Promise<void>((resolve) => (placed = resolve))
  const mirror = ground.repository.with({ env: { ...ground.env, GIT_SSH_COMMAND: at('ssh') }, signal })
  const result = place(name, { url: `ssh://there${ground.remote}`, mirror, onPlaced: placed, ...more })
  result.catch(() => {}) // the test looks at it later
  return { isPlaced, result }
}
const answer = (how: 'open' | 'closed') => fs.writeFileSync(at('gate'), how)
const inside = (name: string, ...args: string[]) => ground.git(ground.worktree(name), ...args)
const inMirror = (...args: string[]) => ground.git(ground.mirror, ...args)
const head = (name: string) => inside(name, 'rev-parse', 'HEAD')
const expectNothing = (name: string) => {
  expect(fs.existsSync(ground.worktree(name))).toBe(false)
  expect(inMirror('worktree', 'list', '--porcelain')).not.toContain(`/${name}`)
  expect(inMirror('branch', '--list', `fix/${name}`)).toBe('')
}
const expectWhole = (name: string) => {
  expect(inside(name, 'status', '--porcelain', '--branch')).toMatch(new RegExp(`^## fix/${name}(\\.\\.\\.\\S+)?$`))
  expect(inside(name, 'worktree', 'list', '--porcelain')).not.toContain('locked')
}

describe('placeWorktree', () => {
  it('clones, then has the worktree ready before the remote has answered', async () => {
    expect(await place('one')).toMatchObject({ created: true, moved: false, isUntouched: true, told: false })
    expectWhole('one')
    const { isPlaced, result } = placeHeld('two')
    await isPlaced
    expectWhole('two')
    answer('open')
    expect(await result).toEqual({
      created: true,
      moved: false,
      isOfRemote: true,
      isUntouched: true,
      branchCreated: true,
      branch: 'fix/two',
      baseBranch: 'main',
      head: ground.git(ground.remote, 'rev-parse', 'main'),
      told: true,
    })
  })

  it('asks git nothing more when the remote has nothing new', async () => {
    await place('one')
    const trace = at('trace')
    await place('two', { mirror: ground.repository.with({ env: { ...ground.env, GIT_TRACE2_EVENT: trace } }) })
    const begun = calls(trace).filter((call) => call.startsWith('start'))
    expect(begun.sort()).toEqual(['start fetch', 'start reset'])
  })

  it('where git has to register it, fetches after that: git would stumble over an entry that is half made', async () => {
    await place('one')
    ground.git(ground.worktree('one'), 'sparse-checkout', 'set', '--cone')
    ground.push('main', { 'a.txt': 'two\n' })
    const trace = at('trace')
    await place('two', { mirror: ground.repository.with({ env: { ...ground.env, GIT_TRACE2_EVENT: trace } }) })
    const order = calls(trace)
    expect(order.indexOf('start fetch')).toBeGreaterThan(order.indexOf('end worktree add'))
    expect(order).toContain('end worktree add')
    expectWhole('two')
  })

  it('moves it to what the remote has by then', async () => {
    await place('one')
    const { isPlaced, result } = placeHeld('two')
    await isPlaced
    const newest = ground.push('main', { 'a.txt': 'two\n' })
    answer('open')
    expect(await result).toMatchObject({ created: true, moved: true, branchCreated: true, head: newest, told: true })
    expect(head('two')).toBe(newest)
    expectWhole('two')
  })

  it('moves it onto the branch that the remote has by then, and follows that', async () => {
    await place('one')
    const { isPlaced, result } = placeHeld('two')
    await isPlaced
    const theirs = ground.push('fix/two', { 'b.txt': 'b' })
    answer('open')
    expect(await result).toMatchObject({ moved: true, isUntouched: false, head: theirs })
    expect(inside('two', 'rev-parse', '--abbrev-ref', '@{upstream}')).toBe('origin/fix/two')
  })

  it('moves it away from a commit that the remote has taken back', async () => {
    const before = ground.git(ground.remote, 'rev-parse', 'main')
    ground.push('main', { 'mistake.txt': 'x' })
    await place('one')
    const { isPlaced, result } = placeHeld('two')
    await isPlaced
    expect(fs.existsSync(path.join(ground.worktree('two'), 'mistake.txt'))).toBe(true)
    ground.git(ground.remote, 'update-ref', 'refs/heads/main', before)
    answer('open')
    expect(await result).toMatchObject({ moved: true, isUntouched: true, head: before })
    expect(fs.existsSync(path.join(ground.worktree('two'), 'mistake.txt'))).toBe(false)
  })

  it('leaves it as it is when somebody has worked in it meanwhile', async () => {
    await place('one')
    const { isPlaced, result } = placeHeld('two')
    await isPlaced
    fs.writeFileSync(path.join(ground.worktree('two'), 'mine.txt'), 'mine')
    ground.push('main', { 'a.txt': 'two\n' })
    answer('open')
    expect(await result).toMatchObject({ created: true, moved: false, isUntouched: false })
    expect(fs.readFileSync(path.join(ground.worktree('two'), 'mine.txt'), 'utf8')).toBe('mine')
  })

  it('keeps the commits of a local branch, and brings up one that has none', async () => {
    await place('one')
    const own = inMirror('commit-tree', 'origin/main^{tree}', '-p', 'origin/main', '-m', 'Not pushed yet')
    inMirror('branch', '--no-track', 'fix/two', own)
    inMirror('branch', '--no-track', 'fix/three', 'origin/main')
    const newest = ground.push('main', { 'a.txt': 'two\n' })
    expect(await place('two')).toMatchObject({ created: true, isUntouched: false, branchCreated: false, head: own })
    expect(await place('three')).toMatchObject({ created: true, isUntouched: true, branchCreated: false, head: newest })
    inMirror('branch', '--no-track', 'fix/four', 'origin/main~1')
    expect(await place('four')).toMatchObject({ created: true, isUntouched: true, head: newest })
    expect([head('two'), head('three'), head('four')]).toEqual([own, newest, newest])
  })

  it('takes the worktree that is there, moved up if nobody has worked in it, and tells of none', async () => {
    const told: unknown[] = []
    await place('one')
    const newest = ground.push('main', { 'a.txt': 'two\n' })
    const again = await place('one', { onPlaced: (made) => told.push(made) })
    expect(again).toMatchObject({ created: false, moved: true, head: newest, told: false })
    expect([head('one'), told]).toEqual([newest, []])
  })

  it('begins where the base is, also when only the remote has that', async () => {
    await place('one')
    const next = ground.push('next', { 'n.txt': 'n' })
    expect(await place('two', { base: 'next' })).toMatchObject({ created: true, baseBranch: 'next', head: next })
    expect(await place('three', { base: 'next' })).toMatchObject({ created: true, baseBranch: 'next', head: next })
  })

  it('asks git where the files of the mirror do not tell', async () => {
    await place('one')
    // As git leaves it when it deletes a branch fix/two/parts.
    fs.mkdirSync(path.join(ground.mirror, 'refs', 'heads', 'fix', 'two'))
    const { isPlaced, result } = placeHeld('two')
    await isPlaced
    answer('open')
    expect(await result).toMatchObject({ created: true, isUntouched: true, told: true })
    expectWhole('two')
  })

  it('takes another name for the branch beside one that leaves no room, here and at the remote', async () => {
    await place('one')
    inside('one', 'branch', '--move', 'fix')
    const made = { created: true, isUntouched: true, branchCreated: true, branch: 'fix-two' }
    expect(await place('two')).toMatchObject(made)
    expect(inside('two', 'symbolic-ref', '--short', 'HEAD')).toBe('fix-two')
    const newest = ground.push('main', { 'a.txt': 'two\n' })
    expect(await place('two')).toMatchObject({ created: false, moved: true, branch: 'fix-two', head: newest })
    inside('one', 'branch', '--move', 'other')
    ground.push('fix', { 'b.txt': 'b' })
    inMirror('fetch', '--quiet', 'origin')
    expect(await place('three')).toMatchObject({ created: true, branch: 'fix-three' })
    expect(inside('three', 'push', '--porcelain', 'origin', 'HEAD')).toContain('refs/heads/fix-three')
  })

  it('says which worktree is in the way where the remote has work on the branch', async () => {
    await place('one')
    inside('one', 'branch', '--move', 'fix')
    ground.push('fix/two', { 'b.txt': 'b' })
    await expect(place('two')).rejects.toMatchObject({
      code: 'branch_in_use',
      message: `branch fix/two cannot be made beside the branch fix, which is checked out in ${ground.worktree('one')}`,
    })
    expect(fs.existsSync(ground.worktree('two'))).toBe(false)
  })

  it('makes eight at once of a repository that others push to', async () => {
    await place('first')
    const names = Array.from({ length: 8 }, (_, number) => `issue-${number}`)
    const placed = names.map((name) => place(name))
    const newest = ground.push('main', { 'a.txt': 'two\n' })
    expect((await Promise.all(placed)).map(({ created }) => created)).toEqual(names.map(() => true))
    names.forEach(expectWhole)
    expect(await place('last')).toMatchObject({ head: newest })
  })
})

describe('placeWorktree fails', () => {
  it('with the remote, and what it had made is gone', async () => {
    await place('one')
    const { result } = placeHeld('two', { onPlaced: undefined })
    const files = path.join(ground.worktree('two'), 'a.txt')
    await waitFor('the worktree', () => fs.existsSync(files))
    answer('closed')
    await expect(result).rejects.toMatchObject({ code: 'fetch_failed' })
    expectNothing('two')
    expect(await place('two')).toMatchObject({ created: true, branchCreated: true })
  })

  it('with the remote, and leaves to its caller what that knows of', async () => {
    await place('one')
    const { isPlaced, result } = placeHeld('two')
    await isPlaced
    answer('closed')
    await expect(result).rejects.toMatchObject({ code: 'fetch_failed' })
    expectWhole('two')
  })

  it('when interrupted, and what it had made is gone', async () => {
    await place('one')
    const stop = new AbortController()
    const { result } = placeHeld('two', { onPlaced: undefined }, stop.signal)
    await waitFor('the remote to be asked', () => fs.existsSync(at('asked')))
    stop.abort()
    await expect(result).rejects.toMatchObject({ code: 'interrupted' })
    expectNothing('two')
  })

  it('when the base is gone by then, and what it had made is gone', async () => {
    ground.git(ground.remote, 'branch', 'next', 'main')
    await place('one')
    ground.git(ground.remote, 'branch', '-D', 'next')
    await expect(place('two', { base: 'next' })).rejects.toMatchObject({ code: 'unknown_base' })
    expectNothing('two')
  })

  it('where something else is, which it does not touch', async () => {
    await place('one')
    fs.mkdirSync(ground.worktree('two'))
    fs.writeFileSync(path.join(ground.worktree('two'), 'notes.txt'), 'mine')
    await expect(place('two')).rejects.toMatchObject({ code: 'path_taken' })
    expect(fs.readdirSync(ground.worktree('two'))).toEqual(['notes.txt'])
  })
})

/** The commands of git in the order in which they began and ended, of those that kugetsu itself has run. */
function calls(trace: string): string[] {
  const names = new Map<string, string>()
  return fs
    .readFileSync(trace, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => {
      const event = JSON.parse(line) as { event: string; sid: string; argv?: string[] }
      if (event.sid.includes('/')) return []
      if (event.event === 'start') {
        const words = event.argv?.slice(1) ?? []
        const first = words.findIndex((word, index) => !word.startsWith('-') && words[index - 1] !== '-c')
        names.set(event.sid, words.slice(first, words[first] === 'worktree' ? first + 2 : first + 1).join(' '))
        return [`start ${names.get(event.sid)}`]
      }
      return event.event === 'exit' ? [`end ${names.get(event.sid)}`] : []
    })
}
