/** The files that git needs to work in a mirror at all, and their repair when one is empty or gone. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { codeOf, KugetsuError } from '../../core/errors.ts'
import { ensureDirectory, readLog, writeAtomic } from '../../platform/files.ts'
import { isSamePlace, listEntries } from '../../git/worktree-entries.ts'
import type { GitRepository } from '../../git/repository.ts'

/** A part of a mirror or worktree that can be lost. */
export interface Part {
  /** What was lost, in words. */
  name: string
  isBroken: () => boolean
  /** Throws when the lost contents are unknown. */
  mend: () => void | Promise<void>
}

/**
 * The lost parts of single worktrees that keep git from working in the whole mirror, of the mirror's own HEAD, and its broken
 * loose refs. Reads files only.
 */
export function lostPartsOfMirror(mirror: GitRepository): string[] {
  return partsOfMirror(mirror)
    .filter(({ isBroken }) => isBroken())
    .map(({ name }) => name)
}

/**
 * Mends the lost parts and returns their names. A branch at a commit that no record names is moved into the directory
 * `lost` of the mirror. The caller holds the mirror's lock.
 */
export async function mendMirror(mirror: GitRepository): Promise<string[]> {
  const mended: string[] = []
  for (const { name, isBroken, mend, putAway } of partsOfMirror(mirror)) {
    if (!isBroken()) continue
    try {
      await mend()
      mended.push(name)
    } catch (error) {
      mirror.signal?.throwIfAborted()
      if (!(error instanceof KugetsuError) || putAway === undefined) throw error
      mended.push(`${name}, without a record of its commit: ${putAway()}`)
    }
  }
  return mended
}

function partsOfMirror(mirror: GitRepository): (Part & { putAway?: () => string })[] {
  const place = mirror.path
  if (!isDirectory(path.join(place, 'objects')) || !isDirectory(path.join(place, 'refs'))) return []
  const refs = looseRefs(place, 'refs').map((ref) => ({
    ...refPart(mirror, ref, []),
    putAway: () => {
      const aside = path.join(place, 'lost', `${ref}.${Date.now()}`)
      ensureDirectory(path.dirname(aside))
      fs.renameSync(path.join(place, ref), aside)
      return aside
    },
  }))
  const links = listEntries(place).map(({ directory }) => linkToMirror(place, directory))
  return [headOfMirror(place), ...links, ...refs]
}

export function headOfMirror(mirror: string): Part {
  const file = path.join(mirror, 'HEAD')
  return {
    name: 'HEAD of the mirror',
    isBroken: () => !/^ref: refs\/heads\/\S+\n?$/.test(textOf(file) ?? ''),
    mend: () => writeAtomic(file, 'ref: refs/heads/main\n'), // any branch will do: no work is done there
  }
}

export function linkToMirror(mirror: string, directory: string): Part {
  const file = path.join(directory, 'commondir')
  const named = () => textOf(file)?.trim() ?? ''
  return {
    name: `the link of ${path.basename(directory)} to the mirror`,
    isBroken: () => isDirectory(directory) && (named() === '' || !isPlace(path.resolve(directory, named()), mirror)),
    mend: () => writeAtomic(file, '../..\n'),
  }
}

/** A ref with a file that names nothing. Its reflog, or one of the `others`, tells where it was. */
export function refPart(mirror: GitRepository, ref: string, others: readonly string[]): Part {
  const file = path.join(mirror.path, ref)
  return {
    name: ref.replace(/^refs\/(heads\/)?/, 'branch '),
    isBroken: () => isFile(file) && !/^(ref: refs\/\S+|[0-9a-f]{40}|[0-9a-f]{64})\n?$/.test(textOf(file) ?? ''),
    mend: async () => {
      // The next fetch brings the remote's refs back.
      if (ref.startsWith('refs/remotes/')) return fs.rmSync(file)
      const commit = await lastCommit(mirror, [path.join(mirror.path, 'logs', ref), ...others])
      if (commit === undefined) {
        throw new KugetsuError(
          `the branch ${ref.slice('refs/heads/'.length)} is empty, and no record says where it was`,
          {
            hint: `Its commits are among those of "git -C ${mirror.path} fsck --lost-found": git -C ${mirror.path} update-ref ${ref} <commit>`,
            code: 'worktree_broken',
          },
        )
      }
      fs.rmSync(file)
      await mirror.git(['update-ref', ref, commit])
    },
  }
}

/** The newest commit in these reflogs that the mirror has, from the first log that names one. */
async function lastCommit(mirror: GitRepository, logs: readonly string[]): Promise<string | undefined> {
  for (const log of logs) {
    const commits = ((textOf(log) ?? '').match(/^[0-9a-f]{40,64} [0-9a-f]{40,64} /gm) ?? []).map(
      (line) => line.split(' ')[1] ?? '',
    )
    for (const commit of commits.reverse().filter((each) => !/^0+$/.test(each))) {
      const has = await mirror.ask(['cat-file', '-e', `${commit}^{commit}`]).catch(() => undefined)
      mirror.signal?.throwIfAborted()
      if (has !== undefined) return commit
    }
  }
  return undefined
}

function looseRefs(mirror: string, within: string): string[] {
  return fs.readdirSync(path.join(mirror, within), { withFileTypes: true }).flatMap((entry) => {
    const name = `${within}/${entry.name}`
    if (entry.isDirectory()) return looseRefs(mirror, name)
    return entry.name.endsWith('.lock') ? [] : [name]
  })
}

export function isPlace(one: string | undefined, other: string): boolean {
  return one !== undefined && one !== '' && isSamePlace(one, other)
}

export function isDirectory(place: string): boolean {
  return statOf(place)?.isDirectory() === true
}

export function isFile(place: string): boolean {
  return statOf(place)?.isFile() === true
}

/** The text of one of git's files, even if it is not valid text; undefined when it is not a file. */
export function textOf(file: string): string | undefined {
  return isFile(file) ? readLog(file) : undefined
}

function statOf(place: string): fs.Stats | undefined {
  try {
    return fs.statSync(place, { throwIfNoEntry: false })
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') return undefined // nothing exists below a file
    throw error
  }
}
