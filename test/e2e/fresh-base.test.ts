/** A worktree is made from what the mirror has while the remote is asked: what the remote says is what counts. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await setStage()
  await stage.ok(['start', ref(1), 'SAY{{makes the mirror}}', '--wait'])
})
afterAll(() => stage.cleanup())

const mirror = () => path.join(stage.home.kugetsuDir, 'repos', 'forge.test', 'me', 'app.git')
const git = (directory: string, ...args: string[]) =>
  execFileSync('git', args, { cwd: directory, env: stage.home.env, encoding: 'utf8' }).trim()
const remote = (...args: string[]) => git(stage.git.pathOf('me/app'), ...args)
const head = (number: number) => git(stage.worktree(number), 'rev-parse', 'HEAD')
const begin = (number: number) => stage.ok(['start', ref(number), `SAY{{did ${number}}}`, '--wait'])

it('leaves nothing of it when the remote is away', async () => {
  const { code, stderr } = await stage.kugetsu(['start', 'forge.test/me/app#7', 'x', '--base', 'nowhere'])
  expect([code, stderr]).toEqual([1, expect.stringContaining('no branch "nowhere"')])
  const place = stage.git.pathOf('me/app')
  fs.renameSync(place, `${place}.away`)
  try {
    for (const number of [8, 9, 10]) expect((await stage.kugetsu(['start', ref(number), 'x'])).code).toBe(1)
  } finally {
    fs.renameSync(`${place}.away`, place)
  }
  expect([fs.existsSync(stage.worktree(7)), fs.existsSync(stage.worktree(8))]).toEqual([false, false])
  expect(git(mirror(), 'branch', '--list', '--format=%(refname:short)', 'fix/issue-8')).toBe('')
  // opencode was about to read a directory that was gone again, and would remember that.
  for (const number of [8, 9, 10]) await begin(number)
})

it('begins at the newest commit, with what opencode is told there', async () => {
  const newest = stage.git.commit('me/app', 'main', { 'AGENTS.md': 'RULES OF TODAY' })
  await begin(2)
  expect(head(2)).toBe(newest)
  expect(JSON.stringify(stage.model.turns('did 2')[0])).toContain('RULES OF TODAY')
})

it('goes on from the branch that somebody has pushed since, and follows it', async () => {
  const pushed = stage.git.commit('me/app', 'fix/issue-3', { 'theirs.txt': 'theirs' })
  await begin(3)
  expect(head(3)).toBe(pushed)
  expect(git(stage.worktree(3), 'rev-parse', '--abbrev-ref', '@{upstream}')).toBe('origin/fix/issue-3')
})

it('does not begin at a branch that the remote has dropped since', async () => {
  stage.git.commit('me/app', 'fix/issue-4', { 'merged.txt': 'merged and gone' })
  git(mirror(), 'fetch', '-q', 'origin')
  remote('update-ref', '-d', 'refs/heads/fix/issue-4')
  await begin(4)
  expect(head(4)).toBe(remote('rev-parse', 'main'))
  expect(fs.existsSync(path.join(stage.worktree(4), 'merged.txt'))).toBe(false)
})

it('does not begin at a commit that the remote has taken back', async () => {
  const before = remote('rev-parse', 'main')
  stage.git.commit('me/app', 'main', { 'mistake.txt': 'mistake' })
  git(mirror(), 'fetch', '-q', 'origin')
  remote('update-ref', 'refs/heads/main', before)
  await begin(5)
  expect(head(5)).toBe(before)
})

it('keeps the commits that a local branch has of its own', async () => {
  const tree = git(mirror(), 'rev-parse', 'origin/main^{tree}')
  const own = git(mirror(), 'commit-tree', tree, '-p', 'origin/main', '-m', 'Not pushed yet')
  git(mirror(), 'branch', 'fix/issue-6', own)
  stage.git.commit('me/app', 'main', { 'later.txt': 'later' })
  await begin(6)
  expect(head(6)).toBe(own)
})

it('leaves no process behind', async () => {
  await stage.home.cleanup()
  expect(leftovers(stage.home.root)).toEqual([])
})
