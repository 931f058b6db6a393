/**
 * Registers a worktree in its mirror, without its files, locked as unfinished.
 *
 * `git worktree add` writes the entry file by file, and HEAD twice: first with a commit that does not exist. Another git
 * that looks at all worktrees meanwhile fails ("bad object worktrees/…/HEAD"), for example a fetch that brings commits. So
 * kugetsu makes the entry where git does not look, and moves it into place by one rename (gitrepository-layout(5),
 * "worktrees/"). The entry is what git 2.31 to 2.55 make. When the mirror is not plainly of a known kind, git makes the
 * entry.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { ensureDirectory } from '../platform/files.ts'
import { lockedByAdd, placeOfAdded, type WorktreeEntry } from '../git/worktree-entries.ts'
import { type MirrorConfig, readMirrorConfig } from '../git/mirror-config.ts'
import { hasRoom, readRefs } from '../git/refs.ts'
import { temporarySibling } from '../git/temporary.ts'
import { operationIn } from './at-risk/operations.ts'
import type { WorktreePlace } from './issue-worktree.ts'

/** What HEAD will be: an existing branch, a branch to be made at (or moved to) a commit, or a commit alone. */
export type Target = { branch: string; commit?: string } | { branch?: never; commit: string }

/**
 * Registers a worktree at a free `path`. The caller holds the mirror's lock and passes the `others`. A branch that has to be
 * made or moved may not be so until `git reset --hard <commit>` runs in the worktree. Throws KugetsuError `worktree_failed`;
 * a branch that was to be made may exist then.
 */
export async function register(
  options: WorktreePlace,
  target: Target,
  others: readonly WorktreeEntry[],
): Promise<void> {
  ensureDirectory(path.dirname(options.path))
  if (!registerAtOnce(options, target, others)) await registerByGit(options, target)
}

async function registerByGit(options: WorktreePlace, { branch, commit }: Target): Promise<void> {
  const failure = { message: `cannot make the worktree ${options.path}`, code: 'worktree_failed' }
  const mirror = options.mirror.with({ failure })
  const where =
    branch === undefined
      ? ['--detach', '--', options.path, commit]
      : commit === undefined
        ? ['--', options.path, branch]
        : ['-B', branch, '--no-track', '--', options.path, commit]
  // --lock marks it as unfinished until the checkout is complete; git does it before anything else.
  const add = ['worktree', 'add', '--no-checkout', '--lock', ...where]
  await mirror.despiteLocks(() => mirror.git(add))
}

/** False, with nothing changed, when git has to do it or has to report what is wrong. */
function registerAtOnce(
  { mirror, path: place }: WorktreePlace,
  { branch, commit }: Target,
  others: readonly WorktreeEntry[],
): boolean {
  const made: string[] = []
  try {
    const [repository, home] = [fs.realpathSync(mirror.path), fs.realpathSync(path.dirname(place))]
    const id = path.basename(place)
    const entry = path.join(repository, 'worktrees', id)
    if (!isPlainName(id) || !isPlainPath(repository) || !isPlainPath(home) || !isPlainMirror(repository)) return false
    if (branch !== undefined && !(isFree(branch, others) && isMakeable(repository, branch, commit))) return false

    const [files, temporary] = [temporarySibling(place), temporarySibling(placeOfAdded(repository))]
    made.push(files, temporary)
    fs.mkdirSync(files)
    fs.writeFileSync(path.join(files, '.git'), `gitdir: ${entry}\n`)
    fs.mkdirSync(temporary)
    fs.mkdirSync(path.join(temporary, 'refs'))
    fs.writeFileSync(path.join(temporary, 'locked'), `${lockedByAdd}\n`)
    fs.writeFileSync(path.join(temporary, 'gitdir'), `${path.join(home, id, '.git')}\n`)
    fs.writeFileSync(path.join(temporary, 'commondir'), '../..\n')
    fs.writeFileSync(path.join(temporary, 'HEAD'), branch === undefined ? `${commit}\n` : `ref: refs/heads/${branch}\n`)
    fs.mkdirSync(path.dirname(entry), { recursive: true })
    // A rename would replace a directory that another git has made but not yet written to.
    if (fs.existsSync(entry)) throw new Error('git finds another name')
    // The directory comes first: without an entry git ignores it, and it is swept if this process dies here.
    fs.renameSync(files, place)
    made.push(place)
    fs.renameSync(temporary, entry)
    return true
  } catch {
    for (const directory of made.reverse()) removeQuietly(directory)
    return false
  }
}

function removeQuietly(directory: string): void {
  try {
    fs.rmSync(directory, { recursive: true, force: true })
  } catch {
    // the next call sweeps it
  }
}

/**
 * Whether no other worktree has the branch. During a rebase or bisect, one may hold a branch that its HEAD does not name.
 */
function isFree(branch: string, others: readonly WorktreeEntry[]): boolean {
  return !others.some((entry) => entry.branch === branch || operationIn(entry.directory) !== undefined)
}

/** Whether the branch exists, or nothing is in the way of making it. */
function isMakeable(mirror: string, branch: string, commit: string | undefined): boolean {
  const ref = `refs/heads/${branch}`
  const refs = readRefs(mirror, [ref])
  return refs !== undefined && (refs.has(ref) || (commit !== undefined && hasRoom(mirror, ref)))
}

/**
 * Whether no setting of the mirror changes what an entry looks like. `usual` has the settings that git and tools often
 * write.
 */
function isPlainMirror(mirror: string): boolean {
  const config = readMirrorConfig(mirror)
  if (config === undefined || fs.existsSync(path.join(mirror, 'info', 'sparse-checkout'))) return false
  return isBare(config) && [...config].every(([name, value]) => isWithoutEffect(name, value))
}

function isBare(config: MirrorConfig): boolean {
  const version = config.get('core.repositoryformatversion')
  return config.get('core.bare') === 'true' && (version === '0' || version === '1')
}

function isWithoutEffect(name: string, value: string): boolean {
  if (name.startsWith('extensions.')) return name === 'extensions.objectformat' && /^sha(1|256)$/.test(value)
  return !name.startsWith('core.') || usual.has(name.slice('core.'.length))
}

const usual = new Set([
  'repositoryformatversion',
  'bare',
  'filemode',
  'symlinks',
  'ignorecase',
  'precomposeunicode',
  'logallrefupdates',
  'autocrlf',
  'eol',
  'safecrlf',
  'editor',
  'pager',
  'hookspath',
  'fsmonitor',
  'untrackedcache',
  'excludesfile',
  'attributesfile',
  'sshcommand',
])

/** Whether git uses this name unchanged for an entry. */
function isPlainName(id: string): boolean {
  return /^[\w#+=,%][\w#+=,%.-]*$/.test(id) && !/\.\.|\.(lock)?$/.test(id)
}

/** Whether the path fits in a one-line file. */
function isPlainPath(place: string): boolean {
  // eslint-disable-next-line no-control-regex
  return !/[\u0000-\u001f\u007f]/.test(place)
}
