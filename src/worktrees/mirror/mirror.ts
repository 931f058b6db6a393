/** The bare mirror that all worktrees of a repository share: cloned once, fetched after that. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { awaitedLater } from '../../core/awaited-later.ts'
import { KugetsuError } from '../../core/errors.ts'
import { maskCredentials } from '../../core/masking.ts'
import { ensureDirectory } from '../../platform/files.ts'
import { setAsideDamaged } from './damaged.ts'
import { defaultBranch, headOfRemote, theirUsual } from './default-branch.ts'
import { beginFetch, completeFetch, fetchesSoFar, type Fetches } from './fetch-record.ts'
import type { GitRepository } from '../../git/repository.ts'
import { gitEnvironment } from '../../git/environment.ts'
import { gitFailure } from '../../git/failure.ts'
import { lostPartsOfMirror, mendMirror } from './mend.ts'
import { readMirrorConfig } from '../../git/mirror-config.ts'
import { settingsIn, usersValue } from '../../git/foreign-programs.ts'
import { isRepository } from '../../git/place.ts'
import { removeStraySettings, straySettings } from './stray-settings.ts'
import { removeTree, sweepTemporary, temporarySibling } from '../../git/temporary.ts'

const branchesOfOrigin = '+refs/heads/*:refs/remotes/origin/*'

const needsNoSsh = /^(https?|git|file):\/\//

export interface MirrorOptions {
  /** The clone URL. */
  url: string
  /** Gets what git says while it clones or fetches, a line at a time. */
  onProgress?: ((text: string) => void) | undefined
  /**
   * Extra work under the lock, before the fetch; not called for a newly cloned mirror. It must be short, since others
   * wait for the lock, and must not reject.
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
export async function openMirror(mirror: GitRepository, options: MirrorOptions): Promise<Mirror> {
  if (options.url === '' || options.url.startsWith('-')) {
    throw new KugetsuError(`not a clone URL: "${options.url}"`, { code: 'bad_url', hint: 'Check repos.json.' })
  }
  const known = fetchesSoFar(mirror.lockFile)
  return await mirror.exclusively(async () => {
    try {
      return await cloneOrFetch(mirror, options, known)
    } catch (error) {
      // A part that one worktree has lost can keep git from fetching for all of them.
      if (!isRepository(mirror.path) || lostPartsOfMirror(mirror).length === 0) throw error
      const mended = await mendMirror(mirror)
      options.onMended?.(mended)
      return await cloneOrFetch(mirror, { ...options, beforeFetch: undefined }, known)
    }
  })
}

/** The caller holds the lock. `known` are the fetches on record when it began to wait for the lock. */
async function cloneOrFetch(mirror: GitRepository, options: MirrorOptions, known: Fetches): Promise<Mirror> {
  const { url } = options
  const end = async (created: boolean) => {
    return { created, defaultBranch: await defaultBranch(mirror, () => requireBranch(mirror, url)) }
  }
  await sweepTemporary(mirror.path)
  if (!isRepository(mirror.path)) {
    setAsideDamaged(mirror.path)
    await create(mirror, options)
    return end(true)
  }
  let config = readMirrorConfig(mirror.path)
  const stray = await straySettings(mirror, config)
  if (stray.length > 0) {
    await mirror.despiteLocks(() => removeStraySettings(mirror, stray))
    config = readMirrorConfig(mirror.path)
    options.onStray?.(stray)
  }
  const isFetched = () => fetchesSoFar(mirror.lockFile).completed > known.begun
  // Not in parallel with the fetch: when git has to register the worktree, a fetch that brings commits would fail.
  const before = awaitedLater(Promise.resolve(options.beforeFetch?.()))
  if (isSetUp(config, url) && needsNoSsh.test(url)) {
    await before
    if (isFetched() || (await fetchWithoutSsh(mirror, options))) return end(false)
  }
  const settings = awaitedLater(settingsOf(mirror))
  await Promise.allSettled([before, settings])
  const ssh = await checkSettings(mirror, url, await settings)
  if (!isFetched()) await fetchOrigin(withSsh(mirror, ssh), options)
  return end(false)
}

/** Fetches into an existing mirror. Throws KugetsuError `fetch_failed`. */
export async function fetchMirror(mirror: GitRepository): Promise<void> {
  await mirror.exclusively(async () => fetchOrigin(await asUser(mirror)))
}

/** The ids of the objects that the remote's refs, tags among them, name now. Throws KugetsuError `fetch_failed`. */
export async function objectsOfRemote(mirror: GitRepository): Promise<Set<string>> {
  const failure = { message: `cannot ask the remote of ${path.basename(mirror.path)}`, code: 'fetch_failed' }
  const asking = (await asUser(mirror)).with({ asksRemote: true, failure })
  const text = await asking.git(['ls-remote', '--quiet', ...theirUsual, 'origin'])
  return new Set([...text.matchAll(/^([0-9a-f]{40,64})\t/gm)].map(([, object]) => object ?? ''))
}

/**
 * Whether the mirror has that commit. If need be, fetches the remote's ref `ref`; no ref of the mirror names the commit
 * then. Throws when interrupted.
 */
export async function hasCommit(
  mirror: GitRepository,
  { commit, ref }: { commit: string; ref: string },
): Promise<boolean> {
  const { signal } = mirror
  const isThere = async () => (await mirror.ask(['cat-file', '-e', `${commit}^{commit}`])) !== undefined
  const there = () => isThere().catch(() => signal?.throwIfAborted() ?? false)
  if (await there()) return true
  try {
    await mirror.exclusively(async () => {
      const args = ['fetch', '--no-tags', '--no-recurse-submodules', '--no-write-fetch-head']
      const asking = (await asUser(mirror)).with({ asksRemote: true })
      await asking.git([...args, ...theirUsual, 'origin', ref])
    })
  } catch {
    signal?.throwIfAborted()
  }
  return there()
}

async function create(mirror: GitRepository, { url, onProgress }: MirrorOptions): Promise<void> {
  const temporary = temporarySibling(mirror.path)
  ensureDirectory(temporary)
  const fetch = beginFetch(mirror.lockFile)
  try {
    // Ignores any repository that the home may lie in.
    const outside = mirror.from(temporary, { GIT_CEILING_DIRECTORIES: path.dirname(temporary) })
    const failure = { message: `cannot clone ${url}`, code: 'clone_failed' }
    const cloning = (await asUser(outside)).with({ asksRemote: true, onProgress, failure })
    // Not --bare: that would put the remote's branches into refs/heads. This way origin/HEAD comes in the same trip.
    const how = ['--no-checkout', '--template=', '--origin=origin', '--progress']
    await cloning.git(['clone', ...how, '--', url, 'clone'])
    const cloned = mirror.at(path.join(temporary, 'clone', '.git'))
    await configure(cloned, url)
    await requireBranch(cloned, url)
    const local = await cloned.git(['for-each-ref', '--format=%(refname)', 'refs/heads'])
    for (const ref of local.split('\n').filter((line) => line !== '')) await cloned.git(['update-ref', '-d', ref])
    fs.renameSync(cloned.path, mirror.path)
    completeFetch(mirror.lockFile, fetch)
  } finally {
    await removeTree(temporary)
  }
}

/** The settings of a mirror. The last one marks all of them as set. */
async function configure(repository: GitRepository, url: string): Promise<void> {
  const settings = {
    'core.bare': 'true',
    'core.logAllRefUpdates': 'true',
    'gc.auto': '0',
    'maintenance.auto': 'false',
    // A plain `git push` in a worktree goes to the branch of the same name, on every version of git.
    'push.default': 'current',
    'push.autoSetupRemote': 'true',
    'remote.origin.url': url,
    'remote.origin.fetch': branchesOfOrigin,
    // Git 2.48 and newer follow a renamed default branch in the same round trip.
    'remote.origin.followRemoteHEAD': 'always',
    'kugetsu.layout': '1',
  }
  for (const [name, value] of Object.entries(settings)) {
    await repository.git(['config', '--replace-all', name, value])
  }
}

function isSetUp(settings: ReadonlyMap<string, string> | undefined, url: string): boolean {
  return settings?.get('kugetsu.layout') === '1' && settings.get('remote.origin.url') === url
}

/** Lists the settings that must be known before a fetch. */
async function settingsOf(mirror: GitRepository): Promise<string> {
  const wanted = '^(remote\\.origin\\.url|kugetsu\\.layout|core\\.sshcommand)$'
  return (await mirror.ask(['config', '--show-scope', '-z', '--get-regexp', wanted])) ?? ''
}

/** Brings the settings in line with the wanted URL; returns the user's core.sshCommand. */
async function checkSettings(mirror: GitRepository, url: string, listing: string): Promise<string | undefined> {
  const settings = new Map(settingsIn(listing).map(({ name, value }) => [name, value]))
  if (!isSetUp(settings, url)) await mirror.despiteLocks(() => configure(mirror, url))
  return usersValue(listing, 'core.sshcommand')
}

/** The core.sshCommand that the user has set for all repositories. One set in the mirror itself would be an agent's. */
async function usersSsh(repository: GitRepository): Promise<string | undefined> {
  const args = ['config', '--show-scope', '-z', '--get-regexp', '^core\\.sshcommand$']
  return usersValue((await repository.ask(args)) ?? '', 'core.sshcommand')
}

/**
 * Fetches without first asking git which ssh the user has set, which saves a process. False when that has to be known: the
 * user's url.*.insteadOf can turn any URL into ssh, and git refuses that here before it has done anything.
 */
async function fetchWithoutSsh(mirror: GitRepository, options: MirrorOptions): Promise<boolean> {
  const { env } = mirror.call
  const allowed = gitEnvironment(env)['GIT_ALLOW_PROTOCOL'] ?? ''
  const others = allowed.split(':').filter((protocol) => protocol !== 'ssh')
  try {
    await fetchOrigin(mirror.with({ env: { ...env, GIT_ALLOW_PROTOCOL: others.join(':') } }), options)
    return true
  } catch (error) {
    if (gitFailure(error)?.stderr.includes("transport 'ssh' not allowed") === true) return false
    throw error
  }
}

async function fetchOrigin(mirror: GitRepository, { url, onProgress }: Partial<MirrorOptions> = {}): Promise<void> {
  const fetch = beginFetch(mirror.lockFile)
  const args = ['fetch', '--prune', '--no-recurse-submodules', '--no-write-fetch-head', '--progress']
  // A `git fetch --depth` in one worktree cuts the history off for all of them.
  if (fs.existsSync(path.join(mirror.path, 'shallow'))) args.push('--unshallow')
  const failure = { message: `cannot fetch ${url ?? path.basename(mirror.path)}`, code: 'fetch_failed' }
  const asking = mirror.with({ asksRemote: true, onProgress, failure })
  await mirror.despiteLocks(() => asking.git([...args, ...theirUsual, 'origin', branchesOfOrigin, headOfRemote]))
  completeFetch(mirror.lockFile, fetch)
}

/** The repository for calls that reach a remote: with the ssh that the user has set for all repositories. */
export async function asUser(repository: GitRepository): Promise<GitRepository> {
  return withSsh(repository, await usersSsh(repository))
}

/** GIT_SSH_COMMAND outranks the user's core.sshCommand, so a core.sshCommand of theirs is passed on as that variable. */
function withSsh(repository: GitRepository, sshCommand: string | undefined): GitRepository {
  const { env } = repository.call
  if (sshCommand === undefined || sshCommand === '' || env['GIT_SSH_COMMAND'] !== undefined) return repository
  return repository.with({ env: { ...env, GIT_SSH_COMMAND: sshCommand } })
}

async function requireBranch(mirror: GitRepository, url: string): Promise<void> {
  if ((await mirror.git(['for-each-ref', '--count=1', 'refs/remotes/origin'])) !== '') return
  throw new KugetsuError(`${maskCredentials(url)} is empty: it has no branch`, {
    hint: 'Push a first commit, then try again.',
    code: 'empty_repository',
  })
}
