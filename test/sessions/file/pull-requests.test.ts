import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseRef } from '../../../src/core/issue-ref.ts'
import { whyIssueStays } from '../../../src/sessions/cleanup/destroy.ts'
import { findPullRequest, setPullRequest } from '../../../src/sessions/file/pull-requests.ts'
import type { SessionRecord } from '../../../src/sessions/file/session-file.ts'
import { sessionView } from '../../../src/sessions/status/session-view.ts'
import { changeSession, readSession } from '../../../src/sessions/file/store.ts'
import { mirrorOf } from '../../../src/sessions/file/worktree-handles.ts'
import { openMirror } from '../../../src/worktrees/mirror/mirror.ts'
import { addWorktree } from '../../../src/worktrees/worktrees.ts'
import { writeJson } from '../../../src/platform/files.ts'
import { startForge, type ForgeServer } from '../../helpers/forge-servers.ts'
import { createGround, type Ground } from '../../helpers/git-repository.ts'
import { createServiceHome, type ServiceHome } from '../../helpers/service-home.ts'

const ref = parseRef('forge.test/me/app#1', { defaultHost: '' })
const name = 'forge.test-me-app-1'
const branch = 'fix/issue-1'

let ground: Ground
let home: ServiceHome
let forge: ForgeServer
let record: SessionRecord
let place: string

beforeEach(async () => {
  ground = createGround({ 'a.txt': 'one\n' })
  home = createServiceHome()
  forge = await startForge('gitea')
  place = path.join(home.paths.worktrees, name)
  home.env = { ...home.env, ...ground.env }
  const mirror = mirrorOf(home, ref)
  await openMirror(mirror, { url: ground.url })
  await addWorktree({ mirror, path: place, branch })
  serveFrom(forge)
  const written = await changeSession(home, name, () => ({
    type: 'forked',
    issue_ref: 'forge.test/me/app#1',
    state: 'idle',
    worktree_path: place,
    branch_name: branch,
    base_branch: 'main',
  }))
  record = written ?? { type: 'forked', state: 'idle' }
})
afterEach(async () => {
  home.cleanup()
  ground.cleanup()
  await forge.stop()
})

function serveFrom({ api, kind }: ForgeServer): void {
  const server = { name: 'forge.test', url: ground.url, type: kind, api }
  writeJson(home.paths.servers, { servers: [server] })
  writeJson(home.paths.repositories, { 'forge.test/me/app': ground.url })
}

const git = (...args: string[]) => ground.git(place, ...args)
const head = () => git('rev-parse', 'HEAD')
const commit = (file: string) => {
  fs.writeFileSync(path.join(place, file), file)
  git('add', '--all')
  git('commit', '--quiet', '--message', `Add ${file}`)
  return head()
}
const push = () => git('push', '--quiet', 'origin', `HEAD:${branch}`)
/** As a forge keeps it, and as a reviewer does it: squashed onto main, and the branch deleted. */
const squashMerge = (number: number, sha: string) => {
  ground.git(ground.remote, 'update-ref', `refs/pull/${number}/head`, sha)
  ground.push('main', { 'squashed.txt': 'squashed' })
  ground.git(ground.remote, 'update-ref', '-d', `refs/heads/${branch}`)
}
/** What git alone would say, with what it knows of the remote now. */
const withoutForge = async () => {
  git('fetch', '--quiet', '--prune')
  return (await whyIssueStays(home, record, { pullRequests: { found: [], unknown: undefined } })).reasons
}
const page = (number: number) => `https://forge.test/me/app/pulls/${number}`

describe('a worktree whose pull request is open', () => {
  it('is kept, though all of it is pushed', async () => {
    const headSha = commit('x.txt')
    push()
    forge.pulls = [{ number: 3, branch, state: 'open', headSha }]
    expect(await withoutForge()).toEqual([])
    expect((await whyIssueStays(home, record)).reasons).toEqual([`its pull request ${page(3)} is open`])
  })

  it('is kept for the one on file, whatever its branch', async () => {
    forge.pulls = [{ number: 4, branch: 'another', state: 'open' }]
    expect((await whyIssueStays(home, { ...record, pr_url: page(4) })).reasons).toEqual([
      `its pull request ${page(4)} is open`,
    ])
  })

  it('is kept, and found, on the branch that the agent has made of its own', async () => {
    git('branch', '--move', 'better-name')
    const headSha = commit('x.txt')
    git('push', '--quiet', 'origin', 'HEAD:better-name')
    forge.pulls = [{ number: 5, branch: 'better-name', state: 'open', headSha }]
    expect((await whyIssueStays(home, record)).reasons).toEqual([`its pull request ${page(5)} is open`])
    expect(await findPullRequest(home, name, () => {})).toBe(page(5))
    expect(sessionView(home, name, record).branch).toBe('better-name')
  })

  it('is not asked about when that is switched off', async () => {
    forge.pulls = [{ number: 3, branch, state: 'open' }]
    fs.writeFileSync(home.paths.config, 'WORKTREE_CHECK_PR_STATUS=false\n')
    expect((await whyIssueStays(home, record)).reasons).toEqual([])
    expect(forge.requests).toEqual([])
  })
})

describe('a worktree whose pull request is merged', () => {
  it('may go when it was squashed: no branch has its commits, and nothing is lost', async () => {
    const headSha = commit('x.txt')
    push()
    squashMerge(3, headSha)
    forge.pulls = [{ number: 3, branch, state: 'merged', headSha, branchDeleted: true }]
    expect(await withoutForge()).toEqual(['1 unpushed commit: Add x.txt'])
    expect((await whyIssueStays(home, record)).reasons).toEqual([])
  })

  it('may go when others added to the pull request: its commits are part of it', async () => {
    commit('x.txt')
    push()
    const theirs = ground.push(branch, { 'theirs.txt': 'theirs' })
    squashMerge(3, theirs)
    forge.pulls = [{ number: 3, branch, state: 'merged', headSha: theirs, branchDeleted: true }]
    expect(await withoutForge()).toEqual(['1 unpushed commit: Add x.txt'])
    expect((await whyIssueStays(home, record)).reasons).toEqual([])
  })

  it('is kept for what came after, with that alone named', async () => {
    const headSha = commit('x.txt')
    push()
    squashMerge(3, headSha)
    commit('later.txt')
    fs.writeFileSync(path.join(place, 'untracked.txt'), '')
    forge.pulls = [{ number: 3, branch, state: 'merged', headSha, branchDeleted: true }]
    expect((await whyIssueStays(home, record)).reasons).toEqual([
      '1 untracked file: untracked.txt',
      '1 unpushed commit: Add later.txt',
    ])
  })

  it('is kept for what was pushed after the merge and went with its branch', async () => {
    const headSha = commit('x.txt')
    push()
    commit('later.txt')
    push()
    squashMerge(3, headSha)
    forge.pulls = [{ number: 3, branch, state: 'merged', headSha, branchDeleted: true }]
    expect((await whyIssueStays(home, record)).reasons).toEqual(['1 unpushed commit: Add later.txt'])
  })

  it('is kept when the commits of the pull request cannot be had', async () => {
    commit('x.txt')
    forge.pulls = [{ number: 3, branch, state: 'merged', headSha: 'd'.repeat(40), branchDeleted: true }]
    expect((await whyIssueStays(home, record)).reasons).toEqual(['1 unpushed commit: Add x.txt'])
  })

  it('is kept for another one that is open', async () => {
    const headSha = head()
    forge.pulls = [
      { number: 3, branch, state: 'merged', headSha },
      { number: 4, branch, state: 'open', headSha },
    ]
    expect((await whyIssueStays(home, { ...record, pr_url: page(3) })).reasons).toEqual([
      `its pull request ${page(4)} is open`,
    ])
  })
})

describe('a worktree whose pull request was closed', () => {
  it('may go while the remote has its commits, and is kept once it has not', async () => {
    const headSha = commit('x.txt')
    push()
    forge.pulls = [{ number: 3, branch, state: 'closed', headSha }]
    expect((await whyIssueStays(home, record)).reasons).toEqual([])
    ground.git(ground.remote, 'update-ref', '-d', `refs/heads/${branch}`)
    // Nobody has told this clone: the remote is asked, with a pull request and without.
    expect((await whyIssueStays(home, record, { pullRequests: { found: [], unknown: undefined } })).reasons).toEqual([
      '1 unpushed commit: Add x.txt',
    ])
    expect((await whyIssueStays(home, record)).reasons).toEqual(['1 unpushed commit: Add x.txt'])
  })
})

describe('a worktree whose forge does not tell', () => {
  it('goes by what git knows: kept with unpushed commits, which say why, and free to go without', async () => {
    forge.trouble = 'fails'
    expect((await whyIssueStays(home, record)).reasons).toEqual([])
    commit('x.txt')
    expect((await whyIssueStays(home, record)).reasons).toEqual([
      '1 unpushed commit: Add x.txt',
      expect.stringMatching(
        /^whether its pull request was merged cannot be told: 127\.0\.0\.1:\d+ answers with status 500$/,
      ),
    ])
    push()
    expect((await whyIssueStays(home, record)).reasons).toEqual([])
  })

  it('is kept with commits that no forge says are merged', async () => {
    commit('x.txt')
    expect((await whyIssueStays(home, record)).reasons).toEqual(['1 unpushed commit: Add x.txt'])
    writeJson(home.paths.servers, { servers: [{ name: 'forge.test', url: ground.url }] })
    expect((await whyIssueStays(home, record)).reasons).toEqual(['1 unpushed commit: Add x.txt'])
  })
})

describe('the pull request of a run that ended', () => {
  const reasons: string[] = []
  const find = () => findPullRequest(home, name, (reason) => reasons.push(reason))
  beforeEach(() => void (reasons.length = 0))

  it('is found by its branch once that is pushed, and stays as it is then', async () => {
    forge.pulls = [{ number: 3, branch, state: 'open' }]
    expect(await find()).toBeUndefined()
    expect(forge.requests).toEqual([])
    commit('x.txt')
    push()
    expect(await find()).toBe(page(3))
    expect(readSession(home, name)?.pr_url).toBe(page(3))
    forge.pulls = [{ number: 4, branch, state: 'open' }]
    forge.requests.length = 0
    expect(await find()).toBeUndefined()
    expect(forge.requests).toEqual([])
    expect(readSession(home, name)?.pr_url).toBe(page(3))
  })

  it('is none, or not known and why', async () => {
    commit('x.txt')
    push()
    expect(await find()).toBeUndefined()
    expect(reasons).toEqual([])
    forge.trouble = 'is not JSON'
    expect(await find()).toBeUndefined()
    expect(reasons).toEqual([expect.stringContaining('not with JSON')])
    expect(readSession(home, name)?.pr_url ?? null).toBeNull()
  })

  it('is asked for with the token of the env files', async () => {
    fs.mkdirSync(home.paths.env)
    fs.writeFileSync(path.join(home.paths.env, 'default.env'), 'export GITEA_TOKEN="default-token"\n')
    fs.writeFileSync(path.join(home.paths.env, 'dev.env'), 'export GITEA_TOKEN="dev-token"\n')
    commit('x.txt')
    push()
    await find()
    expect(forge.requests.at(-1)?.token).toBe('default-token')
    fs.writeFileSync(path.join(home.paths.env, 'pm-agent.env'), 'export GITEA_TOKEN="pm-token"\n')
    await find()
    expect(forge.requests.at(-1)?.token).toBe('pm-token')
  })
})

describe('setPullRequest', () => {
  it('stores it with how it stands', async () => {
    forge.pulls = [{ number: 3, branch: 'any', state: 'open', mergeable: true, headSha: 'd'.repeat(40) }]
    forge.checks.set('d'.repeat(40), { statuses: ['failure'] })
    expect(await setPullRequest(home, name, ref, `${page(3)}/files`)).toMatchObject({
      url: page(3),
      pullRequest: { state: 'open' },
      standing: { mergeable: true, ci: 'failure' },
      unknown: undefined,
    })
    expect(readSession(home, name)).toMatchObject({ pr_url: page(3), branch_name: branch, worktree_path: place })
    expect(home.warnings).toEqual([])
  })

  it('stores one that cannot be looked up, and says why', async () => {
    forge.trouble = 'hangs up'
    const stored = await setPullRequest(home, name, ref, page(3))
    expect(stored.unknown).toContain('cannot be reached')
    expect(readSession(home, name)?.pr_url).toBe(page(3))
  })

  it('warns of a host that it does not know', async () => {
    forge.pulls = [{ number: 3, branch, state: 'open' }]
    await setPullRequest(home, name, ref, 'https://elsewhere.test/me/app/pulls/3')
    expect(home.warnings).toEqual([expect.stringContaining('elsewhere.test is not known to be forge.test')])
    expect(readSession(home, name)?.pr_url).toBe('https://elsewhere.test/me/app/pulls/3')
  })

  it('stores none that the forge does not have', async () => {
    await expect(setPullRequest(home, name, ref, page(9))).rejects.toMatchObject({ code: 'no_such_pr' })
    expect(readSession(home, name)?.pr_url ?? null).toBeNull()
  })
})
