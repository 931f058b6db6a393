/**
 * Answers of forges, whole, in the shapes that the forges publish. Taken from:
 *
 *   Gitea   templates/swagger/v1_json.tmpl of Gitea 1.23.8 (definitions PullRequest, PRBranchInfo, Repository, User,
 *           CombinedStatus, CommitStatus; every property that is always sent is here), and services/convert/{pull,status}.go for
 *           what it fills in: the `ref` of a head whose branch is deleted, `null` for a commit without a status.
 *   GitHub  api.github.com.json of github/rest-api-description, as in @octokit/openapi 23.0.2 (schemas
 *           pull-request-simple, pull-request, repository, simple-user, combined-commit-status, simple-commit-status,
 *           check-run, basic-error; all that is required in them is here).
 *   GitLab  spec/fixtures/api/schemas/public_api/v4/{merge_request,merge_requests,pipeline/*,user/basic}.json and
 *           doc/api/merge_requests.md of gitlabhq/gitlabhq.
 */

/** A pull request as a test wants it. */
export interface Pull {
  number: number
  branch: string
  state: 'open' | 'merged' | 'closed'
  base?: string
  /** The newest commit; a function is asked at each request. */
  headSha?: string | (() => string)
  mergedSha?: string
  /** It comes from a fork; `deleted` when that is gone. */
  fork?: 'there' | 'deleted'
  /** Its branch is gone. */
  branchDeleted?: boolean
  /** Null while the forge has not found out. */
  mergeable?: boolean | null
  /** GitLab's head pipeline. */
  pipeline?: string
}

export interface Checks {
  /** States of commit statuses, one a context. */
  statuses?: string[]
  /** GitHub's check runs, with a conclusion or null. */
  runs?: { status: string; conclusion: string | null }[]
}

/** Where the answers say that they come from. */
export interface Site {
  /** The web pages, as the forge itself calls them. */
  web: string
  api: string
  owner: string
  repo: string
}

const time = '2026-04-01T12:00:00Z'
const newest = (pull: Pull) => new Date(Date.parse(time) + pull.number * 60_000).toISOString().replace('.000', '')
const ended = (pull: Pull, state?: Pull['state']) =>
  pull.state !== 'open' && (state === undefined || pull.state === state) ? newest(pull) : null
const headOf = ({ headSha = 'a'.repeat(40) }: Pull) => (typeof headSha === 'string' ? headSha : headSha())

export function giteaPull(site: Site, pull: Pull): object {
  const page = `${site.web}/${site.owner}/${site.repo}/pulls/${pull.number}`
  const { base = 'main', branch } = pull
  const isGone = pull.branchDeleted === true || pull.fork === 'deleted'
  return {
    id: 1000 + pull.number,
    url: page,
    number: pull.number,
    user: giteaUser(site),
    title: `Pull ${pull.number}`,
    body: '',
    labels: [],
    milestone: null,
    assignee: null,
    assignees: [],
    requested_reviewers: [],
    requested_reviewers_teams: [],
    state: pull.state === 'open' ? 'open' : 'closed',
    draft: false,
    is_locked: false,
    comments: 0,
    review_comments: 0,
    additions: 1,
    deletions: 0,
    changed_files: 1,
    html_url: page,
    diff_url: `${page}.diff`,
    patch_url: `${page}.patch`,
    mergeable: pull.mergeable ?? pull.state === 'open',
    merged: pull.state === 'merged',
    merged_at: ended(pull, 'merged'),
    merge_commit_sha: pull.state === 'merged' ? (pull.mergedSha ?? 'b'.repeat(40)) : null,
    merged_by: pull.state === 'merged' ? giteaUser(site) : null,
    allow_maintainer_edit: false,
    base: { label: base, ref: base, sha: 'c'.repeat(40), repo_id: 7, repo: giteaRepository(site) },
    head: {
      label: branch,
      ref: isGone ? `refs/pull/${pull.number}/head` : branch,
      sha: headOf(pull),
      repo_id: pull.fork === 'deleted' ? -1 : pull.fork === 'there' ? 8 : 7,
      repo: pull.fork === 'deleted' ? null : giteaRepository(pull.fork === 'there' ? { ...site, owner: 'you' } : site),
    },
    merge_base: 'c'.repeat(40),
    due_date: null,
    created_at: newest(pull),
    updated_at: newest(pull),
    closed_at: ended(pull),
    pin_order: 0,
  }
}

export function giteaRepository(site: Site): object {
  const web = `${site.web}/${site.owner}/${site.repo}`
  const yes = ['has_issues', 'has_pull_requests', 'allow_merge_commits', 'allow_rebase', 'allow_squash_merge']
  const no = [
    'empty private fork template mirror archived internal has_wiki has_projects has_releases has_packages has_actions',
    'ignore_whitespace_conflicts allow_rebase_explicit allow_fast_forward_only_merge allow_rebase_update',
    'default_delete_branch_after_merge default_allow_maintainer_edit',
  ].flatMap((names) => names.split(' '))
  const none = ['size', 'stars_count', 'forks_count', 'watchers_count', 'open_issues_count', 'open_pr_counter']
  return {
    id: site.owner === 'you' ? 8 : 7,
    owner: giteaUser(site),
    name: site.repo,
    full_name: `${site.owner}/${site.repo}`,
    description: '',
    parent: null,
    language: '',
    languages_url: `${site.api}/repos/${site.owner}/${site.repo}/languages`,
    html_url: web,
    url: `${site.api}/repos/${site.owner}/${site.repo}`,
    link: '',
    ssh_url: `git@forge.test:${site.owner}/${site.repo}.git`,
    clone_url: `${web}.git`,
    original_url: '',
    website: '',
    ...Object.fromEntries([...none, 'release_counter'].map((name) => [name, 0])),
    ...Object.fromEntries(yes.map((name) => [name, true])),
    ...Object.fromEntries(no.map((name) => [name, false])),
    default_branch: 'main',
    created_at: time,
    updated_at: time,
    archived_at: '1970-01-01T00:00:00Z',
    permissions: { admin: false, push: true, pull: true },
    internal_tracker: {
      enable_time_tracker: true,
      allow_only_contributors_to_track_time: true,
      enable_issue_dependencies: true,
    },
    projects_mode: 'all',
    default_merge_style: 'merge',
    avatar_url: '',
    mirror_interval: '',
    object_format_name: 'sha1',
    mirror_updated: '0001-01-01T00:00:00Z',
    repo_transfer: null,
    topics: [],
    licenses: null,
  }
}

function giteaUser({ web, owner }: Site): object {
  return {
    id: 3,
    login: owner,
    login_name: '',
    source_id: 0,
    full_name: '',
    email: `${owner}@noreply.forge.test`,
    avatar_url: `${web}/avatars/1`,
    html_url: `${web}/${owner}`,
    language: '',
    is_admin: false,
    last_login: '0001-01-01T00:00:00Z',
    created: time,
    restricted: false,
    active: false,
    prohibit_login: false,
    location: '',
    website: '',
    description: '',
    visibility: 'public',
    followers_count: 0,
    following_count: 0,
    starred_repos_count: 0,
  }
}

/** One page of them; null when the commit has none. */
export function giteaStatus(site: Site, sha: string, states: string[]): object | null {
  if (states.length === 0) return null
  const order = ['error', 'failure', 'warning', 'pending', 'success']
  const url = `${site.api}/repos/${site.owner}/${site.repo}/statuses/${sha}`
  const worst = order.find((state) => states.includes(state)) ?? ''
  return {
    state: worst === 'error' ? 'failure' : worst,
    sha,
    total_count: states.length,
    statuses: states.map((status, index) => ({
      id: index + 1,
      status,
      target_url: '',
      description: '',
      url,
      context: `check-${index + 1}`,
      creator: giteaUser(site),
      created_at: time,
      updated_at: time,
    })),
    repository: giteaRepository(site),
    commit_url: '',
    url: '',
  }
}

export function giteaError(message: string): object {
  return { message, url: 'https://forge.test/api/swagger', errors: null }
}

/** `single` adds what only the request for one pull request has. */
export function githubPull(site: Site, pull: Pull, single: boolean): object {
  const url = `${site.api}/repos/${site.owner}/${site.repo}/pulls/${pull.number}`
  const issue = `${site.api}/repos/${site.owner}/${site.repo}/issues/${pull.number}`
  const page = `${site.web}/${site.owner}/${site.repo}/pull/${pull.number}`
  const statuses = `${site.api}/repos/${site.owner}/${site.repo}/statuses/${headOf(pull)}`
  const { base = 'main', branch } = pull
  const fork = { ...site, owner: 'you' }
  const from = pull.fork === undefined ? site : fork
  const comment = `${site.api}/repos/${site.owner}/${site.repo}/pulls/comments{/number}`
  const links = {
    self: url,
    html: page,
    issue,
    comments: `${issue}/comments`,
    review_comments: `${url}/comments`,
    review_comment: comment,
    commits: `${url}/commits`,
    statuses,
  }
  const common = {
    url,
    id: 1000 + pull.number,
    node_id: `PR_${pull.number}`,
    html_url: page,
    diff_url: `${page}.diff`,
    patch_url: `${page}.patch`,
    issue_url: issue,
    number: pull.number,
    state: pull.state === 'open' ? 'open' : 'closed',
    locked: false,
    title: `Pull ${pull.number}`,
    user: githubUser(site),
    body: null,
    created_at: newest(pull),
    updated_at: newest(pull),
    closed_at: ended(pull),
    merged_at: ended(pull, 'merged'),
    // While it is open, a trial merge.
    merge_commit_sha: pull.state === 'closed' ? null : (pull.mergedSha ?? 'b'.repeat(40)),
    assignee: null,
    assignees: [],
    requested_reviewers: [],
    requested_teams: [],
    labels: [],
    milestone: null,
    draft: false,
    commits_url: `${url}/commits`,
    review_comments_url: `${url}/comments`,
    review_comment_url: comment,
    comments_url: `${issue}/comments`,
    statuses_url: statuses,
    head: {
      label: `${from.owner}:${branch}`,
      ref: branch,
      sha: headOf(pull),
      user: githubUser(from),
      repo: pull.fork === 'deleted' ? null : githubRepository(from),
    },
    base: {
      label: `${site.owner}:${base}`,
      ref: base,
      sha: 'c'.repeat(40),
      user: githubUser(site),
      repo: githubRepository(site),
    },
    _links: Object.fromEntries(Object.entries(links).map(([name, href]) => [name, { href }])),
    author_association: 'OWNER',
    auto_merge: null,
    active_lock_reason: null,
  }
  if (!single) return common
  return {
    ...common,
    merged: pull.state === 'merged',
    mergeable: pull.state === 'open' ? (pull.mergeable === undefined ? true : pull.mergeable) : null,
    rebaseable: null,
    mergeable_state: 'unknown',
    merged_by: pull.state === 'merged' ? githubUser(site) : null,
    comments: 0,
    review_comments: 0,
    maintainer_can_modify: false,
    commits: 1,
    additions: 1,
    deletions: 0,
    changed_files: 1,
  }
}

const githubUrls = [
  'archive assignees blobs branches collaborators comments commits compare contents contributors deployments downloads',
  'events forks git_commits git_refs git_tags hooks issue_comment issue_events issues keys labels languages merges',
  'milestones notifications pulls releases stargazers statuses subscribers subscription tags teams trees',
].flatMap((names) => names.split(' '))

export function githubRepository(site: Site): object {
  const url = `${site.api}/repos/${site.owner}/${site.repo}`
  const web = `${site.web}/${site.owner}/${site.repo}`
  const none = ['forks', 'forks_count', 'open_issues', 'open_issues_count', 'size', 'stargazers_count', 'watchers']
  return {
    id: site.owner === 'you' ? 8 : 7,
    node_id: 'R_7',
    name: site.repo,
    full_name: `${site.owner}/${site.repo}`,
    private: false,
    owner: githubUser(site),
    html_url: web,
    description: null,
    fork: site.owner === 'you',
    url,
    ...Object.fromEntries(githubUrls.map((name) => [`${name}_url`, `${url}/${name}`])),
    ...Object.fromEntries([...none, 'watchers_count'].map((name) => [name, 0])),
    clone_url: `${web}.git`,
    git_url: `git://github.com/${site.owner}/${site.repo}.git`,
    ssh_url: `git@github.com:${site.owner}/${site.repo}.git`,
    svn_url: web,
    mirror_url: null,
    homepage: null,
    language: null,
    license: null,
    default_branch: 'main',
    has_downloads: true,
    has_issues: true,
    has_projects: true,
    has_wiki: true,
    has_pages: false,
    archived: false,
    disabled: false,
    pushed_at: time,
    created_at: time,
    updated_at: time,
  }
}

function githubUser({ api, web, owner }: Site): object {
  const url = `${api}/users/${owner}`
  const urls = 'events followers following gists organizations received_events repos starred subscriptions'
  return {
    login: owner,
    id: 3,
    node_id: 'U_3',
    avatar_url: `${web}/avatars/3`,
    gravatar_id: '',
    url,
    html_url: `${web}/${owner}`,
    ...Object.fromEntries(urls.split(' ').map((name) => [`${name}_url`, `${url}/${name}`])),
    type: 'User',
    site_admin: false,
  }
}

/** The combined status: the state is that of all, whatever the page. */
export function githubStatus(site: Site, sha: string, states: string[], page: string[]): object {
  const url = `${site.api}/repos/${site.owner}/${site.repo}/commits/${sha}/status`
  const isBad = states.some((state) => state === 'failure' || state === 'error')
  const isDone = states.length > 0 && states.every((state) => state === 'success')
  return {
    state: isBad ? 'failure' : isDone ? 'success' : 'pending',
    statuses: page.map((state, index) => ({
      url: `${site.api}/repos/${site.owner}/${site.repo}/statuses/${sha}`,
      avatar_url: null,
      id: index + 1,
      node_id: `S_${index}`,
      state,
      description: null,
      target_url: null,
      context: `check-${index + 1}`,
      created_at: time,
      updated_at: time,
    })),
    sha,
    total_count: states.length,
    repository: githubRepository(site),
    commit_url: `${site.api}/repos/${site.owner}/${site.repo}/commits/${sha}`,
    url,
  }
}

export function githubCheckRuns(site: Site, sha: string, all: number, page: NonNullable<Checks['runs']>): object {
  return {
    total_count: all,
    check_runs: page.map(({ status, conclusion }, index) => ({
      id: index + 1,
      name: `run-${index + 1}`,
      node_id: `CR_${index}`,
      head_sha: sha,
      external_id: '',
      url: `${site.api}/repos/${site.owner}/${site.repo}/check-runs/${index + 1}`,
      html_url: null,
      details_url: null,
      status,
      conclusion,
      started_at: time,
      completed_at: conclusion === null ? null : time,
      output: {
        title: null,
        summary: null,
        text: null,
        annotations_count: 0,
        annotations_url: `${site.api}/repos/${site.owner}/${site.repo}/check-runs/${index + 1}/annotations`,
      },
      check_suite: { id: 1 },
      app: null,
      pull_requests: [],
    })),
  }
}

export function githubError(status: number, message: string): object {
  return { message, documentation_url: 'https://docs.github.com/rest', status: `${status}` }
}

/** `single` adds what only the request for one merge request has. */
export function gitlabPull(site: Site, pull: Pull, single: boolean): object {
  const path = `${site.owner}/${site.repo}`
  const { base = 'main', branch, pipeline } = pull
  const isMerged = pull.state === 'merged'
  const status = pull.mergeable === null ? 'unchecked' : pull.mergeable === false ? 'cannot_be_merged' : 'can_be_merged'
  const common = {
    id: 1000 + pull.number,
    iid: pull.number,
    project_id: 7,
    title: `Pull ${pull.number}`,
    description: null,
    state: pull.state === 'open' ? 'opened' : pull.state,
    created_at: newest(pull),
    updated_at: newest(pull),
    merged_by: isMerged ? gitlabUser(site) : null,
    merge_user: isMerged ? gitlabUser(site) : null,
    merged_at: ended(pull, 'merged'),
    closed_by: pull.state === 'closed' ? gitlabUser(site) : null,
    closed_at: ended(pull, 'closed'),
    target_branch: base,
    source_branch: branch,
    user_notes_count: 0,
    upvotes: 0,
    downvotes: 0,
    author: gitlabUser(site),
    assignees: [],
    assignee: null,
    reviewers: [],
    source_project_id: pull.fork === 'deleted' ? null : pull.fork === 'there' ? 8 : 7,
    target_project_id: 7,
    labels: [],
    draft: false,
    work_in_progress: false,
    milestone: null,
    merge_when_pipeline_succeeds: false,
    merge_status: status,
    detailed_merge_status: status === 'can_be_merged' ? 'mergeable' : status === 'unchecked' ? status : 'conflict',
    sha: headOf(pull),
    merge_commit_sha: isMerged ? (pull.mergedSha ?? 'b'.repeat(40)) : null,
    squash_commit_sha: null,
    discussion_locked: null,
    should_remove_source_branch: null,
    force_remove_source_branch: true,
    prepared_at: newest(pull),
    reference: `!${pull.number}`,
    references: { short: `!${pull.number}`, relative: `!${pull.number}`, full: `${path}!${pull.number}` },
    web_url: `${site.web}/${path}/-/merge_requests/${pull.number}`,
    time_stats: {
      time_estimate: 0,
      total_time_spent: 0,
      human_time_estimate: null,
      human_total_time_spent: null,
    },
    squash: false,
    squash_on_merge: false,
    task_completion_status: { count: 0, completed_count: 0 },
    has_conflicts: pull.mergeable === false,
    blocking_discussions_resolved: true,
    approvals_before_merge: null,
  }
  if (!single) return common
  return {
    ...common,
    subscribed: false,
    changes_count: '1',
    latest_build_started_at: null,
    latest_build_finished_at: null,
    first_deployed_to_production_at: null,
    pipeline: null,
    head_pipeline:
      pipeline === undefined
        ? null
        : {
            id: 5,
            iid: 5,
            project_id: 7,
            sha: headOf(pull),
            ref: branch,
            status: pipeline,
            source: 'push',
            created_at: time,
            updated_at: time,
            web_url: `${site.web}/${path}/-/pipelines/5`,
            before_sha: '0'.repeat(40),
            tag: false,
            yaml_errors: null,
            user: gitlabUser(site),
            started_at: null,
            finished_at: null,
            committed_at: null,
            duration: null,
            queued_duration: null,
            coverage: null,
          },
    diff_refs: { base_sha: 'c'.repeat(40), head_sha: headOf(pull), start_sha: 'c'.repeat(40) },
    merge_error: null,
    user: { can_merge: true },
  }
}

export function gitlabProject(site: Site): object {
  const path = `${site.owner}/${site.repo}`
  return {
    id: 7,
    description: null,
    name: site.repo,
    name_with_namespace: path.replaceAll('/', ' / '),
    path: site.repo,
    path_with_namespace: path,
    created_at: time,
    default_branch: 'main',
    tag_list: [],
    topics: [],
    ssh_url_to_repo: `git@gitlab.test:${path}.git`,
    http_url_to_repo: `${site.web}/${path}.git`,
    web_url: `${site.web}/${path}`,
    readme_url: null,
    forks_count: 0,
    avatar_url: null,
    star_count: 0,
    last_activity_at: time,
    namespace: {
      id: 2,
      name: site.owner,
      path: site.owner,
      kind: 'group',
      full_path: site.owner,
      parent_id: null,
      avatar_url: null,
      web_url: `${site.web}/groups/${site.owner}`,
    },
  }
}

function gitlabUser({ web, owner }: Site): object {
  return {
    id: 3,
    username: owner,
    name: owner,
    state: 'active',
    locked: false,
    avatar_url: `${web}/uploads/-/system/user/avatar/3/avatar.png`,
    web_url: `${web}/${owner}`,
  }
}
