import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { forgeKinds } from '../../src/config/forge-types.ts'
import type { GitServer } from '../../src/config/git-servers.ts'
import { forgeOfKind } from '../../src/forges/forge-kinds.ts'
import {
  openForge,
  pullRequestOfBranch,
  pullRequestOfNumber,
  standingOf,
  type ForgeRepository,
} from '../../src/forges/look-up.ts'
import type { PullRequest } from '../../src/forges/forge.ts'
import type { Pull } from '../helpers/forge-answers.ts'
import { startForge, type ForgeServer, type Kind, type Trouble } from '../helpers/forge-servers.ts'

const branch = 'fix/issue-14'
const sha = (digit: string) => digit.repeat(40)
const tokenName = (kind: Kind) => (kind === 'github' ? 'GH_TOKEN' : `${kind.toUpperCase()}_TOKEN`)

const started: ForgeServer[] = []
let interrupting: AbortController
beforeEach(() => {
  interrupting = new AbortController()
})
afterEach(async () => {
  await Promise.all(started.splice(0).map((forge) => forge.stop()))
})

async function forgeWith(kind: Kind, pulls: Pull[] = [], options: { token?: string; repository?: string } = {}) {
  const forge = await startForge(kind, options)
  forge.pulls = pulls
  started.push(forge)
  return forge
}

const serverOf = (forge: ForgeServer, more: Partial<GitServer> = {}): GitServer => ({
  name: 'forge.test',
  url: 'git://127.0.0.1:9418',
  type: forge.kind,
  api: forge.api,
  default: false,
  source: 'servers.json',
  ...more,
})

interface Opening {
  variables?: Record<string, string>
  server?: Partial<GitServer>
  others?: GitServer[]
}

/** The repository of a forge as kugetsu sees it. */
function open(forge: ForgeServer, { variables = {}, server, others = [] }: Opening = {}): ForgeRepository {
  const mine = serverOf(forge, server)
  const repository = { host: 'forge.test', owner: forge.site.owner, repo: forge.site.repo }
  const opened = openForge({
    repository,
    server: mine,
    servers: [mine, ...others],
    variables,
    env: {},
    signal: interrupting.signal,
  })
  if (opened === undefined) throw new Error('not opened')
  return opened
}

const numberOf = async (forge: ForgeServer) => {
  const look = await pullRequestOfBranch(open(forge), branch)
  return look.kind === 'found' ? look.pullRequest.number : look.kind
}

/** Pull requests of other branches, numbered from `from` on. */
const others = (count: number, from: number, state: Pull['state'] = 'closed'): Pull[] =>
  Array.from({ length: count }, (_, index) => ({ number: from + index, branch: `other-${index}`, state }))

describe.each(forgeKinds)('the pull request of a branch on %s', (kind) => {
  it('is found, with what is known of it', async () => {
    const forge = await forgeWith(kind, [{ number: 3, branch, state: 'open', base: 'develop', headSha: sha('d') }])
    const page = forgeOfKind(kind)!.examplePage.replace('15', '3')
    expect(await pullRequestOfBranch(open(forge), branch)).toEqual({
      kind: 'found',
      pullRequest: {
        number: 3,
        url: `https://forge.test/me/app/${page}`,
        state: 'open',
        headBranch: branch,
        headSha: sha('d'),
        baseBranch: 'develop',
        mergedSha: undefined,
      },
    })
  })

  it('is merged or closed, and known after its branch is gone', async () => {
    const forge = await forgeWith(kind, [
      { number: 3, branch, state: 'merged', headSha: sha('d'), mergedSha: sha('e'), branchDeleted: true },
    ])
    const look = await pullRequestOfBranch(open(forge), branch)
    expect(look).toMatchObject({ pullRequest: { state: 'merged', headSha: sha('d'), mergedSha: sha('e') } })
    forge.pulls = [{ number: 3, branch, state: 'closed', branchDeleted: true }]
    expect(await pullRequestOfBranch(open(forge), branch)).toMatchObject({
      pullRequest: { state: 'closed', headBranch: branch, mergedSha: undefined },
    })
  })

  it('is an open one before all others, and else the newest', async () => {
    const forge = await forgeWith(kind, [
      { number: 2, branch, state: 'open' },
      { number: 4, branch, state: 'merged' },
      { number: 9, branch: 'other', state: 'open' },
    ])
    expect(await numberOf(forge)).toBe(2)
    forge.pulls = [
      { number: 2, branch, state: 'closed' },
      { number: 4, branch, state: 'merged' },
      { number: 3, branch, state: 'closed' },
    ]
    expect(await numberOf(forge)).toBe(4)
  })

  it('is not one from a fork, nor of a branch whose name only begins so', async () => {
    const forge = await forgeWith(kind, [
      { number: 5, branch, state: 'open', fork: 'there' },
      { number: 6, branch, state: 'open', fork: 'deleted' },
      { number: 7, branch: `${branch}0`, state: 'open' },
    ])
    expect(await numberOf(forge)).toBe('none')
    forge.pulls.push({ number: 1, branch, state: 'closed' })
    expect(await numberOf(forge)).toBe(1)
  })

  it('is found on a later page', async () => {
    // More of the same branch than a page of any forge holds; Gitea cannot be asked for a branch at all.
    const forge = await forgeWith(kind, [
      { number: 1, branch, state: 'open' },
      ...others(60, 2, 'open'),
      ...Array.from({ length: 120 }, (_, index): Pull => ({ number: 100 + index, branch, state: 'closed' })),
    ])
    expect(await numberOf(forge)).toBe(1)
    forge.pulls = [{ number: 1, branch, state: 'merged' }, ...others(130, 2)]
    expect(await numberOf(forge)).toBe(1)
  })

  it('is none only when all pages were seen', async () => {
    const forge = await forgeWith(kind, others(130, 1))
    expect(await numberOf(forge)).toBe('none')
  })

  it('has a branch with any characters', async () => {
    const odd = 'fix/issue-1&state=open#%2F+ü'
    const forge = await forgeWith(kind, [{ number: 3, branch: odd, state: 'open' }])
    expect(await pullRequestOfBranch(open(forge), odd)).toMatchObject({ pullRequest: { number: 3, headBranch: odd } })
  })

  it('has no commit where the forge gives none that could be one', async () => {
    const forge = await forgeWith(kind, [{ number: 3, branch, state: 'open', headSha: '--upload-pack=touch /tmp/x' }])
    expect(await pullRequestOfBranch(open(forge), branch)).toMatchObject({ pullRequest: { headSha: undefined } })
  })
})

describe.each(forgeKinds)('the pull request of a number on %s', (kind) => {
  it('is found, or not there', async () => {
    const forge = await forgeWith(kind, [{ number: 3, branch: 'any', state: 'merged' }])
    expect(await pullRequestOfNumber(open(forge), 3)).toMatchObject({ pullRequest: { number: 3, state: 'merged' } })
    expect(await pullRequestOfNumber(open(forge), 4)).toEqual({ kind: 'none' })
  })

  it('is unknown when the repository was not found', async () => {
    const forge = await forgeWith(kind, [{ number: 3, branch, state: 'open' }], { token: 'secret-token' })
    expect(await pullRequestOfNumber(open(forge), 4)).toEqual({
      kind: 'unknown',
      reason: 'me/app was not found, or the token cannot see it',
    })
    const look = await pullRequestOfBranch(open(forge), branch)
    expect(look).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('the token cannot see it') })
  })
})

describe('a pull request', () => {
  const standing = async (forge: ForgeServer, state: Pull['state'] = 'open') => {
    const pullRequest: PullRequest = {
      number: 3,
      url: 'https://forge.test/x',
      state,
      headBranch: branch,
      headSha: sha('d'),
      baseBranch: 'main',
      mergedSha: undefined,
    }
    return standingOf(open(forge), pullRequest)
  }
  const pull: Pull = { number: 3, branch, state: 'open', headSha: sha('d') }

  it.each(forgeKinds)('on %s has conflicts or not', async (kind) => {
    const forge = await forgeWith(kind, [{ ...pull, mergeable: true }])
    expect((await standing(forge)).mergeable).toBe(true)
    forge.pulls = [{ ...pull, mergeable: false }]
    expect((await standing(forge)).mergeable).toBe(false)
    forge.pulls = [{ ...pull, state: 'merged' }]
    expect((await standing(forge, 'merged')).mergeable).toBeUndefined()
  })

  it.each(['github', 'gitlab'] as const)('on %s may not be known to have conflicts', async (kind) => {
    const forge = await forgeWith(kind, [{ ...pull, mergeable: null }])
    expect((await standing(forge)).mergeable).toBeUndefined()
  })

  it.each([
    [[], 'none'],
    [['success', 'success'], 'success'],
    [['success', 'pending'], 'pending'],
    [['pending', 'failure'], 'failure'],
    [['error', 'success'], 'failure'],
    [['warning'], 'success'],
  ])('on Gitea with statuses %j has checks: %s', async (statuses, ci) => {
    const forge = await forgeWith('gitea', [pull])
    forge.checks.set(sha('d'), { statuses })
    expect((await standing(forge)).ci).toBe(ci)
  })

  it('on Gitea is judged by all pages of its statuses', async () => {
    const forge = await forgeWith('gitea', [pull])
    forge.checks.set(sha('d'), { statuses: [...Array.from({ length: 60 }, () => 'success'), 'failure'] })
    expect((await standing(forge)).ci).toBe('failure')
  })

  const done = (conclusion: string) => ({ status: 'completed', conclusion })
  const runs = { status: 'in_progress', conclusion: null }
  it.each([
    [[], [], 'none'],
    [['success'], [], 'success'],
    [[], [done('success'), done('skipped'), done('neutral')], 'success'],
    [['success'], [runs], 'pending'],
    [['pending'], [done('success')], 'pending'],
    [['success'], [runs, done('timed_out')], 'failure'],
    [['failure'], [done('success')], 'failure'],
    [[], [done('cancelled')], 'failure'],
    [[], [done('something new')], undefined],
  ])('on GitHub with statuses %j and check runs %j has checks: %s', async (statuses, checkRuns, ci) => {
    const forge = await forgeWith('github', [pull])
    forge.checks.set(sha('d'), { statuses, runs: checkRuns })
    expect((await standing(forge)).ci).toBe(ci)
  })

  it('on GitHub is judged by all pages of its check runs', async () => {
    const forge = await forgeWith('github', [pull])
    forge.checks.set(sha('d'), { runs: [...Array.from({ length: 130 }, () => done('success')), done('failure')] })
    expect((await standing(forge)).ci).toBe('failure')
  })

  it.each([
    [undefined, 'none'],
    ['success', 'success'],
    ['running', 'pending'],
    ['manual', 'pending'],
    ['failed', 'failure'],
    ['canceled', 'failure'],
    ['something new', undefined],
  ])('on GitLab with the pipeline %s has checks: %s', async (pipeline, ci) => {
    const forge = await forgeWith('gitlab', [{ ...pull, ...(pipeline === undefined ? {} : { pipeline }) }])
    expect((await standing(forge)).ci).toBe(ci)
  })

  it.each(forgeKinds)('on a %s that fails stands nobody knows how', async (kind) => {
    const forge = await forgeWith(kind, [pull])
    forge.trouble = 'fails'
    expect(await standing(forge)).toEqual({ mergeable: undefined, ci: undefined })
  })
})

describe('a project in a subgroup of GitLab', () => {
  it('is asked for by its whole path', async () => {
    const forge = await forgeWith('gitlab', [{ number: 3, branch, state: 'open' }], { repository: 'group/sub/app' })
    expect(await pullRequestOfBranch(open(forge), branch)).toMatchObject({
      pullRequest: { url: 'https://forge.test/group/sub/app/-/merge_requests/3' },
    })
  })
})

const troubles: [Trouble, RegExp][] = [
  ['fails', /answers with status 500$/],
  ['hangs up', /cannot be reached \(ECONNRESET\)$/],
  ['is cut off', /cannot be reached/],
  ['is not JSON', /answers with text\/html; charset=utf-8, not with JSON$/],
  ['has another shape', /an answer that kugetsu does not understand$/],
  ['is rate limited', /refuses because of its rate limit \(/],
  ['forbids', /refuses access$/],
  ['wants a login', /redirects to http:\/\/login\.test$/],
]

describe.each(forgeKinds)('a %s that cannot tell', (kind) => {
  it.each(troubles)('because it %s says so, and never that there is none', async (trouble, reason) => {
    const forge = await forgeWith(kind, [])
    forge.trouble = trouble
    forge.movedTo = 'http://login.test'
    const expected = { kind: 'unknown', reason: expect.stringMatching(reason) }
    expect(await pullRequestOfBranch(open(forge), branch)).toEqual(expected)
    expect(await pullRequestOfNumber(open(forge), 3)).toEqual(expected)
  })

  it('because it is down says so', async () => {
    const forge = await forgeWith(kind, [])
    const opened = open(forge)
    await started.splice(0)[0]?.stop()
    const look = await pullRequestOfBranch(opened, branch)
    expect(look).toEqual({ kind: 'unknown', reason: expect.stringMatching(/^127\.0\.0\.1:\d+ cannot be reached/) })
  })

  it('on a later page says so', async () => {
    const forge = await forgeWith(
      kind,
      Array.from({ length: 130 }, (_, index): Pull => ({ number: 1 + index, branch, state: 'closed', fork: 'there' })),
    )
    expect(await numberOf(forge)).toBe('none')
    forge.requests.length = 0
    forge.trouble = 'fails'
    forge.goodRequests = 1
    expect(await numberOf(forge)).toBe('unknown')
    expect(forge.requests).toHaveLength(2)
  })

  it('lets itself be interrupted', async () => {
    const forge = await forgeWith(kind, [])
    forge.trouble = 'is silent'
    const look = pullRequestOfBranch(open(forge), branch)
    interrupting.abort(new Error('stop'))
    await expect(look).rejects.toThrow('stop')
  })
})

describe('a rate limit', () => {
  it.each(['github', 'gitlab'] as const)('of %s says when it ends', async (kind) => {
    const forge = await forgeWith(kind, [])
    forge.trouble = 'is rate limited'
    expect(await pullRequestOfBranch(open(forge), branch)).toMatchObject({
      reason: expect.stringContaining('until 2026-04-01T13:00:00Z'),
    })
  })
})

describe.each(forgeKinds)('the token for %s', (kind) => {
  const variables = { [tokenName(kind)]: 'secret-token' }
  const found = { kind: 'found', pullRequest: { number: 3 } }

  it('opens what is private, and stands in no URL', async () => {
    const forge = await forgeWith(kind, [{ number: 3, branch, state: 'open' }], { token: 'secret-token' })
    const opened = open(forge, { variables })
    expect(await pullRequestOfBranch(opened, branch)).toMatchObject(found)
    expect(await pullRequestOfNumber(opened, 3)).toMatchObject(found)
    expect(forge.requests.every(({ token }) => token === 'secret-token')).toBe(true)
    expect(forge.requests.map(({ url }) => url).join()).not.toContain('secret')
  })

  it('is named by no reason when it is wrong', async () => {
    const forge = await forgeWith(kind, [], { token: 'another-token' })
    const look = await pullRequestOfBranch(open(forge, { variables }), branch)
    expect(look).toEqual({ kind: 'unknown', reason: expect.stringContaining('does not accept the token') })
    expect(JSON.stringify(look)).not.toContain('secret')
  })

  it('does not follow a redirect to another host, but one on the same', async () => {
    const forge = await forgeWith(kind, [{ number: 3, branch, state: 'open' }])
    const other = await forgeWith(kind, [{ number: 3, branch, state: 'open' }])
    forge.trouble = 'moved'
    forge.movedTo = `${other.api}/elsewhere`
    const look = await pullRequestOfBranch(open(forge, { variables }), branch)
    expect(look).toEqual({ kind: 'unknown', reason: expect.stringContaining(`redirects to ${other.origin}`) })
    expect(other.requests).toEqual([])
    forge.movedTo = `${forge.api}/again`
    const again = await pullRequestOfBranch(open(forge, { variables }), branch)
    expect(again).toMatchObject({ reason: expect.stringContaining('again and again') })
    expect(forge.requests).toHaveLength(5)
  })

  it('goes to one server only where there are several of its kind: the default one, or the one it names', async () => {
    const forge = await forgeWith(kind, [])
    const other = serverOf(forge, { name: 'other', url: 'https://other.test' })
    const tokenWith = async (opening: Opening) => {
      await pullRequestOfBranch(open(forge, opening), branch)
      return forge.requests.at(-1)?.token
    }
    expect(await tokenWith({ variables, others: [other] })).toBeUndefined()
    expect(await tokenWith({ variables, others: [other], server: { default: true } })).toBe('secret-token')
    const named = { ...variables, FORGE_TEST_TOKEN: 'named-token' }
    expect(await tokenWith({ variables: named, others: [other] })).toBe('named-token')
    const otherKind = serverOf(forge, { name: 'other', type: kind === 'gitea' ? 'github' : 'gitea' })
    expect(await tokenWith({ variables, others: [otherKind] })).toBe('secret-token')
  })
})
