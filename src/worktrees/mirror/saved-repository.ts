/**
 * The repository for saved work, beside the mirror. Agents work and push in the mirror, so nothing private may be under a
 * ref there, and no gc of theirs may remove saved work. It borrows from the mirror only what the remote has, and a ref of
 * the mirror holds each public commit that it borrows. Everything else is copied into it.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { savedRepositoryOf } from './list.ts'
import { KugetsuError } from '../../core/errors.ts'
import { ensureDirectory, listDirectory, removeFile, writeAtomic } from '../../platform/files.ts'
import { copyRegular } from '../../platform/regular-file.ts'
import { exclusively } from '../../platform/locks.ts'
import { type GitCall, type GitOptions, inMirror, runGit } from '../../git/git.ts'
import { mirrorLockWaitMs } from './mirror.ts'
import { withPlainRepository } from '../../git/throwaway-repository.ts'
import { publicPrefix, recoveryPrefix, type RecoveryPoint } from './recovery-refs.ts'
import { mayHaveRefs } from '../../git/refs.ts'
import { despiteLocks } from '../../git/stale-locks.ts'
import { removeTree, sweepTemporary, temporarySibling } from '../../git/temporary.ts'

export interface StoreOptions extends GitOptions {
  mirror: string
  /** How to report a failure of git. */
  failure: NonNullable<GitCall['failure']>
}

/**
 * Puts a commit, with everything behind it, under a recovery ref, which must be new. `plain` is a plain repository
 * (withPlainRepository) that can read the commit because of lend(). The caller holds the mirror's lock. Throws as
 * `options.failure` says, also when the ref is taken.
 */
export async function storeSaved(
  options: StoreOptions,
  made: { ref: string; commit: string; plain: string },
): Promise<void> {
  const { ref, commit, plain } = made
  const repository = await openSaved(options, commit.length === 64)
  const saved = inside(options, repository)
  if ((await refsOf(saved, ref)).size > 0) {
    const message = `${options.failure.message}: ${ref} exists in ${repository}`
    throw new KugetsuError(message, { hint: 'Try again.', code: options.failure.code })
  }
  const borrowed = await publicCommitsBehind(options, plain, commit)
  await holdPublic(options, options.mirror, ref, borrowed)
  await holdPublic(options, repository, ref, borrowed)
  await carry(options, { commits: [commit], plain, to: repository, known: borrowed })
  const nothing = '0'.repeat(commit.length)
  await update(options, repository, ['-m', 'kugetsu: saved before removal', ref, commit, nothing])
  await releasePublic(options)
}

/**
 * Moves what version 0.1 saved under refs of the mirror itself, where a `git push --mirror` of an agent would publish it. A
 * point that cannot be moved stays where it is. Throws KugetsuError when git fails.
 */
export async function moveOldSaved(options: GitOptions & { mirror: string; lockFile: string }): Promise<void> {
  const { mirror, lockFile, signal } = options
  if (!mayHaveRefs(mirror, recoveryPrefix)) return
  const store = { ...options, failure: { message: `cannot move what is saved in ${mirror}`, code: 'save_failed' } }
  await exclusively(lockFile, { timeoutMs: mirrorLockWaitMs, signal }, async () => {
    for (const [ref, commit] of await refsOf(inside(store, mirror), recoveryPrefix)) {
      if (!(await isStored(store, ref, commit))) {
        await withPlainRepository({ ...store, beside: mirror, sha256: commit.length === 64 }, async (plain) => {
          lend(plain, [mirror])
          await storeSaved(store, { ref, commit, plain })
        })
      }
      await update(store, mirror, ['-d', ref, commit])
    }
  })
}

/** Whether a killed call has stored it already, but not yet removed it from the mirror. */
async function isStored(options: StoreOptions, ref: string, commit: string): Promise<boolean> {
  const repository = savedRepositoryOf(options.mirror)
  return fs.existsSync(repository) && (await refsOf(inside(options, repository), ref)).get(ref) === commit
}

/**
 * Brings saved commits, each with everything behind it, into the mirror, where no ref names them yet. `ref` is the recovery
 * ref that has them. The caller holds the mirror's lock. Throws as `options.failure` says.
 */
export async function bringBack(
  options: StoreOptions,
  made: { ref: string; commits: readonly string[]; plain: string },
): Promise<void> {
  const saved = inside(options, savedRepositoryOf(options.mirror))
  const borrowed = [...(await refsOf(saved, `${publicRefOf(made.ref)}/`)).values()]
  await holdPublic(options, options.mirror, made.ref, borrowed).catch((cause: unknown) => {
    options.signal?.throwIfAborted()
    throw new KugetsuError(`${options.failure.message}: ${options.mirror} lacks a commit that it is based on`, {
      hint: 'Start an issue of that repository, which fetches it, and try again.',
      code: options.failure.code,
      cause,
    })
  })
  await carry(options, { commits: made.commits, plain: made.plain, to: options.mirror, known: borrowed })
}

/**
 * Removes a recovery ref with what it borrows, unless it now points elsewhere. Removes the repository with the last ref.
 * Throws KugetsuError when git fails.
 */
export async function dropRecovery(
  options: GitOptions & { mirror: string; lockFile: string },
  point: RecoveryPoint,
): Promise<void> {
  const { mirror, signal } = options
  const quietly = { ...options, failure: { message: `cannot remove ${point.ref}`, code: 'git_failed' } }
  await exclusively(options.lockFile, { timeoutMs: mirrorLockWaitMs, signal }, async () => {
    await update(quietly, point.repository, ['-d', point.ref, point.commit])
    if (point.repository === mirror) return
    await releasePublic(quietly)
    if ((await refsOf(inside(quietly, point.repository), recoveryPrefix)).size === 0) await removeSaved(mirror)
  })
}

/** Removes the repository with the saved work of a mirror. The caller holds the mirror's lock. */
export async function removeSaved(mirror: string): Promise<void> {
  const repository = savedRepositoryOf(mirror)
  if (!fs.existsSync(repository)) return
  const trash = temporarySibling(repository)
  fs.renameSync(repository, trash)
  await removeTree(trash)
}

/** Lets a throwaway repository read the objects of others. */
export function lend(plain: string, repositories: readonly string[]): void {
  const there = repositories.filter((repository) => fs.existsSync(repository))
  const alternates = path.join(plain, 'objects', 'info', 'alternates')
  ensureDirectory(path.dirname(alternates))
  writeAtomic(alternates, there.map((repository) => `${path.join(repository, 'objects')}\n`).join(''))
}

async function openSaved(options: StoreOptions, sha256: boolean): Promise<string> {
  const repository = savedRepositoryOf(options.mirror)
  await sweepTemporary(repository)
  if (!fs.existsSync(repository)) {
    const temporary = temporarySibling(repository)
    try {
      await makeBare(options, temporary, sha256)
      // Relative, so that it stays valid when the home is moved or copied.
      const alternates = path.join(temporary, 'objects', 'info', 'alternates')
      ensureDirectory(path.dirname(alternates))
      writeAtomic(alternates, `../../${path.basename(options.mirror)}/objects\n`)
      fs.renameSync(temporary, repository)
    } finally {
      await removeTree(temporary)
    }
  }
  copyShallow(options.mirror, repository)
  // Removes leftovers of a killed git: no other git works here while we hold the lock.
  const packs = path.join(repository, 'objects', 'pack')
  for (const name of listDirectory(packs)) if (name.startsWith('tmp_')) removeFile(path.join(packs, name))
  return repository
}

/** Makes a mirror that knows nothing of its remote, which may be gone. openMirror() completes it when it is needed. */
export async function makeEmptyMirror(options: StoreOptions, sha256: boolean): Promise<void> {
  const temporary = temporarySibling(options.mirror)
  try {
    await makeBare(options, temporary, sha256)
    fs.renameSync(temporary, options.mirror)
  } finally {
    await removeTree(temporary)
  }
}

async function makeBare(options: StoreOptions, directory: string, sha256: boolean): Promise<void> {
  ensureDirectory(directory)
  const format = sha256 ? ['--object-format=sha256'] : []
  const call = { ...inside(options, directory), variables: {} }
  await runGit(['init', '--bare', '--quiet', '--template=', ...format, directory], call)
}

/** The remote's commits, as of the last fetch, on which the commits that only `commit` has are based. */
async function publicCommitsBehind(options: StoreOptions, plain: string, commit: string): Promise<string[]> {
  if (!fs.existsSync(options.mirror)) return []
  const mirror = inside(options, options.mirror)
  const variables = {
    ...mirror.variables,
    GIT_ALTERNATE_OBJECT_DIRECTORIES: path.join(plain, 'objects'),
    // An agent may have replaced some commits by others.
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_GRAFT_FILE: path.join(plain, 'no-grafts'),
  }
  const call = { ...mirror, variables }
  const text = await runGit(['rev-list', '--boundary', commit, '--not', '--remotes=origin', '--'], call)
  if (text === '') return [commit] // the remote has it
  const found = [...text.matchAll(/^-([0-9a-f]+)$/gm)].map(([, each]) => each ?? '')
  if (found.length < 2) return found
  return (await runGit(['merge-base', '--independent', ...found], call)).split('\n').filter((line) => line !== '')
}

/** Gives public commits refs. In the mirror, gc could otherwise take them once the remote has dropped them. */
async function holdPublic(
  options: StoreOptions,
  repository: string,
  ref: string,
  commits: readonly string[],
): Promise<void> {
  for (const [name, commit] of named(ref, commits)) await update(options, repository, [name, commit])
}

/** Removes the public refs whose recovery ref is gone, or was never made because its maker was killed. */
async function releasePublic(options: StoreOptions): Promise<void> {
  const repository = savedRepositoryOf(options.mirror)
  const points = await refsOf(inside(options, repository), recoveryPrefix)
  const isUsed = (name: string) => points.has(`${recoveryPrefix}${path.dirname(name).slice(publicPrefix.length)}`)
  for (const each of [repository, options.mirror].filter((directory) => fs.existsSync(directory))) {
    for (const name of (await refsOf(inside(options, each), publicPrefix)).keys()) {
      if (!isUsed(name)) await update(options, each, ['-d', name])
    }
  }
}

async function update(options: StoreOptions, repository: string, args: string[]): Promise<void> {
  const call = inside(options, repository)
  await despiteLocks(repository, options.signal, () => runGit(['update-ref', ...args], call))
}

function named(ref: string, commits: readonly string[]): [name: string, commit: string][] {
  return commits.map((commit, index) => [`${publicRefOf(ref)}/${index + 1}`, commit])
}

function publicRefOf(ref: string): string {
  return `${publicPrefix}${ref.slice(recoveryPrefix.length)}`
}

/** The refs under a prefix with their commits. */
async function refsOf(call: GitCall, prefix: string): Promise<Map<string, string>> {
  const text = await runGit(['for-each-ref', '--format=%(refname) %(objectname)', prefix], call)
  const lines = text.split('\n').filter((line) => line !== '')
  return new Map(lines.map((line) => line.split(' ') as [string, string]))
}

/**
 * Copies what is behind `commits` but not behind `known`; the repository `to` has refs on all of `known`. Uses a bundle: a
 * fetch would treat what `to` borrows as its own, and not copy it.
 */
async function carry(
  options: StoreOptions,
  what: { commits: readonly string[]; plain: string; to: string; known: readonly string[] },
): Promise<void> {
  const { plain, to } = what
  copyShallow(options.mirror, plain)
  const wanted = [...new Set(what.commits)].filter((commit) => !what.known.includes(commit))
  const isOf = inside(options, plain)
  const beyond = what.known.map((commit) => `^${commit}`)
  const isNew = async () => (await runGit(['rev-list', '--max-count=1', ...wanted, ...beyond, '--'], isOf)) !== ''
  if (wanted.length === 0 || !(await isNew())) return
  const bundle = path.join(plain, 'carried.bundle')
  const names = wanted.map((commit, index) => `${commit} refs/carried/${String(index).padStart(6, '0')}\n`)
  writeAtomic(path.join(plain, 'packed-refs'), `# pack-refs with: sorted \n${names.join('')}`, 'unsynced')
  await runGit(['bundle', 'create', '--quiet', bundle, '--glob=refs/carried', ...beyond], isOf)
  await runGit(['bundle', 'unbundle', bundle], inside(options, to))
}

/** Where history is cut short in the mirror, it is cut short in all repositories that borrow from it. */
function copyShallow(mirror: string, directory: string): void {
  const [from, to] = [path.join(mirror, 'shallow'), path.join(directory, 'shallow')]
  if (!copyRegular(from, to)) fs.rmSync(to, { force: true })
}

function inside(options: StoreOptions, repository: string): GitCall {
  return { ...inMirror({ ...options, path: repository }), failure: options.failure }
}
