/** Pipes, sockets and devices in a worktree: git cannot put them into a tree, and waits forever at some of them. */
import * as fs from 'node:fs'
import { type ByteName, displayName, placeIn } from '../../platform/byte-names.ts'
import { specialKind } from '../../platform/regular-file.ts'
import { type Place, recordsDirectory } from '../../git/place.ts'
import { findRepositories, type Walked } from './repositories.ts'

/** Walks the files of a worktree if git has records of them; undefined if it has none, or if the walk fails. */
export function walkOf(worktree: string, place: Place): Walked | undefined {
  const gitDirectory = recordsDirectory(place)
  try {
    return gitDirectory === undefined ? undefined : findRepositories(worktree, gitDirectory)
  } catch {
    return undefined // the search for repositories tries again and reports it
  }
}

/** The changed files that are now pipes, sockets or devices, a line each. */
export function specialAmong(worktree: string, changed: readonly ByteName[]): string[] {
  return changed.flatMap((name) => {
    const kind = specialKind(fs.lstatSync(placeIn(worktree, name), { throwIfNoEntry: false }))
    return kind === undefined ? [] : [`${displayName(name)} is ${kind} in the place of a file, which cannot be saved`]
  })
}
