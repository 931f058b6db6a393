/** Where the branch of a new worktree begins. */
import { KugetsuError } from '../core/errors.ts'
import { askRefs, type Refs } from '../git/refs.ts'
import type { GitRepository } from '../git/repository.ts'

export interface Start {
  /** `existing`: on the local branch as it is. `at commit`: the branch is made at, or moved up to, the commit. */
  kind: 'existing' | 'at commit'
  commit: string
  /** Neither this mirror nor the remote has the branch. */
  isNew: boolean
  onRemote: boolean
  baseBranch: string
}

const origin = 'refs/remotes/origin/'

export interface StartOptions {
  mirror: GitRepository
  branch: string
  base?: string | undefined
  /** False: the local branch has no commits of its own, so it may be moved. */
  ownCommits?: boolean
  /** The refs of startRefs(), if they are known; otherwise git is asked. */
  refs?: Refs | undefined
}

/** The refs that chooseStart() reads besides the local branch. While these stay, so does the start of a new branch. */
export function remoteStartRefs({ branch, base }: { branch: string; base?: string | undefined }): string[] {
  return [origin + branch, `${origin}HEAD`, ...(base === undefined ? [] : [origin + base])]
}

/** All refs that chooseStart() reads. */
export function startRefs(options: { branch: string; base?: string | undefined }): string[] {
  return [`refs/heads/${options.branch}`, ...remoteStartRefs(options)]
}

/** The branch that work on `branch` is based on: the given one, else the remote's default branch. */
export async function baseOf(options: StartOptions): Promise<string> {
  if (options.base !== undefined) return options.base
  const head = (await askRefs(options.mirror, [`${origin}HEAD`])).get(`${origin}HEAD`)
  return head?.target.slice(origin.length) ?? options.branch
}

/** Throws KugetsuError `unknown_base`, `no_default_branch`. */
export async function chooseStart(options: StartOptions): Promise<Start> {
  const { mirror, branch, base } = options
  const local = `refs/heads/${branch}`
  const refs = options.refs ?? (await askRefs(mirror, startRefs(options)))
  const defaultBranch = refs.get(`${origin}HEAD`)?.target.slice(origin.length)
  const baseBranch = base ?? defaultBranch ?? branch
  const remote = refs.get(origin + branch)?.commit
  const baseCommit = refs.get(base === undefined ? `${origin}HEAD` : origin + base)?.commit
  if (base !== undefined && baseCommit === undefined) throw await unknownBase(mirror, base)

  const ours = refs.get(local)?.commit
  const begin = remote ?? baseCommit
  const onRemote = remote !== undefined
  if (ours !== undefined) {
    // Left over from an earlier worktree. Its own commits stay; without any, it is moved up to the start.
    const isElsewhere = begin !== undefined && begin !== ours
    const behind = isElsewhere && (options.ownCommits === false || (await isAncestor(mirror, ours, begin)))
    const commit = behind ? begin : ours
    return { kind: behind ? 'at commit' : 'existing', commit, isNew: false, onRemote, baseBranch }
  }
  if (begin === undefined) {
    throw new KugetsuError('the remote has no default branch to start from', {
      hint: `Name one with --base or KUGETSU_BASE_BRANCH: ${await branchList(mirror)}`,
      code: 'no_default_branch',
    })
  }
  return { kind: 'at commit', commit: begin, isNew: !onRemote, onRemote, baseBranch }
}

/** Makes the local branch follow the remote's. */
export async function followRemote({ mirror, branch }: StartOptions): Promise<void> {
  const track = ['branch', `--set-upstream-to=origin/${branch}`, branch]
  await mirror.despiteLocks(() => mirror.git(track)).catch(() => {}) // a push works without it
}

/** Whether `one` is `other` or a commit before it. */
export async function isAncestor(mirror: GitRepository, one: string, other: string): Promise<boolean> {
  return (await mirror.ask(['merge-base', '--is-ancestor', one, other])) !== undefined
}

async function unknownBase(mirror: GitRepository, base: string): Promise<KugetsuError> {
  return new KugetsuError(`the remote has no branch "${base}" to start from`, {
    hint: `It has: ${await branchList(mirror)}`,
    code: 'unknown_base',
  })
}

async function branchList(mirror: GitRepository): Promise<string> {
  const shown = 10
  const args = ['for-each-ref', '--sort=-committerdate', '--format=%(refname)', origin]
  const names = (await mirror.git(args))
    .split('\n')
    .filter((name) => name.startsWith(origin) && name !== `${origin}HEAD`)
    .map((name) => name.slice(origin.length))
  const more = names.length - shown
  return names.slice(0, shown).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
