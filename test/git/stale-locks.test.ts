import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { clearDeadLocks } from '../../src/git/stale-locks.ts'

let root: string
let worktree: string
const git = (cwd: string, ...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@example.com', ...args], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim()
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-locks-'))
  const main = path.join(root, 'main')
  git(root, 'init', '-q', '-b', 'main', main)
  git(main, 'commit', '-q', '--allow-empty', '-m', 'first')
  worktree = path.join(root, 'tree')
  git(main, 'worktree', 'add', '-q', '-b', 'fix/issue-1', worktree)
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

const commit = () => git(worktree, 'commit', '-q', '--allow-empty', '-m', 'second')

describe('the locks that a killed git left in a worktree', () => {
  it('are removed, and the next commit goes well', async () => {
    const names = ['index.lock', 'HEAD.lock', 'refs/heads/fix/issue-1.lock']
    const locks = names.map((name) => path.resolve(worktree, git(worktree, 'rev-parse', '--git-path', name)))
    for (const lock of locks) {
      fs.writeFileSync(lock, '')
      expect(commit, lock).toThrow()
      expect(await clearDeadLocks(worktree, undefined)).toEqual([lock])
      commit()
    }
    expect(await clearDeadLocks(worktree, undefined)).toEqual([])
  })

  it('stay while somebody works with them', async () => {
    const lock = path.resolve(worktree, git(worktree, 'rev-parse', '--git-path', 'index.lock'))
    fs.writeFileSync(lock, '')
    const cleared = clearDeadLocks(worktree, undefined)
    fs.writeFileSync(lock, 'more')
    expect(await cleared).toEqual([])
    expect(fs.existsSync(lock)).toBe(true)
  })

  it('are looked for in a clone too, and nowhere without one', async () => {
    const main = path.join(root, 'main')
    fs.writeFileSync(path.join(main, '.git', 'index.lock'), '')
    expect(await clearDeadLocks(main, undefined)).toEqual([path.join(main, '.git', 'index.lock')])
    expect(await clearDeadLocks(root, undefined)).toEqual([])
  })
})
