/** What `destroy` may take away, with and without `--force`: real git, no opencode. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { destroyIssue } from '../../../src/sessions/cleanup/destroy.ts'
import { changeSession } from '../../../src/sessions/file/store.ts'
import { createIssueGround, type IssueGround } from '../../helpers/issue-ground.ts'

let ground: IssueGround
beforeAll(() => void (ground = createIssueGround({ 'a.txt': 'one\n', '.gitignore': '*.db\n' })))
afterAll(() => ground.cleanup())

const destroy = (name: string, force = false) => destroyIssue(ground.service, name, { force })
const mirror = () => path.join(ground.service.paths.repos, 'forge.test', 'me', 'app.git')
const push = (place: string) => {
  ground.git(place, 'commit', '--quiet', '--allow-empty', '--message', 'the work')
  ground.git(place, 'push', '--quiet', 'origin', 'HEAD')
}

it('takes for pushed only what the remote has now', async () => {
  const [deleted, forced] = [await ground.issue(1), await ground.issue(2)]
  for (const { path: place } of [deleted, forced]) push(place)
  ground.git(ground.remote, 'branch', '--quiet', '-D', 'fix/issue-1')
  ground.git(ground.remote, 'branch', '--quiet', '--force', 'fix/issue-2', 'main')
  for (const { name, path: place } of [deleted, forced]) {
    await expect(destroy(name)).rejects.toMatchObject({
      code: 'work_at_risk',
      message: expect.stringContaining('the work'),
    })
    expect(fs.existsSync(place)).toBe(true)
    expect((await destroy(name, true)).recovery).toBeDefined()
  }
})

it('asks the remote once, and refuses when it answers with a login page', async () => {
  const { name, path: place } = await ground.issue(3)
  push(place)
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    response.setHeader('content-type', 'text/html').end('<form>Log in</form>')
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const repositories = fs.readFileSync(ground.service.paths.repositories)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/app`
  fs.writeFileSync(ground.service.paths.repositories, JSON.stringify({ 'forge.test/me/app': url }))
  try {
    await expect(destroy(name)).rejects.toThrow(/cannot tell what the remote has: /)
    expect(asked.filter((each) => each.includes('info/refs'))).toHaveLength(1)
    const { recovery } = await destroy(name, true)
    expect(recovery).toBeDefined()
  } finally {
    fs.writeFileSync(ground.service.paths.repositories, repositories)
    server.close()
  }
})

it('needs no remote for a worktree in which nothing was ever done', async () => {
  const { name } = await ground.issue(4)
  fs.renameSync(ground.remote, `${ground.remote}.away`)
  try {
    expect((await destroy(name)).recovery).toBeUndefined()
  } finally {
    fs.renameSync(`${ground.remote}.away`, ground.remote)
  }
})

it('touches no worktree outside of the home, which a copied session file may name', async () => {
  const { name, path: place } = await ground.issue(5)
  const outside = path.join(ground.root, 'original', name)
  ground.git(mirror(), 'worktree', 'add', '--quiet', '--detach', outside, 'origin/main')
  fs.writeFileSync(path.join(outside, 'x'), 'uncommitted')
  await changeSession(ground.service, name, (current) => current && { ...current, worktree_path: outside })
  for (const force of [false, true]) {
    await expect(destroy(name, force)).rejects.toMatchObject({ code: 'foreign_worktree' })
  }
  expect(fs.readFileSync(path.join(outside, 'x'), 'utf8')).toBe('uncommitted')
  await changeSession(ground.service, name, (current) => current && { ...current, worktree_path: place })
  await destroy(name)
})

it('leaves a locked worktree and a repository inside one where they are, also by force', async () => {
  const { name, path: place } = await ground.issue(6)
  ground.git(mirror(), 'worktree', 'lock', '--reason', 'on a stick', place)
  for (const force of [false, true]) await expect(destroy(name, force)).rejects.toThrow('it is locked: on a stick')
  ground.git(mirror(), 'worktree', 'unlock', place)
  ground.git(place, 'init', '--quiet', 'app')
  ground.git(path.join(place, 'app'), 'commit', '--quiet', '--allow-empty', '--message', 'scaffold')
  ground.git(place, 'add', '--all')
  push(place)
  for (const force of [false, true])
    await expect(destroy(name, force)).rejects.toThrow(/app\/ is a repository of its own/)
  fs.rmSync(path.join(place, 'app'), { recursive: true })
  await destroy(name, true)
})

it('names what is too large to be saved before it goes, and only by force', async () => {
  const { name, path: place } = await ground.issue(7)
  fs.closeSync(fs.openSync(path.join(place, 'big.db'), 'w'))
  fs.truncateSync(path.join(place, 'big.db'), 25 * 1024 * 1024)
  await expect(destroy(name)).rejects.toThrow(/big\.db \(25 MB\)/)
  const told: [string, boolean][] = []
  const home = { ...ground.service, warn: (text: string) => void told.push([text, fs.existsSync(place)]) }
  await destroyIssue(home, name, { force: true })
  expect(told).toContainEqual([expect.stringContaining('big.db (25 MB)'), true])
})

it('mends a worktree whose .git file is gone before it judges it, and names the way out of one that it cannot mend', async () => {
  const { name, path: place } = await ground.issue(8)
  fs.writeFileSync(path.join(place, 'x'), 'not committed')
  fs.rmSync(path.join(place, '.git'))
  await expect(destroy(name)).rejects.toThrow('1 untracked file: x')
  expect(ground.service.warnings.at(-1)).toMatch(/repaired: its \.git file$/)
  fs.rmSync(path.join(place, '.git'))
  expect((await destroy(name, true)).recovery).toBeDefined()
  expect(fs.existsSync(place)).toBe(false)

  const lost = await ground.issue(9)
  fs.rmSync(path.join(mirror(), 'worktrees', path.basename(lost.path)), { recursive: true })
  fs.rmSync(path.join(lost.path, '.git'))
  for (const force of [false, true]) {
    await expect(destroy(lost.name, force)).rejects.toMatchObject({
      message: expect.stringContaining('is not a worktree of'),
      hint: 'Move that directory away and try again: its files stay as they are.',
    })
  }
  fs.renameSync(lost.path, path.join(ground.root, 'away'))
  await destroy(lost.name)
  expect(fs.readdirSync(path.join(ground.root, 'away'))).toContain('a.txt')
})

it('by two commands at once is done by one, and the other says that it is gone already', async () => {
  const { ref, name, path: place } = await ground.issue(10)
  fs.writeFileSync(path.join(place, 'x'), 'not committed')
  const both = await Promise.allSettled([destroy(name, true), destroy(name, true)])
  const [done, late] = both.toSorted((a, b) => a.status.localeCompare(b.status))
  expect(done).toMatchObject({ status: 'fulfilled', value: { issueRef: ref } })
  expect(late).toMatchObject({
    status: 'rejected',
    reason: { code: 'unknown_session', message: `${ref} is gone: another command has destroyed it` },
  })
})
