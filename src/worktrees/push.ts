/** Pushes the branch of a worktree to the branch of the same name at its remote. Never by force. */
import * as path from 'node:path'
import { withoutCredentials } from '../config/remote-url.ts'
import { KugetsuError } from '../core/errors.ts'
import { plainLine } from '../core/plain-text.ts'
import { gitFailure } from '../git/failure.ts'
import { isNothing, placeOf, type Place } from '../git/place.ts'
import type { GitRepository } from '../git/repository.ts'
import { withPlainRepository } from '../git/throwaway-repository.ts'
import { branchAt } from '../git/head.ts'
import { operationIn } from './at-risk/operations.ts'
import { readStatus } from './at-risk/status.ts'
import type { WorktreePlace } from './issue-worktree.ts'
import { theirUsual } from './mirror/default-branch.ts'
import { asUser } from './mirror/mirror.ts'
import { lend } from './mirror/saved-repository.ts'

export interface PushOptions extends WorktreePlace {
  /** The issue, for errors. */
  label: string
  /** The address that kugetsu knows: an agent may have set another one in the mirror. */
  url: string
  /** The branch that the issue's work started from, if known. */
  base: string | undefined
}

export interface Pushed {
  branch: string
  /** How many commits the remote did not have; 0: nothing was pushed. */
  commits: number
  /** The branch that a pull request goes into, if known. */
  base: string | undefined
  /** Changed and untracked files, which are not in it. */
  uncommitted: number
}

type Located = Exclude<Place, { kind: 'missing' } | { kind: 'unknown' }>

/**
 * Pushes the branch. Throws KugetsuError `detached_head`, `base_branch`, `remote_ahead`, `needs_lfs`, `push_failed`,
 * `worktree_broken`; nothing was pushed then.
 */
export async function pushBranch(options: PushOptions): Promise<Pushed> {
  const { mirror, label, url } = options
  const place = locate(options)
  const here = mirror.worktree(options.path, place.gitDirectory)
  const branch = requireBranch(options, place)
  const head = (await here.ask(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}']))?.trim()
  if (head === undefined) return { branch, commits: 0, base: options.base, uncommitted: await uncommittedIn(here) }
  if (branch === options.base) throw isBase(label, branch)
  await requireNoLfs(options, here, place)
  return withPlainRepository(mirror, { sha256: head.length === 64 }, async (plain) => {
    // No setting of the repository applies here: none that an agent may have made leads the push elsewhere.
    lend(plain, [place.repository])
    const remote = await remoteOf(await asUser(plain), url, branch)
    if (branch === remote.base) throw isBase(label, branch)
    const uncommitted = await uncommittedIn(here)
    const base = options.base ?? remote.base
    if (remote.commit !== undefined && !(await isBehind(here, remote.commit, head))) throw isAhead(options, branch)
    const commits = await missingAt(here, head, remote)
    if (commits > 0) {
      await push(options, await asUser(plain), { branch, head })
      await note(mirror, place, branch, head)
    }
    return { branch, commits, base, uncommitted }
  })
}

function locate({ mirror, path: worktree, label }: PushOptions): Located {
  const place = placeOf(worktree, mirror.path)
  if (place.kind !== 'missing' && place.kind !== 'unknown') return place
  throw new KugetsuError(`git does not work in the worktree of ${label}: ${worktree}`, {
    hint: 'Try: kugetsu doctor --fix',
    code: 'worktree_broken',
  })
}

function requireBranch({ path: worktree, label }: PushOptions, place: Located): string {
  const branch = branchAt(worktree)
  if (branch !== undefined) return branch
  const operation = operationIn(place.gitDirectory)
  throw new KugetsuError(
    `the worktree of ${label} is on no branch${operation ? `: ${operation} is in progress` : ''}`,
    {
      hint: operation
        ? `Tell its agent to finish it: kugetsu continue ${label} "…"`
        : `Put its commits on a branch first: git -C ${worktree} switch -c <branch>`,
      code: 'detached_head',
    },
  )
}

/** git-lfs uploads its files in a hook, and kugetsu runs none. */
async function requireNoLfs(
  { label, path: worktree }: PushOptions,
  here: GitRepository,
  place: Located,
): Promise<void> {
  if (isNothing(path.join(place.repository, 'lfs', 'objects'))) return
  const attributes = [':(glob).gitattributes', ':(glob)**/.gitattributes']
  if ((await here.ask(['grep', '-q', '-e', 'filter=lfs', 'HEAD', '--', ...attributes])) === undefined) return
  throw new KugetsuError(`${label} has files of git-lfs, which only a hook uploads, and kugetsu runs no hooks`, {
    hint: `Push it yourself: git -C ${worktree} push -u origin HEAD`,
    code: 'needs_lfs',
  })
}

interface Remote {
  /** The commit of the branch; undefined when there is no such branch. */
  commit: string | undefined
  /** The default branch and its commit. */
  base: string | undefined
  baseCommit: string | undefined
}

async function remoteOf(plain: GitRepository, url: string, branch: string): Promise<Remote> {
  const failure = { message: `cannot ask ${withoutCredentials(url)}`, code: 'push_failed' }
  const asking = plain.with({ asksRemote: true, failure })
  const args = ['ls-remote', '--quiet', '--symref', ...theirUsual, '--', url, 'HEAD', `refs/heads/${branch}`]
  const text = await asking.git(args)
  const commitOf = (name: string) =>
    [...text.matchAll(/^([0-9a-f]{40,64})\t(.*)$/gm)].find(([, , ref]) => ref === name)?.[1]
  return {
    commit: commitOf(`refs/heads/${branch}`),
    base: /^ref: refs\/heads\/(.+)\tHEAD$/m.exec(text)?.[1],
    baseCommit: commitOf('HEAD'),
  }
}

async function has(here: GitRepository, commit: string): Promise<boolean> {
  return (await here.ask(['cat-file', '-e', `${commit}^{commit}`]).catch(() => undefined)) !== undefined
}

async function isBehind(here: GitRepository, commit: string, head: string): Promise<boolean> {
  return (await has(here, commit)) && (await here.ask(['merge-base', '--is-ancestor', commit, head])) !== undefined
}

/** How many commits the remote's branch lacks; of a new branch, those that no branch of the remote is known to have. */
async function missingAt(here: GitRepository, head: string, remote: Remote): Promise<number> {
  const base = remote.baseCommit !== undefined && (await has(here, remote.baseCommit)) ? [remote.baseCommit] : []
  const known = remote.commit === undefined ? [...base, '--remotes'] : [remote.commit]
  return Number(await here.line(['rev-list', '--count', head, '--not', ...known, '--']))
}

async function push(
  options: PushOptions,
  plain: GitRepository,
  { branch, head }: { branch: string; head: string },
): Promise<void> {
  const { url } = options
  const message = `cannot push ${branch} to ${withoutCredentials(url)}`
  const pushing = plain.with({ asksRemote: true, failure: { message, code: 'push_failed' } })
  const how = ['--progress', '--no-follow-tags', '--no-verify', '--recurse-submodules=no']
  try {
    await pushing.git(['push', ...how, '--receive-pack=git-receive-pack', '--', url, `${head}:refs/heads/${branch}`])
  } catch (error) {
    const said = gitFailure(error)?.stderr ?? ''
    if (/\[rejected\].*\((fetch first|non-fast-forward)\)/.test(said)) throw isAhead(options, branch)
    const why = /\[remote rejected\].*\((.*)\)/.exec(said)?.[1]
    if (why === undefined) throw error
    const remote = [...said.matchAll(/^remote: +(\S.*)$/gm)].map(([, line]) => line ?? '').slice(0, 3)
    throw new KugetsuError(plainLine(`${message}: ${[why, ...remote].join('; ')}`, 500), {
      hint: 'The remote refuses it. Its rules, or the rights of the token, may have to be changed.',
      code: 'push_failed',
      cause: error,
    })
  }
}

/** Notes in the mirror where the branch of the remote is now, as `git push` does. The next fetch does it otherwise. */
async function note(mirror: GitRepository, place: Located, branch: string, head: string): Promise<void> {
  if (place.kind !== 'worktree') return
  const args = ['update-ref', '-m', 'kugetsu push', `refs/remotes/origin/${branch}`, head]
  await mirror.despiteLocks(() => mirror.git(args)).catch(() => mirror.signal?.throwIfAborted())
}

async function uncommittedIn(here: GitRepository): Promise<number> {
  const { uncommitted, untracked } = await readStatus(here)
  return uncommitted.length + untracked.length
}

function isBase(label: string, branch: string): KugetsuError {
  return new KugetsuError(`${label} is on ${branch}, the branch that work is merged into; kugetsu does not push that`, {
    hint: `Put its commits on a branch first: git -C "$(kugetsu path ${label})" switch -c <branch>`,
    code: 'base_branch',
  })
}

function isAhead({ label }: PushOptions, branch: string): KugetsuError {
  return new KugetsuError(`${branch} at the remote has commits that are not in the worktree of ${label}`, {
    hint: `Have them merged first: kugetsu continue ${label} "pull ${branch} from origin and merge it"`,
    code: 'remote_ahead',
  })
}
