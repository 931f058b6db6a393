/** The bare mirror that all worktrees of a repository share: cloned once, fetched after that. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { awaitedLater } from '../../core/awaited-later.ts'
import { KugetsuError } from '../../core/errors.ts'
import { maskCredentials } from '../../core/masking.ts'
import { ensureDirectory } from '../../platform/files.ts'
import { exclusively } from '../../platform/locks.ts'
import { setAsideDamaged } from './damaged.ts'
import { defaultBranch, headOfRemote, theirUsual } from './default-branch.ts'
import { beginFetch, completeFetch, fetchesSoFar, type Fetches } from './fetch-record.ts'
import { askGit, type GitCall, type GitOptions, inMirror, runGit } from '../../git/git.ts'
import { gitEnvironment } from '../../git/environment.ts'
import { gitFailure } from '../../git/failure.ts'
import { lostPartsOfMirror, mendMirror } from './mend.ts'
import { readMirrorConfig } from '../../git/mirror-config.ts'
import { settingsIn, usersValue } from '../../git/foreign-programs.ts'
import { isRepository } from '../../git/place.ts'
import { despiteLocks } from '../../git/stale-locks.ts'
import { removeStraySettings, straySettings } from './stray-settings.ts'
import { removeTree, sweepTemporary, temporarySibling } from '../../git/temporary.ts'

/**
 * How long to wait for the lock of a mirror. Its holder is alive (the kernel frees the lock otherwise) and ends a silent git
 * by itself. The first clone of a large repository takes its time.
 */
export const mirrorLockWaitMs = 3_600_000

const branchesOfOrigin = '+refs/heads/*:refs/remotes/origin/*'

const needsNoSsh = /^(https?|git|file):\/\//

export interface MirrorOptions extends GitOptions {
  /** Where the mirror is, `…/<repo>.git`. */
  path: string
  /** The clone URL. */
  url: string
  /** The lock of this mirror, as for exclusively(). */
  lockFile: string
  /** Gets what git says while it clones or fetches, a line at a time. */
  onProgress?: ((text: string) => void) | undefined
  /**
   * Extra work under the lock, before the fetch; not called for a mirror that is cloned. It must be short, since others wait
   * for the lock, and must not reject.
   */
  beforeFetch?: (() => Promise<void>) | undefined
  /** Called with the parts of the mirror that were lost and are now mended. */
  onMended?: ((parts: string[]) => void) | undefined
  /** Called with removed settings (`name=value`) that belonged to one worktree but applied to all. */
  onStray?: ((settings: string[]) => void) | undefined
}

export interface Mirror {
  /** This call cloned it. */
  created: boolean
  /** The branch the remote's HEAD names; undefined when it names none that exists. */
  defaultBranch: string | undefined
}

/**
 * Makes the mirror if it is missing, else fetches into it; usually in one round trip to the remote. A fetch that another
 * process began after this call, and completed, counts as ours. Remote branches are `refs/remotes/origin/*`; `refs/heads/*`
 * belongs to the worktrees, and a fetch never touches it.
 *
 * Throws KugetsuError `clone_failed`, `fetch_failed`, `empty_repository`, `bad_url`, `mirror_damaged`, `interrupted`.
 */
export async function openMirror(options: MirrorOptions): Promise<Mirror> {
  if (options.url === '' || options.url.startsWith('-')) {
    throw new KugetsuError(`not a clone URL: "${options.url}"`, { code: 'bad_url', hint: 'Check repos.json.' })
  }
  const known = fetchesSoFar(options.lockFile)
  return await exclusively(options.lockFile, { timeoutMs: mirrorLockWaitMs, signal: options.signal }, async () => {
    try {
      return await cloneOrFetch(options, known)
    } catch (error) {
      // A part that one worktree has lost can keep git from fetching for all of them.
      if (!isRepository(options.path) || lostPartsOfMirror(options.path).length === 0) throw error
      const mended = await mendMirror(options)
      options.onMended?.(mended)
      return await cloneOrFetch({ ...options, beforeFetch: undefined }, known)
    }
  })
}

/** The caller holds the lock. `known` are the fetches on record when it began to wait for the lock. */
async function cloneOrFetch(options: MirrorOptions, known: Fetches): Promise<Mirror> {
  await sweepTemporary(options.path)
  if (!isRepository(options.path)) {
    setAsideDamaged(options.path)
    await create(options)
    return { created: true, defaultBranch: await defaultBranch(options, () => requireBranch(options)) }
  }
  let config = readMirrorConfig(options.path)
  const stray = await straySettings(options, config)
  if (stray.length > 0) {
    await despiteLocks(options.path, options.signal, () => removeStraySettings(options, stray))
    config = readMirrorConfig(options.path)
    options.onStray?.(stray)
  }
  const isFetched = () => fetchesSoFar(options.lockFile).completed > known.begun
  // Not in parallel with the fetch: when git has to register the worktree, a fetch that brings commits would fail.
  const before = awaitedLater(Promise.resolve(options.beforeFetch?.()))
  const isKnown = isSetUp(config, options)
  if (isKnown && needsNoSsh.test(options.url)) {
    await before
    if (isFetched() || (await fetchWithoutSsh(options)))
      return { created: false, defaultBranch: await defaultBranch(options, () => requireBranch(options)) }
  }
  const settings = awaitedLater(settingsOf(options))
  await Promise.allSettled([before, settings])
  const ssh = await checkSettings(options, await settings)
  if (!isFetched()) await fetchOrigin(withSsh(options, ssh))
  return { created: false, defaultBranch: await defaultBranch(options, () => requireBranch(options)) }
}

/** Fetches into an existing mirror. Throws KugetsuError `fetch_failed`. */
export async function fetchMirror(options: GitOptions & { path: string; lockFile: string }): Promise<void> {
  await exclusively(options.lockFile, { timeoutMs: mirrorLockWaitMs, signal: options.signal }, async () => {
    await fetchOrigin(withSsh(options, await usersSsh(inMirror(options))))
  })
}

/** The ids of the objects that the remote's refs, tags among them, name now. Throws KugetsuError `fetch_failed`. */
export async function objectsOfRemote(options: GitOptions & { path: string }): Promise<Set<string>> {
  const failure = { message: `cannot ask the remote of ${path.basename(options.path)}`, code: 'fetch_failed' }
  const call = { ...inMirror(withSsh(options, await usersSsh(inMirror(options)))), asksRemote: true, failure }
  const text = await runGit(['ls-remote', '--quiet', ...theirUsual, 'origin'], call)
  return new Set([...text.matchAll(/^([0-9a-f]{40,64})\t/gm)].map(([, object]) => object ?? ''))
}

/**
 * Whether the mirror has that commit. If need be, fetches the remote's ref `ref`; no ref of the mirror names the commit
 * then. Throws when interrupted.
 */
export async function hasCommit(
  options: GitOptions & { path: string; lockFile: string; commit: string; ref: string },
): Promise<boolean> {
  const { commit, ref, signal } = options
  const isThere = async () => (await askGit(['cat-file', '-e', `${commit}^{commit}`], inMirror(options))) !== undefined
  const there = () => isThere().catch(() => signal?.throwIfAborted() ?? false)
  if (await there()) return true
  try {
    await exclusively(options.lockFile, { timeoutMs: mirrorLockWaitMs, signal }, async () => {
      const args = ['fetch', '--no-tags', '--no-recurse-submodules', '--no-write-fetch-head']
      const call = inMirror(withSsh(options, await usersSsh(inMirror(options))))
      await runGit([...args, ...theirUsual, 'origin', ref], { ...call, asksRemote: true })
    })
  } catch {
    signal?.throwIfAborted()
  }
  return there()
}

async function create(options: MirrorOptions): Promise<void> {
  const temporary = temporarySibling(options.path)
  ensureDirectory(temporary)
  const fetch = beginFetch(options.lockFile)
  try {
    // Ignores any repository that the home may lie in.
    const outside = { GIT_CEILING_DIRECTORIES: path.dirname(temporary) }
    const call: GitCall = { ...inMirror({ ...options, path: temporary }), variables: outside }
    const ssh = await usersSsh(call)
    // Not --bare: that would put the remote's branches into refs/heads. This way origin/HEAD comes in the same trip.
    const clone = ['clone', '--no-checkout', '--template=', '--origin=origin', '--progress', '--', options.url, 'clone']
    await runGit(clone, {
      ...withSsh(call, ssh),
      asksRemote: true,
      onProgress: options.onProgress,
      failure: { message: `cannot clone ${options.url}`, code: 'clone_failed' },
    })
    const repository = path.join(temporary, 'clone', '.git')
    await configure(repository, options)
    await requireBranch({ ...options, path: repository })
    const local = await runGit(
      ['for-each-ref', '--format=%(refname)', 'refs/heads'],
      inMirror({ ...options, path: repository }),
    )
    for (const ref of local.split('\n').filter((line) => line !== '')) {
      await runGit(['update-ref', '-d', ref], inMirror({ ...options, path: repository }))
    }
    fs.renameSync(repository, options.path)
    completeFetch(options.lockFile, fetch)
  } finally {
    await removeTree(temporary)
  }
}

/** The settings of a mirror. The last one marks all of them as set. */
async function configure(repository: string, options: MirrorOptions): Promise<void> {
  const settings = {
    'core.bare': 'true',
    'core.logAllRefUpdates': 'true',
    'gc.auto': '0',
    'maintenance.auto': 'false',
    // A plain `git push` in a worktree goes to the branch of the same name, on every version of git.
    'push.default': 'current',
    'push.autoSetupRemote': 'true',
    'remote.origin.url': options.url,
    'remote.origin.fetch': branchesOfOrigin,
    // Git 2.48 and newer follow a renamed default branch in the same round trip.
    'remote.origin.followRemoteHEAD': 'always',
    'kugetsu.layout': '1',
  }
  for (const [name, value] of Object.entries(settings)) {
    await runGit(['config', '--replace-all', name, value], inMirror({ ...options, path: repository }))
  }
}

function isSetUp(settings: ReadonlyMap<string, string> | undefined, { url }: MirrorOptions): boolean {
  return settings?.get('kugetsu.layout') === '1' && settings.get('remote.origin.url') === url
}

/** Lists the settings that must be known before a fetch. */
async function settingsOf(options: MirrorOptions): Promise<string> {
  const wanted = '^(remote\\.origin\\.url|kugetsu\\.layout|core\\.sshcommand)$'
  return (await askGit(['config', '--show-scope', '-z', '--get-regexp', wanted], inMirror(options))) ?? ''
}

/** Brings the settings in line with the wanted URL; returns the user's core.sshCommand. */
async function checkSettings(options: MirrorOptions, listing: string): Promise<string | undefined> {
  const settings = new Map(settingsIn(listing).map(({ name, value }) => [name, value]))
  if (!isSetUp(settings, options)) {
    await despiteLocks(options.path, options.signal, () => configure(options.path, options))
  }
  return usersValue(listing, 'core.sshcommand')
}

/** The core.sshCommand that the user has set for all repositories. One set in the mirror itself would be an agent's. */
async function usersSsh(call: GitCall): Promise<string | undefined> {
  const args = ['config', '--show-scope', '-z', '--get-regexp', '^core\\.sshcommand$']
  return usersValue((await askGit(args, call)) ?? '', 'core.sshcommand')
}

/**
 * Fetches without first asking git which ssh the user has set, which saves a process. False when that has to be known: the
 * user's url.*.insteadOf can turn any URL into ssh, and git refuses that here before it has done anything.
 */
async function fetchWithoutSsh(options: MirrorOptions): Promise<boolean> {
  const allowed = gitEnvironment(options.env)['GIT_ALLOW_PROTOCOL'] ?? ''
  const others = allowed.split(':').filter((protocol) => protocol !== 'ssh')
  try {
    await fetchOrigin({ ...options, env: { ...options.env, GIT_ALLOW_PROTOCOL: others.join(':') } })
    return true
  } catch (error) {
    if (gitFailure(error)?.stderr.includes("transport 'ssh' not allowed") === true) return false
    throw error
  }
}

async function fetchOrigin(
  options: GitOptions & {
    path: string
    lockFile: string
    url?: string
    onProgress?: ((text: string) => void) | undefined
  },
): Promise<void> {
  const fetch = beginFetch(options.lockFile)
  const args = ['fetch', '--prune', '--no-recurse-submodules', '--no-write-fetch-head', '--progress']
  // A `git fetch --depth` in one worktree cuts the history off for all of them.
  if (fs.existsSync(path.join(options.path, 'shallow'))) args.push('--unshallow')
  const call: GitCall = {
    ...inMirror(options),
    asksRemote: true,
    onProgress: options.onProgress,
    failure: { message: `cannot fetch ${options.url ?? path.basename(options.path)}`, code: 'fetch_failed' },
  }
  await despiteLocks(options.path, options.signal, () =>
    runGit([...args, ...theirUsual, 'origin', branchesOfOrigin, headOfRemote], call),
  )
  completeFetch(options.lockFile, fetch)
}

/** GIT_SSH_COMMAND outranks the user's core.sshCommand, so a core.sshCommand that is set is passed on as that variable. */
function withSsh<T extends GitOptions>(options: T, sshCommand: string | undefined): T {
  if (sshCommand === undefined || sshCommand === '' || options.env['GIT_SSH_COMMAND'] !== undefined) return options
  return { ...options, env: { ...options.env, GIT_SSH_COMMAND: sshCommand } }
}

async function requireBranch(options: GitOptions & { path: string; url: string }): Promise<void> {
  if ((await runGit(['for-each-ref', '--count=1', 'refs/remotes/origin'], inMirror(options))) !== '') return
  throw new KugetsuError(`${maskCredentials(options.url)} is empty: it has no branch`, {
    hint: 'Push a first commit, then try again.',
    code: 'empty_repository',
  })
}
