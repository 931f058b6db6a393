/**
 * The repository for saved work, beside the mirror. Agents work and push in the mirror, so nothing private may be under a
 * ref there, and no gc of theirs may remove saved work. It borrows from the mirror only what the remote has, and a ref of
 * the mirror holds each public commit that it borrows. Everything else is copied into it.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { savedRepositoryOf } from './list.ts'
import { ensureDirectory, listDirectory, removeFile, writeAtomic } from '../../platform/files.ts'
import { copyRegular } from '../../platform/regular-file.ts'
import type { GitRepository } from '../../git/repository.ts'
import { withPlainRepository } from '../../git/throwaway-repository.ts'
import { publicPrefix, recoveryPrefix, type RecoveryPoint } from './recovery-refs.ts'
import { mayHaveRefs } from '../../git/refs.ts'
import { removeTree, sweepTemporary, temporarySibling } from '../../git/temporary.ts'

/**
 * Puts a commit, with everything behind it, under a recovery ref, which must be new. `plain` is a plain repository
 * (withPlainRepository) that can read the commit because of lend(). The caller holds the mirror's lock. Throws as the
 * mirror's `failure` says, also when the ref is taken.
 */
export async function storeSaved(
  mirror: GitRepository,
  { ref, commit, plain }: { ref: string; commit: string; plain: GitRepository },
): Promise<void> {
  const saved = await openSaved(mirror, commit.length === 64)
  if ((await refsOf(saved, ref)).size > 0) throw mirror.failed(`${ref} exists in ${saved.path}`, { hint: 'Try again.' })
  const borrowed = await publicCommitsBehind(mirror, plain, commit)
  await holdPublic(mirror, ref, borrowed)
  await holdPublic(saved, ref, borrowed)
  await carry(mirror, { commits: [commit], plain, to: saved, known: borrowed })
  const nothing = '0'.repeat(commit.length)
  await update(saved, ['-m', 'kugetsu: saved before removal', ref, commit, nothing])
  await releasePublic(mirror, saved)
}

/**
 * Moves what version 0.1 saved under refs of the mirror itself, where a `git push --mirror` of an agent would publish it. A
 * point that cannot be moved stays where it is. Throws KugetsuError when git fails.
 */
export async function moveOldSaved(of: GitRepository): Promise<void> {
  if (!mayHaveRefs(of.path, recoveryPrefix)) return
  const mirror = of.with({ failure: { message: `cannot move what is saved in ${of.path}`, code: 'save_failed' } })
  await mirror.exclusively(async () => {
    for (const [ref, commit] of await refsOf(mirror, recoveryPrefix)) {
      if (!(await isStored(mirror, ref, commit))) await storeOwn(mirror, ref, commit)
      await update(mirror, ['-d', ref, commit])
    }
  })
}

/** Stores a commit that the mirror has. The caller holds the mirror's lock. Throws as storeSaved. */
export async function storeOwn(mirror: GitRepository, ref: string, commit: string): Promise<void> {
  await withPlainRepository(mirror, { sha256: commit.length === 64 }, async (plain) => {
    lend(plain, [mirror.path])
    await storeSaved(mirror, { ref, commit, plain })
  })
}

/** Whether a killed call has stored it already, but not yet removed it from the mirror. */
async function isStored(mirror: GitRepository, ref: string, commit: string): Promise<boolean> {
  const saved = savedOf(mirror)
  return fs.existsSync(saved.path) && (await refsOf(saved, ref)).get(ref) === commit
}

/**
 * Brings saved commits, each with everything behind it, into the mirror, where no ref names them yet. `ref` is the recovery
 * ref that has them. The caller holds the mirror's lock. Throws as the mirror's `failure` says.
 */
export async function bringBack(
  mirror: GitRepository,
  { ref, commits, plain }: { ref: string; commits: readonly string[]; plain: GitRepository },
): Promise<void> {
  const borrowed = [...(await refsOf(savedOf(mirror), `${publicRefOf(ref)}/`)).values()]
  await holdPublic(mirror, ref, borrowed).catch((cause: unknown) => {
    mirror.signal?.throwIfAborted()
    throw mirror.failed(`${mirror.path} lacks a commit that it is based on`, {
      hint: 'Start an issue of that repository, which fetches it, and try again.',
      cause,
    })
  })
  await carry(mirror, { commits, plain, to: mirror, known: borrowed })
}

/**
 * Removes a recovery ref with what it borrows, unless it now points elsewhere. Removes the repository with the last ref.
 * Throws KugetsuError when git fails.
 */
export async function dropRecovery(of: GitRepository, point: RecoveryPoint): Promise<void> {
  const mirror = of.with({ failure: { message: `cannot remove ${point.ref}`, code: 'git_failed' } })
  const repository = mirror.at(point.repository)
  await mirror.exclusively(async () => {
    await update(repository, ['-d', point.ref, point.commit])
    if (repository.path === mirror.path) return
    await releasePublic(mirror, savedOf(mirror))
    if ((await refsOf(repository, recoveryPrefix)).size === 0) await removeSaved(mirror.path)
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
export function lend(plain: GitRepository, repositories: readonly string[]): void {
  const there = repositories.filter((repository) => fs.existsSync(repository))
  const alternates = path.join(plain.path, 'objects', 'info', 'alternates')
  ensureDirectory(path.dirname(alternates))
  writeAtomic(alternates, there.map((repository) => `${path.join(repository, 'objects')}\n`).join(''))
}

function savedOf(mirror: GitRepository): GitRepository {
  return mirror.at(savedRepositoryOf(mirror.path))
}

async function openSaved(mirror: GitRepository, sha256: boolean): Promise<GitRepository> {
  const saved = savedOf(mirror)
  await sweepTemporary(saved.path)
  if (!fs.existsSync(saved.path)) {
    const temporary = temporarySibling(saved.path)
    try {
      await makeBare(mirror, temporary, sha256)
      // Relative, so that it stays valid when the home is moved or copied.
      const alternates = path.join(temporary, 'objects', 'info', 'alternates')
      ensureDirectory(path.dirname(alternates))
      writeAtomic(alternates, `../../${path.basename(mirror.path)}/objects\n`)
      fs.renameSync(temporary, saved.path)
    } finally {
      await removeTree(temporary)
    }
  }
  copyShallow(mirror, saved)
  // Removes leftovers of a killed git: no other git works here while we hold the lock.
  const packs = path.join(saved.path, 'objects', 'pack')
  for (const name of listDirectory(packs)) if (name.startsWith('tmp_')) removeFile(path.join(packs, name))
  return saved
}

/** Makes a mirror that knows nothing of its remote, which may be gone. openMirror() completes it when it is needed. */
export async function makeEmptyMirror(mirror: GitRepository, sha256: boolean): Promise<void> {
  const temporary = temporarySibling(mirror.path)
  try {
    await makeBare(mirror, temporary, sha256)
    fs.renameSync(temporary, mirror.path)
  } finally {
    await removeTree(temporary)
  }
}

async function makeBare(mirror: GitRepository, directory: string, sha256: boolean): Promise<void> {
  ensureDirectory(directory)
  const format = sha256 ? ['--object-format=sha256'] : []
  await mirror.from(directory, {}).git(['init', '--bare', '--quiet', '--template=', ...format, directory])
}

/** The remote's commits, as of the last fetch, on which the commits that only `commit` has are based. */
async function publicCommitsBehind(mirror: GitRepository, plain: GitRepository, commit: string): Promise<string[]> {
  if (!fs.existsSync(mirror.path)) return []
  const variables = {
    GIT_ALTERNATE_OBJECT_DIRECTORIES: path.join(plain.path, 'objects'),
    // An agent may have replaced some commits by others.
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_GRAFT_FILE: path.join(plain.path, 'no-grafts'),
  }
  const looking = mirror.with({ variables })
  const text = await looking.git(['rev-list', '--boundary', commit, '--not', '--remotes=origin', '--'])
  if (text === '') return [commit] // the remote has it
  const found = [...text.matchAll(/^-([0-9a-f]+)$/gm)].map(([, each]) => each ?? '')
  if (found.length < 2) return found
  return (await looking.git(['merge-base', '--independent', ...found])).split('\n').filter((line) => line !== '')
}

/** Gives public commits refs. In the mirror, gc could otherwise take them once the remote has dropped them. */
async function holdPublic(repository: GitRepository, ref: string, commits: readonly string[]): Promise<void> {
  for (const [index, commit] of commits.entries())
    await update(repository, [`${publicRefOf(ref)}/${index + 1}`, commit])
}

/** Removes the public refs without a recovery ref: it is gone, or its maker was killed before making it. */
async function releasePublic(mirror: GitRepository, saved: GitRepository): Promise<void> {
  const points = await refsOf(saved, recoveryPrefix)
  const isUsed = (name: string) => points.has(`${recoveryPrefix}${path.dirname(name).slice(publicPrefix.length)}`)
  for (const each of [saved, mirror].filter(({ path: directory }) => fs.existsSync(directory))) {
    for (const name of (await refsOf(each, publicPrefix)).keys()) if (!isUsed(name)) await update(each, ['-d', name])
  }
}

async function update(repository: GitRepository, args: string[]): Promise<void> {
  await repository.despiteLocks(() => repository.git(['update-ref', ...args]))
}

function publicRefOf(ref: string): string {
  return `${publicPrefix}${ref.slice(recoveryPrefix.length)}`
}

/** The refs under a prefix with their commits. */
async function refsOf(repository: GitRepository, prefix: string): Promise<Map<string, string>> {
  const text = await repository.git(['for-each-ref', '--format=%(refname) %(objectname)', prefix])
  const lines = text.split('\n').filter((line) => line !== '')
  return new Map(lines.map((line) => line.split(' ') as [string, string]))
}

/**
 * Copies what is behind `commits` but not behind `known`; the repository `to` has refs on all of `known`. Uses a bundle: a
 * fetch would treat what `to` borrows as its own, and not copy it.
 */
async function carry(
  mirror: GitRepository,
  what: { commits: readonly string[]; plain: GitRepository; to: GitRepository; known: readonly string[] },
): Promise<void> {
  const { plain, to } = what
  copyShallow(mirror, plain)
  const wanted = [...new Set(what.commits)].filter((commit) => !what.known.includes(commit))
  const beyond = what.known.map((commit) => `^${commit}`)
  const isNew = async () => (await plain.git(['rev-list', '--max-count=1', ...wanted, ...beyond, '--'])) !== ''
  if (wanted.length === 0 || !(await isNew())) return
  const bundle = path.join(plain.path, 'carried.bundle')
  const names = wanted.map((commit, index) => `${commit} refs/carried/${String(index).padStart(6, '0')}\n`)
  writeAtomic(path.join(plain.path, 'packed-refs'), `# pack-refs with: sorted \n${names.join('')}`, 'unsynced')
  await plain.git(['bundle', 'create', '--quiet', bundle, '--glob=refs/carried', ...beyond])
  await to.git(['bundle', 'unbundle', bundle])
}

/** Where history is cut short in the mirror, it is cut short in all repositories that borrow from it. */
function copyShallow(mirror: GitRepository, other: GitRepository): void {
  const [from, to] = [path.join(mirror.path, 'shallow'), path.join(other.path, 'shallow')]
  if (!copyRegular(from, to)) fs.rmSync(to, { force: true })
}
