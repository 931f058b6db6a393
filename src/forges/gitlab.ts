/** GitLab's API, where a pull request is a merge request. */
import * as z from 'zod/mini'
import { lazy } from '../core/lazy.ts'
import type { Repository } from '../core/issue-ref.ts'
import {
  commitId,
  foremost,
  type Api,
  type CallsFor,
  type Forge,
  type PromptCalls,
  type PullRequest,
  type Standing,
} from './forge.ts'
import { pagesOf } from './pages.ts'

const shapes = lazy(() => {
  const mergeRequest = z.object({
    iid: z.int(),
    web_url: z.string(),
    state: z.enum(['opened', 'closed', 'locked', 'merged']),
    source_branch: z.string(),
    target_branch: z.string(),
    // Null once the fork is deleted.
    source_project_id: z.nullish(z.int()),
    target_project_id: z.int(),
    sha: z.nullish(z.string()),
    merge_commit_sha: z.nullish(z.string()),
    squash_commit_sha: z.nullish(z.string()),
  })
  return {
    mergeRequest,
    mergeRequests: z.array(mergeRequest),
    standing: z.object({
      merge_status: z.nullish(z.string()),
      has_conflicts: z.nullish(z.boolean()),
      head_pipeline: z.nullish(z.object({ status: z.string() })),
    }),
    project: z.object({ id: z.int() }),
    projects: z.array(z.object({ path_with_namespace: z.string() })),
    issue: z.object({ title: z.string(), description: z.nullish(z.string()) }),
  }
})
type MergeRequest = z.infer<ReturnType<typeof shapes>['mergeRequest']>

export const gitlab: Forge = {
  headers: (token) => ({
    accept: 'application/json',
    ...(token === undefined ? {} : { 'private-token': token }),
  }),
  apiOf: (web) => `${web.origin}${web.pathname.replace(/\/$/, '')}/api/v4`,
  page: /^\/-\/merge_requests\/(\d+)(?:\/|$)/,
  issuePage: (number) => `/-/issues/${number}`,
  newPage: (branch, base) => {
    const names = { source_branch: branch, ...(base === undefined ? {} : { target_branch: base }) }
    const query = Object.entries(names).map(([name, value]): [string, string] => [`merge_request[${name}]`, value])
    return `/-/merge_requests/new?${String(new URLSearchParams(query))}`
  },
  examplePage: '-/merge_requests/15',
  calls,
  headRef: (number) => `refs/merge-requests/${number}/head`,
  isAt: async (api) => (await api.get('projects', shapes().projects, { simple: 'true', per_page: 1 })) !== undefined,
  issue: async (api, repository, number) => {
    const answer = await api.get(`${pathOf(repository)}/issues/${number}`, shapes().issue)
    return answer && { title: answer.data.title, text: answer.data.description ?? '' }
  },
  ofBranch,
  ofNumber: async (api, repository, number) => {
    const answer = await api.get(`${pathOf(repository)}/merge_requests/${number}`, shapes().mergeRequest)
    return answer && pullRequest(answer.data)
  },
  isReadable: async (api, repository) => (await api.get(pathOf(repository), shapes().project)) !== undefined,
  standing,
}

async function ofBranch(api: Api, repository: Repository, branch: string): Promise<PullRequest | undefined> {
  const query = { state: 'all', source_branch: branch, order_by: 'created_at', sort: 'desc' }
  const request = { path: `${pathOf(repository)}/merge_requests`, query, size: ['per_page', 100] } as const
  const found: PullRequest[] = []
  for await (const page of pagesOf(api, shapes().mergeRequests, request)) {
    const own = page.filter((one) => one.source_branch === branch && one.source_project_id === one.target_project_id)
    found.push(...own.map(pullRequest))
  }
  return foremost(found)
}

async function standing(api: Api, repository: Repository, { number, state }: PullRequest): Promise<Standing> {
  const answer = await api.get(`${pathOf(repository)}/merge_requests/${number}`, shapes().standing)
  if (answer === undefined) return { mergeable: undefined, ci: undefined }
  const { merge_status: status, has_conflicts: conflicts, head_pipeline: pipeline } = answer.data
  const mergeable =
    conflicts === true || status === 'cannot_be_merged' ? false : status === 'can_be_merged' || undefined
  return { mergeable: state === 'open' ? mergeable : undefined, ci: pipeline ? ciOf(pipeline.status) : 'none' }
}

function ciOf(word: string): Standing['ci'] {
  if (word === 'failed' || word === 'canceled' || word === 'canceling') return 'failure'
  if (word === 'success' || word === 'skipped') return 'success'
  const waiting = ['created', 'waiting_for_resource', 'waiting_for_callback', 'preparing', 'pending', 'running']
  return [...waiting, 'manual', 'scheduled'].includes(word) ? 'pending' : undefined
}

function pullRequest(one: MergeRequest): PullRequest {
  // A merge request is locked only for the moment of being merged.
  const state = one.state === 'opened' || one.state === 'locked' ? 'open' : one.state
  return {
    number: one.iid,
    url: one.web_url,
    state,
    headBranch: one.source_branch,
    headSha: commitId(one.sha),
    baseBranch: one.target_branch,
    mergedSha: state === 'merged' ? commitId(one.merge_commit_sha ?? one.squash_commit_sha ?? one.sha) : undefined,
  }
}

function pathOf({ owner, repo }: Repository): string {
  return `projects/${encodeURIComponent(`${owner}/${repo}`)}`
}

function calls({ repository, apiUrl, branch, baseBranch }: CallsFor): PromptCalls {
  return {
    api: `${apiUrl}/${pathOf(repository)}`,
    header: '${t:+PRIVATE-TOKEN: $t}',
    issue: 'issues',
    comments: 'notes?per_page=100&sort=asc',
    findPr: `merge_requests?state=opened&per_page=100&source_branch=${encodeURIComponent(branch)}`,
    findNote: 'without &source_branch=… it lists all: also read those that mention the issue',
    pr: 'merge_requests/<pr>',
    prNote: '<pr> is its iid; has_conflicts tells of conflicts',
    prComments: 'merge_requests/<pr>/notes?per_page=100&sort=asc',
    reviews: 'merge_requests/<pr>/approvals',
    reviewsNote: 'approved_by names who approves',
    reviewLines: 'merge_requests/<pr>/discussions?per_page=100',
    replyToLine: 'answer one with POST merge_requests/<pr>/discussions/<its id>/notes {"body":"…"}',
    checks: ['merge_requests/<pr>/pipelines'],
    open: ['merge_requests', { title: '…', description: '…', source_branch: branch, target_branch: baseBranch }],
    merge: ['PUT', 'merge_requests/<pr>/merge', {}],
  }
}
