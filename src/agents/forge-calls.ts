/** How an agent talks to each kind of forge, as text for its prompt: every call it needs, ready to be run. */
import type { Repository } from '../core/issue-ref.ts'
import type { ForgeType } from '../config/git-servers.ts'

export interface ForgeCallsInput {
  repository: Repository
  /** The issue's number; without one there are no calls on the issue. */
  number: string | undefined
  /** Where the API is, without a trailing slash. */
  apiBase: string
  branch: string
  baseBranch: string
}

/** The calls for a forge whose API is known, as a block of lines. `<pr>` in it is for the agent to fill in. */
export function forgeCalls(kind: Exclude<ForgeType, 'unknown'>, input: ForgeCallsInput): string {
  const { repository, apiBase } = input
  const branch = encodeURIComponent(input.branch)
  const owner = encodeURIComponent(repository.owner)
  const repo = encodeURIComponent(repository.repo)
  switch (kind) {
    case 'gitea':
      return block(input, {
        api: `${apiBase}/repos/${owner}/${repo}`,
        auth: 'Authorization: token $GITEA_TOKEN',
        issue: 'issues',
        comments: 'comments',
        findPr: 'pulls?state=open&limit=50',
        findNote: `yours has head.ref "${input.branch}"; also read those that mention the issue`,
        pr: 'pulls/<pr>',
        prNote: 'mergeable false means conflicts',
        prComments: 'issues/<pr>/comments',
        reviews: 'pulls/<pr>/reviews',
        checks: 'commits/<sha of your last commit>/status',
        open: ['pulls', { title: '…', body: '…', head: input.branch, base: input.baseBranch }],
        merge: ['POST', 'pulls/<pr>/merge', { Do: 'merge' }],
      })
    case 'github':
      return block(input, {
        api: `${apiBase}/repos/${owner}/${repo}`,
        auth: 'Authorization: Bearer ${GITHUB_TOKEN:-$GH_TOKEN}',
        issue: 'issues',
        comments: 'comments?per_page=100',
        findPr: `pulls?state=open&head=${owner}:${branch}`,
        findNote: 'without &head=… it lists all: also read those that mention the issue',
        pr: 'pulls/<pr>',
        prNote: 'mergeable_state "dirty" means conflicts',
        prComments: 'issues/<pr>/comments',
        reviews: 'pulls/<pr>/reviews',
        reviewLines: 'pulls/<pr>/comments?per_page=100',
        checks: 'commits/<sha of your last commit>/check-runs',
        open: ['pulls', { title: '…', body: '…', head: input.branch, base: input.baseBranch }],
        merge: ['PUT', 'pulls/<pr>/merge', { merge_method: 'merge' }],
      })
    case 'gitlab':
      return block(input, {
        api: `${apiBase}/projects/${encodeURIComponent(`${repository.owner}/${repository.repo}`)}`,
        auth: 'PRIVATE-TOKEN: $GITLAB_TOKEN',
        issue: 'issues',
        comments: 'notes?per_page=100&sort=asc',
        findPr: `merge_requests?state=opened&source_branch=${branch}`,
        findNote: 'without &source_branch=… it lists all: also read those that mention the issue',
        pr: 'merge_requests/<pr>',
        prNote: '<pr> is its iid; has_conflicts tells of conflicts',
        prComments: 'merge_requests/<pr>/notes',
        reviews: 'merge_requests/<pr>/approvals',
        reviewLines: 'merge_requests/<pr>/discussions?per_page=100',
        checks: 'merge_requests/<pr>/pipelines',
        open: [
          'merge_requests',
          { title: '…', description: '…', source_branch: input.branch, target_branch: input.baseBranch },
        ],
        merge: ['PUT', 'merge_requests/<pr>/merge', {}],
      })
  }
}

interface Calls {
  api: string
  auth: string
  issue: string
  comments: string
  findPr: string
  findNote: string
  pr: string
  prNote: string
  prComments: string
  reviews: string
  /** Remarks on single lines, where the forge keeps them apart from the reviews. */
  reviewLines?: string
  checks: string
  open: [path: string, body: object]
  merge: [method: string, path: string, body: object]
}

function block({ number }: ForgeCallsInput, calls: Calls): string {
  const issue = `${calls.issue}/${number}`
  const lines = [
    `  api="${calls.api}"`,
    `  auth="${calls.auth}"`,
    '  Read:  curl -sS -H "$auth" "$api/<path>"',
    `  Write: curl -sS -H "$auth" -H 'Content-Type: application/json' -X <method> "$api/<path>" -d @- <<'JSON' … JSON`,
    ...(number === undefined
      ? []
      : [
          `  - the issue: ${issue}`,
          `  - its comments, all of them: ${issue}/${calls.comments}`,
          `  - comment on it: POST ${issue}/${withoutQuery(calls.comments)} {"body":"…"}`,
        ]),
    `  - open pull requests: ${calls.findPr} (${calls.findNote})`,
    `  - one pull request: ${calls.pr} (${calls.prNote})`,
    `  - its reviews and approvals: ${calls.reviews}`,
    ...(calls.reviewLines === undefined ? [] : [`  - remarks on its lines: ${calls.reviewLines}`]),
    `  - its comments: ${calls.prComments}; answer with POST ${calls.prComments} {"body":"…"}`,
    `  - its checks: ${calls.checks}`,
    `  - open one: POST ${calls.open[0]} ${JSON.stringify(calls.open[1])}`,
    `  - merge (only when approved): ${calls.merge[0]} ${calls.merge[1]} ${JSON.stringify(calls.merge[2])}`,
    '  A pull request has a number of its own: never put the issue number where <pr> stands. A full page means that there is a next one (&page=2).',
  ]
  return lines.join('\n')
}

function withoutQuery(path: string): string {
  return path.split('?')[0] ?? path
}
