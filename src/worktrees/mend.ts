/**
 * Mending a worktree and its mirror that have lost what ties them together (gitrepository-layout(5)): files of git's that
 * somebody deleted, that a power cut left empty, or that name a place which was moved. No file of the agent is touched, and
 * what an index had staged is a change in the worktree again.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { KugetsuError } from '../core/errors.ts'
import { setAside, writeAtomic } from '../platform/files.ts'
import { beginningOf, isNoText } from '../platform/regular-file.ts'
import { entryOf, isBeingSetUp, isSamePlace, listEntries } from '../git/worktree-entries.ts'
import { type GitOptions, inWorktree, runGit } from '../git/git.ts'
import { headOfMirror, isDirectory, isFile, isPlace, linkToMirror, type Part, refPart, textOf } from './mirror/mend.ts'
import { askRefs } from '../git/refs.ts'

export interface MendOptions extends GitOptions {
  mirror: string
  /** The worktree. */
  path: string
  /** The branch to be on, where nothing else tells. */
  branch: string
}

/**
 * What the worktree has lost, in words (`its .git file`): none where git works, where nothing is, and for what is no
 * worktree of the mirror. Reads files only. Throws KugetsuError `worktree_broken` where it cannot be mended.
 */
export function lostParts(options: Pick<MendOptions, 'mirror' | 'path' | 'branch'>): string[] {
  return partsOf({ ...options, env: {}, timeoutMs: 0 })
    .filter(({ isBroken }) => isBroken())
    .map(({ name }) => name)
}

/** Mends that; returns what it was. The caller holds the mirror's lock. Throws KugetsuError `worktree_broken`. */
export async function mendWorktree(options: MendOptions): Promise<string[]> {
  const mended: string[] = []
  for (const { name, isBroken, mend } of partsOf(options)) {
    if (!isBroken()) continue
    await mend()
    mended.push(name)
  }
  return mended
}

function partsOf(options: MendOptions): Part[] {
  const { mirror, path: place, branch } = options
  const own = path.join(place, '.git')
  const ownFile = fs.lstatSync(own, { throwIfNoEntry: false })
  if (!isDirectory(place) || ownFile?.isDirectory() === true) return []
  const link = linkIn(own)
  const isElsewhere = link !== undefined && !isSamePlace(path.dirname(path.dirname(link)), mirror)
  if (isElsewhere && isDirectory(link)) return []
  if (!isDirectory(path.join(mirror, 'objects')) || !isDirectory(path.join(mirror, 'refs'))) {
    if (link === undefined) return []
    throw broken(options, `the repository that it belongs to, ${path.dirname(path.dirname(link))}, is gone`)
  }
  const directory = entryFor(mirror, place, link)
  if (directory === undefined) {
    if (!isElsewhere) return []
    throw broken(options, `its .git file names ${link}, which is gone`)
  }
  const known = entryOf(mirror, place)
  if (known !== undefined && isBeingSetUp(known)) return []

  const at = (name: string) => path.join(directory, name)
  const ref = () => /^ref: (refs\/heads\/\S+)\n?$/.exec(textOf(at('HEAD')) ?? '')?.[1]
  return [
    headOfMirror(mirror),
    {
      name: 'its entry in the mirror',
      isBroken: () => !isDirectory(directory),
      mend: async () => {
        await requireBranch(options)
        fs.mkdirSync(directory, { recursive: true })
      },
    },
    {
      name: 'its .git file',
      isBroken: () => !isPlace(linkIn(own), directory),
      mend: () => writeAtomic(own, `gitdir: ${fs.realpathSync(directory)}\n`),
    },
    {
      name: 'its place in the mirror',
      isBroken: () => !isPlace(textOf(at('gitdir'))?.trim(), own),
      mend: () => writeAtomic(at('gitdir'), `${path.join(fs.realpathSync(place), '.git')}\n`),
    },
    linkToMirror(mirror, directory),
    {
      name: 'its HEAD',
      isBroken: () => !/^(ref: refs\/\S+|[0-9a-f]{40}|[0-9a-f]{64})\n?$/.test(textOf(at('HEAD')) ?? ''),
      mend: async () => {
        await requireBranch(options)
        writeAtomic(at('HEAD'), `ref: refs/heads/${branch}\n`)
      },
    },
    {
      name: 'its branch',
      isBroken: () => ref() !== undefined && refPart(options, mirror, ref() ?? '', []).isBroken(),
      mend: () => refPart(options, mirror, ref() ?? '', [at('logs/HEAD')]).mend(),
    },
    {
      name: 'its index',
      isBroken: () => !isIndex(at('index')) && (ref() === undefined || isBorn(mirror, ref() ?? '')),
      mend: async () => {
        if (fs.existsSync(at('index'))) setAside(at('index'), new Date())
        await runGit(['reset', '--mixed', '--quiet'], inWorktree(options, directory))
      },
    },
  ]
}

/** The entry in the mirror of the worktree at `place`, which may be gone; undefined when it is not one of its. */
function entryFor(mirror: string, place: string, link: string | undefined): string | undefined {
  const known = entryOf(mirror, place)
  if (known !== undefined) return known.directory
  // Without one that names this place it is the one named like it: of a home that was moved, or with an empty file.
  const named = path.join(mirror, 'worktrees', path.basename(link ?? place))
  const says = textOf(path.join(named, 'gitdir'))?.trim() ?? ''
  const isAnothers = says !== '' && fs.existsSync(path.resolve(named, says))
  if (isDirectory(named)) return isAnothers ? undefined : named
  return link !== undefined && isSamePlace(path.dirname(path.dirname(link)), mirror) ? named : undefined
}

/** Nothing else says which commit the files began at. */
async function requireBranch(options: MendOptions): Promise<void> {
  const { mirror, branch, path: place } = options
  const ref = `refs/heads/${branch}`
  const part = refPart(options, mirror, ref, [])
  if (part.isBroken()) await part.mend()
  if (!(await askRefs({ ...options, path: mirror }, [ref])).has(ref)) {
    throw broken(options, `the mirror has no branch ${branch} any more`)
  }
  const other = listEntries(mirror).find((entry) => entry.branch === branch && !isPlace(entry.path, place))
  if (other !== undefined)
    throw broken(options, `its branch ${branch} is checked out in ${other.path ?? other.directory}`)
}

function broken({ path: place }: Pick<MendOptions, 'path'>, why: string): KugetsuError {
  return new KugetsuError(`git does not work in ${place}: ${why}`, {
    hint: `Its files are as they were. Move that directory away and try again: a new one is made, to which you can copy what is missing.`,
    code: 'worktree_broken',
  })
}

function isBorn(mirror: string, ref: string): boolean {
  return isFile(path.join(mirror, ref)) || (textOf(path.join(mirror, 'packed-refs')) ?? '').includes(` ${ref}\n`)
}

function isIndex(file: string): boolean {
  try {
    return beginningOf(file, 4)?.toString('latin1') === 'DIRC'
  } catch (error) {
    return !isNoText(error) // of one that cannot be read nothing is known; what is no file is none
  }
}

function linkIn(file: string): string | undefined {
  const link = /^gitdir: (.+)$/m.exec(textOf(file) ?? '')?.[1]
  return link === undefined ? undefined : path.resolve(path.dirname(file), link)
}
