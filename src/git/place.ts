/** Finds out what is at a worktree's place: the mirror's own worktree, a clone, or a worktree of another repository. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { readText } from '../platform/files.ts'
import { linkOf } from './head.ts'
import { entryOf, isSamePlace, type WorktreeEntry } from './worktree-entries.ts'

export type Place =
  /** As kugetsu makes them. */
  | { kind: 'worktree'; gitDirectory: string; repository: string; entry: WorktreeEntry }
  /** A repository of its own, as the bash tool made them: commits, branches and stashes go with it. */
  | { kind: 'clone'; gitDirectory: string; repository: string }
  /** A worktree of a repository other than our mirror: its branches and stashes stay there. */
  | { kind: 'elsewhere'; gitDirectory: string; repository: string; entry: WorktreeEntry }
  /** Nothing is there; the mirror may still have its entry. */
  | { kind: 'missing'; repository: string; entry: WorktreeEntry | undefined }
  | { kind: 'unknown' }

/** Looks at a directory, which should be a worktree of the mirror at that path. */
export function placeOf(directory: string, mirror: string): Place {
  const entry = entryOf(mirror, directory)
  if (entry?.present === true) return { kind: 'worktree', gitDirectory: entry.directory, repository: mirror, entry }
  if (isNothing(directory)) return { kind: 'missing', repository: mirror, entry }
  const own = path.join(directory, '.git')
  if (isRepository(own)) return { kind: 'clone', gitDirectory: own, repository: own }
  const link = linkOf(directory)
  const common = link === undefined ? undefined : readText(path.join(link, 'commondir'))?.trim()
  if (link === undefined || !common) return { kind: 'unknown' }
  const repository = path.resolve(link, common)
  const other = isSamePlace(repository, mirror) ? undefined : entryOf(repository, directory)
  if (other?.present !== true || !isRepository(repository)) return { kind: 'unknown' }
  return { kind: 'elsewhere', gitDirectory: other.directory, repository, entry: other }
}

/** The git directory with git's records of a worktree. The worktree itself may be missing. */
export function recordsDirectory(place: Place): string | undefined {
  if (place.kind === 'missing') return place.entry?.directory
  return place.kind === 'unknown' ? undefined : place.gitDirectory
}

/** Whether git itself accepts the directory as a repository. */
export function isRepository(directory: string): boolean {
  return (
    fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true &&
    ['HEAD', 'objects', 'refs', 'config'].every((name) => fs.existsSync(path.join(directory, name)))
  )
}

/**
 * Whether no file is at or below `place`: nothing is there, or only directories. A directory that cannot be read may hold
 * files.
 */
export function isNothing(place: string): boolean {
  const stat = fs.lstatSync(place, { throwIfNoEntry: false })
  if (stat === undefined) return true
  if (!stat.isDirectory()) return false
  try {
    return fs.readdirSync(place).every((name) => isNothing(path.join(place, name)))
  } catch {
    return false
  }
}
