/** What kugetsu asks of every kind of forge. Each kind answers in a file of its own. */
import type * as z from 'zod/mini'
import type { Repository } from '../core/issue-ref.ts'

/** A pull request, or merge request. */
export interface PullRequest {
  number: number
  /** Its page. */
  url: string
  state: 'open' | 'merged' | 'closed'
  /** The branch it wants to merge, in the same repository or in a fork. */
  headBranch: string
  /** Its newest commit; undefined when the forge does not say. */
  headSha: string | undefined
  baseBranch: string
  /** The commit on the base branch that the merge made. */
  mergedSha: string | undefined
}

/** Whether a pull request can be merged. Undefined when the forge has not found out yet, or cannot be asked. */
export interface Standing {
  /** It has no conflicts; only for open ones. */
  mergeable: boolean | undefined
  /** The result of the checks of its newest commit; `none` when there are none. */
  ci: 'success' | 'failure' | 'pending' | 'none' | undefined
}

/** The texts on an issue, by any person. */
export interface Issue {
  title: string
  /** Markdown, possibly empty. */
  text: string
}

/** The forge did not tell. The message is the rest of a sentence for a person, and holds nothing secret. */
export class Unclear extends Error {
  override readonly name = 'Unclear'
}

export interface Api {
  /**
   * The checked answer to a GET, and whether the list goes on; undefined for 404. `path` is relative to the API's base,
   * and its parts are already encoded. Throws Unclear, or the signal's reason once aborted.
   */
  get: <T>(path: string, schema: z.ZodMiniType<T>, query?: Query) => Promise<{ data: T; more: boolean } | undefined>
}

export type Query = Record<string, string | number>

/** One kind of forge. Its functions throw Unclear when a well-formed answer does not tell. */
export interface Forge {
  /** Headers of every request. */
  headers: (token: string | undefined) => Record<string, string>
  /** Where its API is, given the URL of its web pages without a trailing slash. */
  apiOf: (web: URL) => string
  /** Whether the API at that place is of this kind, asked without a token. */
  isAt: (api: Api) => Promise<boolean>
  /** The issue of that number; undefined when there is none, or the repository was not found. */
  issue: (api: Api, repository: Repository, number: number) => Promise<Issue | undefined>
  /** What follows owner and repository in the path of a pull request's page; the group is the number. */
  page: RegExp
  /** The path of an issue's page below that of its repository. */
  issuePage: (number: string) => string
  /** The path, also below it, of the page that opens a pull request of `branch`, into `base` or the default branch. */
  newPage: (branch: string, base: string | undefined) => string
  /** Such a path, for an error: `pull/15`. */
  examplePage: string
  /** The calls that an agent needs, for its prompt. */
  calls: (task: CallsFor) => PromptCalls
  /** The ref of a pull request's newest commit, which exists even when its branch is gone. */
  headRef: (number: number) => string
  /** The pull request of a branch of that repository, an open one first, then the newest; undefined when it has none. */
  ofBranch: (api: Api, repository: Repository, branch: string) => Promise<PullRequest | undefined>
  /** Undefined when there is no pull request of that number, or the repository was not found. */
  ofNumber: (api: Api, repository: Repository, number: number) => Promise<PullRequest | undefined>
  /** Whether the repository can be seen. */
  isReadable: (api: Api, repository: Repository) => Promise<boolean>
  standing: (api: Api, repository: Repository, pullRequest: PullRequest) => Promise<Standing>
}

export interface CallsFor {
  repository: Repository
  /** The address of the API, without a trailing slash. */
  apiUrl: string
  branch: string
  baseBranch: string
}

/** Calls of a forge's API as text: paths below `api`, and remarks on the answers. `<pr>` stands for a number. */
export interface PromptCalls {
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

/** The pull request of a branch that counts, of all its pull requests, newest first. */
export function foremost(pullRequests: readonly PullRequest[]): PullRequest | undefined {
  return pullRequests.find(({ state }) => state === 'open') ?? pullRequests[0]
}

/** A branch as a part of a path: its slashes stay. */
export function inPath(branch: string): string {
  return encodeURIComponent(branch).replaceAll('%2F', '/')
}

/** A full commit id, else undefined. Checked because it may become an argument of git. */
export function commitId(text: string | null | undefined): string | undefined {
  return text && /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(text) ? text : undefined
}
