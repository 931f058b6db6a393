/** GitHub's API, of github.com and of an enterprise's own server. */
import * as z from 'zod/mini'
import { lazy } from '../core/lazy.ts'
import type { Repository } from '../core/issue-ref.ts'
import {
  commitId,
  inPath,
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
  // The repository of a head is null once the fork is deleted.
  const repository = z.object({ id: z.int() })
  const pull = z.object({
    number: z.int(),
    html_url: z.string(),
    state: z.enum(['open', 'closed']),
    merged_at: z.nullable(z.string()),
    merge_commit_sha: z.nullish(z.string()),
    head: z.object({ ref: z.string(), sha: z.string(), repo: z.nullable(repository) }),
    base: z.object({ ref: z.string(), repo: repository }),
  })
  return {
    repository,
    pull,
    pulls: z.array(pull),
    meta: z.object({ verifiable_password_authentication: z.boolean() }),
    issue: z.object({ title: z.string(), body: z.nullish(z.string()) }),
    mergeable: z.object({ mergeable: z.nullable(z.boolean()) }),
    // Only the first page is requested: its state covers all statuses.
    status: z.object({ state: z.string(), total_count: z.int() }),
    checkRuns: z.object({
      check_runs: z.array(z.object({ status: z.string(), conclusion: z.nullable(z.string()) })),
    }),
  }
})
type Pull = z.infer<ReturnType<typeof shapes>['pull']>

export const github: Forge = {
  headers: (token) => ({
    accept: 'application/vnd.github+json',
    'x-github-api-version': '2022-11-28',
    'user-agent': 'kugetsu', // GitHub refuses requests without one
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  }),
  apiOf: (web) => {
    // ssh.github.com is for networks that let only https through.
    if (/^(ssh\.)?github\.com$/.test(web.hostname)) return 'https://api.github.com'
    if (web.hostname.endsWith('.ghe.com')) return `https://api.${web.hostname}`
    return `${web.origin}${web.pathname.replace(/\/$/, '')}/api/v3`
  },
  page: /^\/pull\/(\d+)(?:\/|$)/,
  issuePage: (number) => `/issues/${number}`,
  newPage: (branch, base) =>
    base === undefined ? `/pull/new/${inPath(branch)}` : `/compare/${inPath(base)}...${inPath(branch)}?expand=1`,
  examplePage: 'pull/15',
  calls,
  headRef: (number) => `refs/pull/${number}/head`,
  isAt: async (api) => (await api.get('meta', shapes().meta)) !== undefined,
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

async function ofBranch(api: Api, repository: Repository, branch: string): Promise<PullRequest | undefined> {
  const query = { state: 'all', head: `${repository.owner}:${branch}`, sort: 'created', direction: 'desc' }
  const request = { path: `${pathOf(repository)}/pulls`, query, size: ['per_page', 100] } as const
  const found: PullRequest[] = []
  for await (const page of pagesOf(api, shapes().pulls, request)) {
    // The owner can have a fork beside the repository, and a filter that the server does not understand has no effect.
    const own = page.filter(({ head, base }) => head.ref === branch && head.repo?.id === base.repo.id)
    found.push(...own.map(pullRequest))
  }
  return foremost(found)
}

async function standing(api: Api, repository: Repository, { number, state, headSha }: PullRequest): Promise<Standing> {
  const pull = await api.get(`${pathOf(repository)}/pulls/${number}`, shapes().mergeable)
  const mergeable = state === 'open' ? (pull?.data.mergeable ?? undefined) : undefined
  return { mergeable, ci: headSha === undefined ? undefined : await ciOf(api, repository, headSha) }
}

/** Statuses and check runs are separate lists; both count. */
async function ciOf(api: Api, repository: Repository, sha: string): Promise<Standing['ci']> {
  const commit = `${pathOf(repository)}/commits/${sha}`
  const status = await api.get(`${commit}/status`, shapes().status)
  if (status === undefined) return undefined
  const states = status.data.total_count === 0 ? [] : [stateOf(status.data.state)]
  const request = { path: `${commit}/check-runs`, query: {}, size: ['per_page', 100] } as const
  for await (const page of pagesOf(api, shapes().checkRuns, request)) {
    states.push(...page.check_runs.map((run) => (run.status === 'completed' ? stateOf(run.conclusion) : 'pending')))
  }
  if (states.length === 0) return 'none'
  if (states.includes('failure')) return 'failure'
  if (states.includes('pending')) return 'pending'
  return states.includes(undefined) ? undefined : 'success'
}

function stateOf(word: string | null): Standing['ci'] {
  if (word === null) return undefined
  if (['failure', 'error', 'cancelled', 'timed_out', 'action_required', 'stale', 'startup_failure'].includes(word)) {
    return 'failure'
  }
  if (['success', 'neutral', 'skipped'].includes(word)) return 'success'
  return word === 'pending' ? 'pending' : undefined
}

function pullRequest(pull: Pull): PullRequest {
  const merged = pull.merged_at !== null
  return {
    number: pull.number,
    url: pull.html_url,
    state: merged ? 'merged' : pull.state,
    headBranch: pull.head.ref,
    headSha: commitId(pull.head.sha),
    baseBranch: pull.base.ref,
    // Before the merge this is the commit of a trial merge.
    mergedSha: merged ? commitId(pull.merge_commit_sha) : undefined,
  }
}

function pathOf({ owner, repo }: Repository): string {
  return `repos/${encodeURIComponent(owner)}/${encodeURIComponent(repo)}`
}

function calls({ repository, apiUrl, branch, baseBranch }: CallsFor): PromptCalls {
  return {
    api: `${apiUrl}/${pathOf(repository)}`,
    header: '${t:+Authorization: Bearer $t}',
    issue: 'issues',
    comments: 'comments?per_page=100',
    findPr: `pulls?state=open&per_page=100&head=${encodeURIComponent(repository.owner)}:${encodeURIComponent(branch)}`,
    findNote: 'without &head=… it lists all: also read those that mention the issue',
    pr: 'pulls/<pr>',
    prNote: 'mergeable false, mergeable_state "dirty" mean conflicts; null: ask again in a moment',
    prComments: 'issues/<pr>/comments?per_page=100',
    reviews: 'pulls/<pr>/reviews?per_page=100',
    reviewsNote: 'the last state of each reviewer counts: APPROVED is an approval',
    reviewLines: 'pulls/<pr>/comments?per_page=100',
    replyToLine: 'answer one with POST pulls/<pr>/comments/<its id>/replies {"body":"…"}',
    checks: ['commits/<sha of your last commit>/check-runs', 'commits/<sha of your last commit>/status'],
    open: ['pulls', { title: '…', body: '…', head: branch, base: baseBranch }],
    merge: ['PUT', 'pulls/<pr>/merge', { merge_method: 'merge' }],
  }
}
