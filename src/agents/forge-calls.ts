/** The calls of each kind of forge as text for an agent's prompt: every call it needs, ready to be run. */
import type { Repository } from '../core/issue-ref.ts'
import type { ForgeType } from '../config/git-servers.ts'

export interface ForgeCallsInput {
  repository: Repository
  /** The issue's number; without one there are no calls on the issue. */
  number: string | undefined
  /** The address of the API, without a trailing slash. */
  apiUrl: string
  /** The variables that may hold the token of this server; the first one set counts. */
  tokens: readonly string[]
  branch: string
  baseBranch: string
}

/** The calls for a forge with a known API, as a block of lines. The agent has to fill in `<pr>`. */
export function forgeCalls(kind: Exclude<ForgeType, 'unknown'>, input: ForgeCallsInput): string {
  const { repository } = input
  // The text puts it between double quotes of a shell.
  const apiUrl = input.apiUrl.replaceAll('$', '%24')
  const branch = encodeURIComponent(input.branch)
  const owner = encodeURIComponent(repository.owner)
  const repo = encodeURIComponent(repository.repo)
  switch (kind) {
    case 'gitea':
      return block(input, {
        api: `${apiUrl}/repos/${owner}/${repo}`,
        header: '${t:+Authorization: token $t}',
        issue: 'issues',
        comments: 'comments',
        findPr: 'pulls?state=open&limit=50',
        findNote: `yours has head.ref "${input.branch}"; also read those that mention the issue`,
        pr: 'pulls/<pr>',
        prNote: 'mergeable false means conflicts',
        prComments: 'issues/<pr>/comments',
        reviews: 'pulls/<pr>/reviews',
        reviewsNote: 'state APPROVED is an approval, unless it is dismissed or stale',
        reviewLines: 'pulls/<pr>/reviews/<id of the review>/comments, for each review with comments_count above 0',
        replyToLine: 'answer them in one comment on the pull request that quotes them',
        checks: ['commits/<sha of your last commit>/status'],
        open: ['pulls', { title: '…', body: '…', head: input.branch, base: input.baseBranch }],
        merge: ['POST', 'pulls/<pr>/merge', { Do: 'merge' }],
      })
    case 'github':
      return block(input, {
        api: `${apiUrl}/repos/${owner}/${repo}`,
        header: '${t:+Authorization: Bearer $t}',
        issue: 'issues',
        comments: 'comments?per_page=100',
        findPr: `pulls?state=open&per_page=100&head=${owner}:${branch}`,
        findNote: 'without &head=… it lists all: also read those that mention the issue',
        pr: 'pulls/<pr>',
        prNote: 'mergeable false, mergeable_state "dirty" mean conflicts; null: ask again in a moment',
        prComments: 'issues/<pr>/comments?per_page=100',
        reviews: 'pulls/<pr>/reviews?per_page=100',
        reviewsNote: 'the last state of each reviewer counts: APPROVED is an approval',
        reviewLines: 'pulls/<pr>/comments?per_page=100',
        replyToLine: 'answer one with POST pulls/<pr>/comments/<its id>/replies {"body":"…"}',
        checks: ['commits/<sha of your last commit>/check-runs', 'commits/<sha of your last commit>/status'],
        open: ['pulls', { title: '…', body: '…', head: input.branch, base: input.baseBranch }],
        merge: ['PUT', 'pulls/<pr>/merge', { merge_method: 'merge' }],
      })
    case 'gitlab':
      return block(input, {
        api: `${apiUrl}/projects/${encodeURIComponent(`${repository.owner}/${repository.repo}`)}`,
        header: '${t:+PRIVATE-TOKEN: $t}',
        issue: 'issues',
        comments: 'notes?per_page=100&sort=asc',
        findPr: `merge_requests?state=opened&per_page=100&source_branch=${branch}`,
        findNote: 'without &source_branch=… it lists all: also read those that mention the issue',
        pr: 'merge_requests/<pr>',
        prNote: '<pr> is its iid; has_conflicts tells of conflicts',
        prComments: 'merge_requests/<pr>/notes?per_page=100&sort=asc',
        reviews: 'merge_requests/<pr>/approvals',
        reviewsNote: 'approved_by names who approves',
        reviewLines: 'merge_requests/<pr>/discussions?per_page=100',
        replyToLine: 'answer one with POST merge_requests/<pr>/discussions/<its id>/notes {"body":"…"}',
        checks: ['merge_requests/<pr>/pipelines'],
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
  /** The login header, for a shell to expand: `$t` is the token, and without a token the header is empty. */
  header: string
  issue: string
  comments: string
  findPr: string
  findNote: string
  pr: string
  prNote: string
  prComments: string
  reviews: string
  reviewsNote: string
  /** Remarks on single lines; no forge lists them among the comments. */
  reviewLines: string
  replyToLine: string
  checks: string[]
  open: [path: string, body: object]
  merge: [method: string, path: string, body: object]
}

/**
 * A shell function that gives the token to curl through a pipe from the shell's own printf, because every user who lists
 * processes can read a program's arguments. Standard input stays free for the request body. The inner braces are for
 * zsh, which would otherwise join the pipe and the body.
 */
function forgeFunction({ tokens }: ForgeCallsInput, { header }: Calls): string {
  const token = tokens.reduceRight((rest, name) => `\${${name}:-${rest}}`, '')
  return `forge() { t=${token}; printf '%s\\n' "${header}" | { curl -sS -m 60 -H @/dev/fd/3 "$@" 3<&0 0<&4; }; } 4<&0`
}

function block(input: ForgeCallsInput, calls: Calls): string {
  const { number } = input
  const issue = `${calls.issue}/${number}`
  const lines = [
    'Begin every shell command that calls it with these two lines as they are; they keep the token out of the list of processes:',
    `  api="${calls.api}"`,
    `  ${forgeFunction(input, calls)}`,
    'and then',
    '  Read:  forge "$api/<path>"',
    `  Write: forge -X <method> -H 'Content-Type: application/json' "$api/<path>" --data-binary @- <<'JSON' … JSON`,
    'The paths:',
    ...(number === undefined
      ? []
      : [
          `  - the issue: ${issue}`,
          `  - its comments, all of them: ${issue}/${calls.comments}`,
          `  - comment on it: POST ${issue}/${withoutQuery(calls.comments)} {"body":"…"}`,
        ]),
    `  - open pull requests: ${calls.findPr} (${calls.findNote})`,
    `  - one pull request: ${calls.pr} (${calls.prNote})`,
    `  - its reviews and approvals: ${calls.reviews} (${calls.reviewsNote})`,
    `  - remarks on its lines: ${calls.reviewLines}; ${calls.replyToLine}`,
    `  - its comments: ${calls.prComments}; answer with POST ${withoutQuery(calls.prComments)} {"body":"…"}`,
    `  - its checks: ${calls.checks.join(' and ')}`,
    `  - open one: POST ${calls.open[0]} ${JSON.stringify(calls.open[1])}`,
    `  - merge (only when approved): ${calls.merge[0]} ${calls.merge[1]} ${JSON.stringify(calls.merge[2])}`,
    'A pull request has a number of its own: never put the issue number where <pr> stands. A list that is as long as its page may go on: add &page=2.',
  ]
  return lines.join('\n')
}

function withoutQuery(path: string): string {
  return path.split('?')[0] ?? path
}
