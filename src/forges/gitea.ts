/** Gitea's API, which Forgejo speaks too. */
import * as z from 'zod/mini'
import { lazy } from '../core/lazy.ts'
import type { Repository } from '../core/issue-ref.ts'
import {
  commitId,
  inPath,
  type Api,
  type CallsFor,
  type Forge,
  type PromptCalls,
  type PullRequest,
  type Standing,
} from './forge.ts'
import { pagesOf } from './pages.ts'

const shapes = lazy(() => {
  const pull = z.object({
    number: z.int(),
    html_url: z.string(),
    state: z.string(),
    merged: z.boolean(),
    mergeable: z.boolean(),
    merge_commit_sha: z.nullish(z.string()),
    // `ref` is the branch only while that exists, afterwards refs/pull/<n>/head; `label` always is the branch.
    head: z.object({ label: z.string(), sha: z.string(), repo_id: z.int() }),
    base: z.object({ ref: z.string(), repo_id: z.int() }),
  })
  return {
    pull,
    pulls: z.array(pull),
    // A commit without any status is `null`.
    status: z.nullable(z.object({ state: z.string(), statuses: z.nullish(z.array(z.object({ status: z.string() }))) })),
    repository: z.object({ id: z.int() }),
    version: z.object({ version: z.string() }),
    issue: z.object({ title: z.string(), body: z.nullish(z.string()) }),
  }
})
type Pull = z.infer<ReturnType<typeof shapes>['pull']>

export const gitea: Forge = {
  headers: (token) => ({
    accept: 'application/json',
    ...(token === undefined ? {} : { authorization: `token ${token}` }),
  }),
  apiOf: (web) => `${web.origin}${web.pathname.replace(/\/$/, '')}/api/v1`,
  page: /^\/pulls\/(\d+)(?:\/|$)/,
  issuePage: (number) => `/issues/${number}`,
  newPage: (branch, base) => `/compare/${base === undefined ? '' : `${inPath(base)}...`}${inPath(branch)}`,
  examplePage: 'pulls/15',
  calls,
  headRef: (number) => `refs/pull/${number}/head`,
  isAt: async (api) => (await api.get('version', shapes().version)) !== undefined,
  issue: async (api, repository, number) => {
    const answer = await api.get(`${pathOf(repository)}/issues/${number}`, shapes().issue)
    return answer && { title: answer.data.title, text: answer.data.body ?? '' }
  },
  ofBranch,
  ofNumber: async (api, repository, number) => {
    const answer = await api.get(`${pathOf(repository)}/pulls/${number}`, shapes().pull)
    return answer && pullRequest(answer.data)
  },
  isReadable: async (api, repository) => (await api.get(pathOf(repository), shapes().repository)) !== undefined,
  standing,
}

/**
 * The list has no filter by branch, so the code goes through it, newest first: the open ones, which are few, then the rest.
 */
async function ofBranch(api: Api, repository: Repository, branch: string): Promise<PullRequest | undefined> {
  for (const state of ['open', 'closed']) {
    const request = { path: `${pathOf(repository)}/pulls`, query: { state }, size: ['limit', 50] } as const
    for await (const page of pagesOf(api, shapes().pulls, request)) {
      const found = page.find(({ head, base }) => head.label === branch && head.repo_id === base.repo_id)
      if (found !== undefined) return pullRequest(found)
    }
  }
  return undefined
}

async function standing(api: Api, repository: Repository, { number, state, headSha }: PullRequest): Promise<Standing> {
  const pull = await api.get(`${pathOf(repository)}/pulls/${number}`, shapes().pull)
  const mergeable = state === 'open' ? pull?.data.mergeable : undefined
  if (headSha === undefined) return { mergeable, ci: undefined }
  const words: string[] = []
  // The overall state covers one page only, so the state of each status is needed.
  const request = { path: `${pathOf(repository)}/commits/${headSha}/status`, query: {}, size: ['limit', 50] } as const
  for await (const page of pagesOf(api, shapes().status, request)) {
    words.push(...(page?.statuses ?? []).map(({ status }) => status))
  }
  return { mergeable, ci: ciOf(words) }
}

function ciOf(words: string[]): Standing['ci'] {
  if (words.length === 0) return 'none'
  if (words.some((word) => word === 'failure' || word === 'error')) return 'failure'
  if (words.some((word) => word === 'pending')) return 'pending'
  return words.every((word) => ['success', 'warning', 'skipped'].includes(word)) ? 'success' : undefined
}

function pullRequest(pull: Pull): PullRequest {
  return {
    number: pull.number,
    url: pull.html_url,
    state: pull.merged ? 'merged' : pull.state === 'open' ? 'open' : 'closed',
    headBranch: pull.head.label,
    headSha: commitId(pull.head.sha),
    baseBranch: pull.base.ref,
    mergedSha: pull.merged ? commitId(pull.merge_commit_sha) : undefined,
  }
}

function pathOf({ owner, repo }: Repository): string {
  return `repos/${encodeURIComponent(owner)}/${encodeURIComponent(repo)}`
}

function calls({ repository, apiUrl, branch, baseBranch }: CallsFor): PromptCalls {
  return {
    api: `${apiUrl}/${pathOf(repository)}`,
    header: '${t:+Authorization: token $t}',
    issue: 'issues',
    comments: 'comments',
    findPr: 'pulls?state=open&limit=50',
    findNote: `yours has head.ref "${branch}"; also read those that mention the issue`,
    pr: 'pulls/<pr>',
    prNote: 'mergeable false means conflicts',
    prComments: 'issues/<pr>/comments',
    reviews: 'pulls/<pr>/reviews',
    reviewsNote: 'state APPROVED is an approval, unless it is dismissed or stale',
    reviewLines: 'pulls/<pr>/reviews/<id of the review>/comments, for each review with comments_count above 0',
    replyToLine: 'answer them in one comment on the pull request that quotes them',
    checks: ['commits/<sha of your last commit>/status'],
    open: ['pulls', { title: '…', body: '…', head: branch, base: baseBranch }],
    merge: ['POST', 'pulls/<pr>/merge', { Do: 'merge' }],
  }
}
