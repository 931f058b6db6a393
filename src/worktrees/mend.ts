/**
 * Mends a worktree and its mirror when git's files that tie them together (gitrepository-layout(5)) were deleted, were left
 * empty by a power cut, or name a place that was moved. No file of the agent is touched. What was staged in a lost index
 * becomes an unstaged change.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { KugetsuError } from '../core/errors.ts'
import { setAside, writeAtomic } from '../platform/files.ts'
import { beginningOf, isNoText } from '../platform/regular-file.ts'
import { entryOf, isBeingSetUp, isSamePlace, listEntries } from '../git/worktree-entries.ts'
import type { IssueWorktree } from './issue-worktree.ts'
import { headOfMirror, isDirectory, isFile, isPlace, linkToMirror, type Part, refPart, textOf } from './mirror/mend.ts'
import { askRefs } from '../git/refs.ts'

/**
 * The lost parts of the worktree, in words (`its .git file`). Empty when git works, when nothing is there, and when the
 * directory is not a worktree of the mirror. Reads files only. Throws KugetsuError `worktree_broken` when it cannot be
 * mended.
 */
export function lostParts(worktree: IssueWorktree): string[] {
  return partsOf(worktree)
    .filter(({ isBroken }) => isBroken())
    .map(({ name }) => name)
}

/**
 * Repairs a worktree in which git does not work because git's own files are gone or empty, with a warning. Returns what
 * was repaired. Throws KugetsuError `worktree_broken` where it cannot be repaired.
 */
export async function mendIfBroken(home: Pick<Home, 'warn'>, worktree: IssueWorktree): Promise<string[]> {
  if (lostParts(worktree).length === 0) return []
  const mended = await worktree.mirror.exclusively(() => mendWorktree(worktree))
  if (mended.length > 0) home.warn(`git did not work in ${worktree.path}; repaired: ${mended.join(', ')}`)
  return mended
}

/**
 * Mends the lost parts and returns their names; it will be on its branch when nothing else records one. The caller holds the
 * mirror's lock. Throws KugetsuError `worktree_broken`.
 */
export async function mendWorktree(worktree: IssueWorktree): Promise<string[]> {
  const mended: string[] = []
  for (const { name, isBroken, mend } of partsOf(worktree)) {
    if (!isBroken()) continue
    await mend()
    mended.push(name)
  }
  return mended
}

function partsOf(worktree: IssueWorktree): Part[] {
  const { path: place, branch } = worktree
  const mirror = worktree.mirror.path
  const own = path.join(place, '.git')
  const ownFile = fs.lstatSync(own, { throwIfNoEntry: false })
  if (!isDirectory(place) || ownFile?.isDirectory() === true) return []
  const link = linkIn(own)
  const isElsewhere = link !== undefined && !isSamePlace(path.dirname(path.dirname(link)), mirror)
  if (isElsewhere && isDirectory(link)) return []
  if (!isDirectory(path.join(mirror, 'objects')) || !isDirectory(path.join(mirror, 'refs'))) {
    if (link === undefined) return []
    throw broken(place, `the repository that it belongs to, ${path.dirname(path.dirname(link))}, is gone`)
  }
  const directory = entryFor(mirror, place, link)
  if (directory === undefined) {
    if (!isElsewhere) return []
    throw broken(place, `its .git file names ${link}, which is gone`)
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
        await requireBranch(worktree)
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
        await requireBranch(worktree)
        writeAtomic(at('HEAD'), `ref: refs/heads/${branch}\n`)
      },
    },
    {
      name: 'its branch',
      isBroken: () => ref() !== undefined && refPart(worktree.mirror, ref() ?? '', []).isBroken(),
      mend: () => refPart(worktree.mirror, ref() ?? '', [at('logs/HEAD')]).mend(),
    },
    {
      name: 'its index',
      isBroken: () => !isIndex(at('index')) && (ref() === undefined || isBorn(mirror, ref() ?? '')),
      mend: async () => {
        if (fs.existsSync(at('index'))) setAside(at('index'), new Date())
        await worktree.mirror.worktree(place, directory).git(['reset', '--mixed', '--quiet'])
      },
    },
  ]
}

/**
 * The mirror's entry for the worktree at `place`, even if the entry is gone; undefined when the worktree is not the
 * mirror's.
 */
function entryFor(mirror: string, place: string, link: string | undefined): string | undefined {
  const known = entryOf(mirror, place)
  if (known !== undefined) return known.directory
  // No entry names this place, so use the entry of the same name: the home was moved, or its `gitdir` file is empty.
  const named = path.join(mirror, 'worktrees', path.basename(link ?? place))
  const says = textOf(path.join(named, 'gitdir'))?.trim() ?? ''
  const isAnothers = says !== '' && fs.existsSync(path.resolve(named, says))
  if (isDirectory(named)) return isAnothers ? undefined : named
  return link !== undefined && isSamePlace(path.dirname(path.dirname(link)), mirror) ? named : undefined
}

/** Throws unless the branch exists and is free: nothing else says which commit the files are based on. */
async function requireBranch({ mirror, branch, path: place }: IssueWorktree): Promise<void> {
  const ref = `refs/heads/${branch}`
  const part = refPart(mirror, ref, [])
  if (part.isBroken()) await part.mend()
  if (!(await askRefs(mirror, [ref])).has(ref)) {
    throw broken(place, `the mirror has no branch ${branch} any more`)
  }
  const other = listEntries(mirror.path).find((entry) => entry.branch === branch && !isPlace(entry.path, place))
  if (other !== undefined)
    throw broken(place, `its branch ${branch} is checked out in ${other.path ?? other.directory}`)
}

function broken(place: string, why: string): KugetsuError {
  return new KugetsuError(`git does not work in ${place}: ${why}`, {
    hint: `Its files are unchanged. Move that directory away and try again: kugetsu makes a new worktree, to which you can copy what is missing.`,
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
    return !isNoText(error) // unreadable: assume an index; not a regular file: no index
  }
}

function linkIn(file: string): string | undefined {
  const link = /^gitdir: (.+)$/m.exec(textOf(file) ?? '')?.[1]
  return link === undefined ? undefined : path.resolve(path.dirname(file), link)
}
